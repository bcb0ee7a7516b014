"""Nero, the neuronal rotator: steps that turn each neuron by a fixed angle.

Liu, Bernstein, Meister and Yue 2021, "Learning by Turning: Neural Architecture Aware Optimisation" (arXiv 2102.07227), algorithm 1. A
neuron is a row w of a weight, all that belongs to one index of its first dimension, with gradient g. With rate η, memory β and step t:

    v ← β·v + (1 − β)·‖g‖²
    w ← w − η · σ · g / √(v / (1 − βᵗ))

σ is the size of a neuron when training began, the mean over the rows of the weight; 0.01 for a weight of zeros. In a tensor of one
dimension each number is a neuron of its own. With ``constraints`` each row of a matrix is made to have mean 0 and norm 1, before the first
step and after every step. That is the paper's default and not ours: a gain of a weight norm is a row of one number, whose mean taken away
is 0, and pretrained kernels would lose their sizes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SCALE_OF_ZEROS = 0.01  # the paper's scale of biases, which begin at zero


class Nero(torch.optim.Optimizer):
    """Remembers one number per neuron."""

    def __init__(self, params: Any, lr: float, beta: float = 0.999, constraints: bool = False) -> None:
        super().__init__(params, {"lr": lr, "beta": beta, "constraints": constraints})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = closure() if closure else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step(weight, group)
        return loss

    def _step(self, weight: Tensor, group: dict[str, Any]) -> None:
        state, beta = self.state[weight], group["beta"]
        if not state:
            state.update(self._begun(weight, group["constraints"]))
        state["step"] += 1
        state["square"].mul_(beta).add_(_norms(weight.grad).square(), alpha=1 - beta)
        root = (state["square"] / (1 - beta ** state["step"])).sqrt()
        turn = torch.where(root > 0, weight.grad / root, torch.zeros_like(weight))  # a neuron without a gradient so far rests
        weight.sub_(group["lr"] * state["scale"] * turn)
        if group["constraints"]:
            _constrain(weight)

    def _begun(self, weight: Tensor, constraints: bool) -> dict[str, Any]:
        if constraints:
            _constrain(weight)
        norms = _norms(weight)
        scale = norms.mean()
        return {"step": 0, "square": torch.zeros_like(norms),
                "scale": torch.where(scale > 0, scale, torch.full_like(scale, SCALE_OF_ZEROS))}


def _norms(tensor: Tensor) -> Tensor:
    """The norm of each neuron, in a shape that multiplies ``tensor``: (rows, 1, 1, …), or that of ``tensor`` if it has one dimension."""
    if tensor.ndim <= 1:
        return tensor.abs()
    return torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.ndim)), keepdim=True)


def _constrain(weight: Tensor) -> None:
    if weight.ndim > 1:
        weight.sub_(weight.mean(dim=tuple(range(1, weight.ndim)), keepdim=True))
        weight.div_(_norms(weight))
