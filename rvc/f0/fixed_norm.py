"""Batch norm of networks that are only used, never trained."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class FixedNorm(nn.Module):
    """Batch norm with the statistics of a file, over the second of any number of axes. It has no count of batches."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def without_counts(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file's state without torch's counts of batches, which nothing here needs."""
    return {name: value for name, value in state.items() if not str(name).endswith("num_batches_tracked")}
