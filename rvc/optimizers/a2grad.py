"""A2Grad with a learning rate.

Deng, Cheng and Lan 2018 (arXiv 1810.00553) divide the gradient of step k by γ_k + β·h_k, where γ_k = 2L/(k+1), L is a Lipschitz constant
of the gradient, and h_k is the root of the summed squared deviations of the gradient from its mean. Here L = 1/r and β = b/r, so that the
rate r scales the whole step as a rate does elsewhere, and the library, which has none, gets what it needs.
"""

from collections.abc import Callable
from typing import Any

import pytorch_optimizer


class A2Grad(pytorch_optimizer.A2Grad):
    """noise: b of the above."""

    def __init__(self, params: Any, lr: float, noise: float, variant: str) -> None:
        super().__init__(params, variant=variant)
        for group in self.param_groups:
            group["lr"], group["noise"] = lr, noise

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        for group in self.param_groups:
            if group["lr"] == 0:  # an infinite constant: nothing moves
                return None
            group["lips"], group["beta"] = 1 / group["lr"], group["noise"] / group["lr"]
        return super().step(closure)
