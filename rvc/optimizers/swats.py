"""SWATS that keeps the rate it found for SGD apart from the run's.

Keskar and Socher 2017 (arXiv 1712.07628). The library writes the rate of SGD over that of Adam when it switches, where the next step of a
schedule would overwrite it. Here it is kept as a multiple of the initial rate, and the schedule goes on multiplying.
"""

from collections.abc import Callable

import pytorch_optimizer


class Swats(pytorch_optimizer.SWATS):
    """A group's ``sgd_factor`` is there from the switch on: what its rate is multiplied by."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        asked = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] *= group.get("sgd_factor", 1.0)
        was_adam = [group["phase"] == "adam" for group in self.param_groups]
        loss = super().step(closure)
        for group, rate, adam in zip(self.param_groups, asked, was_adam, strict=True):
            if adam and group["phase"] == "sgd":
                group["sgd_factor"] = group["lr"] / rate if rate else 1.0
            group["lr"] = rate
        return loss
