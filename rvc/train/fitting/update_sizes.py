"""How far a step moved the weights: the norm of the change over the norm of the weights, for each part of both networks.

The first thing to look at when a learning rate may be wrong: about 1e-3 for Adam at the usual rates; far less learns nothing, far
more destroys what there was.
"""

import torch
from torch import nn

from rvc.models.discriminators import Discriminator
from rvc.models.synthesizer import Synthesizer

_EVERY_STEP_UNTIL = 50  # of a fit: that is where a wrong learning rate shows
_LATER_EVERY = 50  # a measured step copies the weights


def measured(step: int) -> bool:
    """Whether the step after ``step`` finished ones is looked at."""
    return step < _EVERY_STEP_UNTIL or step % _LATER_EVERY == 0


class UpdateSizes:
    """The weights of one network as they are now, to be compared with what its update made of them.

    Made when the gradients are there: what the passes needed is free again by then.
    """

    def __init__(self, network: Synthesizer | Discriminator) -> None:
        parts, letter = (network.discriminators, "d") if isinstance(network, Discriminator) else (network, "g")
        self._modules = {f"{letter}/{name}": list(module.parameters()) for name, module in parts.named_children()}
        with torch.no_grad():
            self._before = {name: [one.detach().clone() for one in weights] for name, weights in self._modules.items()}

    @torch.no_grad()
    def by_tag(self) -> dict[str, torch.Tensor]:
        """Scalars by their tags, ``update/g/dec`` for one; 0 of weights that are all 0."""
        return {f"update/{name}": self._relative(self._before[name], weights) for name, weights in self._modules.items()}

    def _relative(self, before: list[torch.Tensor], after: list[nn.Parameter]) -> torch.Tensor:
        change = _norm(torch._foreach_sub([one.detach() for one in after], before))
        size = _norm(before)
        return torch.where(size > 0, change / size, torch.zeros_like(change))


def _norm(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
