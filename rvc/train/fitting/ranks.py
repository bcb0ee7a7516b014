"""The processes that train together, as the training step sees them. Alone is the common case, and needs no torch.distributed.

What several processes do is the same mathematics as one: each computes its share of the batch, weighted by the whole, and the
gradients are summed before anyone uses them.
"""

from collections.abc import Sequence

import torch


class Ranks:
    """One process among ``count``; this one is ``index``. The first one leads: it writes files and tells what happens."""

    index = 0
    count = 1

    @property
    def leads(self) -> bool:
        return self.index == 0

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Each tensor becomes its sum over all processes, in place."""

    def any(self, flag: bool) -> bool:
        """Whether any process says so. Everyone gets the same answer."""
        return flag

    def wait(self) -> None:
        """Until every process is here."""


ALONE = Ranks()
