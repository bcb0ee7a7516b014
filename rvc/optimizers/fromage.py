"""Fromage: steps that are a fixed share of each tensor.

Bernstein, Vahdat, Yue and Liu 2020, "On the distance between two neural networks and the stability of learning" (arXiv 2002.03432),
algorithm 1. For each tensor W with gradient g and rate η, in Frobenius norms:

    W ← 1/√(1 + η²) · (W − η · ‖W‖/‖g‖ · g)

The factor in front keeps the norm from growing: a step at right angles to W leaves it as it was. A tensor that is all zeros has no size to
take a share of; it takes the plain step −η·g, which the paper leaves open. A gradient of zero moves nothing.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Fromage(torch.optim.Optimizer):
    """Nothing is remembered between steps."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = closure() if closure else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    _step(weight, weight.grad, group["lr"])
        return loss


def _step(weight: Tensor, gradient: Tensor, rate: float) -> None:
    size, slope = torch.linalg.vector_norm(weight), torch.linalg.vector_norm(gradient)
    # On the device throughout: asking whether a norm is 0 would wait for the GPU, once per tensor.
    share = torch.where(size > 0, size / slope, torch.ones_like(size))
    moved = weight - rate * share * gradient
    shrunk = torch.where(size > 0, moved / math.sqrt(1 + rate**2), moved)
    weight.copy_(torch.where(slope > 0, shrunk, weight))
