"""Sophia with the squared gradient of the batch as its curvature.

Liu, Li, Hall, Liang and Ma 2023 (arXiv 2305.14342) estimate the diagonal of the Hessian every tenth step: by Hutchinson's method, which
needs a second backward pass and fails with several processes and with scaled gradients, or by resampling class labels, which sound has not.
What is fed here is their second estimate with the true targets in place of resampled ones, B·ĝ² for the mean gradient ĝ of a batch of B
clips: the empirical Fisher matrix, a stand-in.
"""

from collections.abc import Callable
from typing import Any

import pytorch_optimizer
import torch


class Sophia(pytorch_optimizer.SophiaH):
    """interval: steps between two looks at the curvature, counted in steps taken: a skipped one changes nothing."""

    def __init__(self, params: Any, lr: float, interval: int, batch_size: int, **keywords: Any) -> None:
        super().__init__(params, lr=lr, update_period=interval, **keywords)
        for group in self.param_groups:
            group["interval"], group["batch_size"] = interval, batch_size

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        first = self.param_groups[0]
        due = first.get("step", 0) % first["interval"] == 0
        self.update_period = first["interval"]  # never reached: the library's own estimate is due when ours is
        return super().step(closure, hessian=self._curvature(first["batch_size"]) if due else None)

    @torch.no_grad()
    def _curvature(self, batch_size: int) -> list[torch.Tensor]:
        weights = [one for group in self.param_groups for one in group["params"]]
        return [torch.zeros_like(one) if one.grad is None else batch_size * one.grad.square() for one in weights]
