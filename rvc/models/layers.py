"""Blocks that several of the networks share: channel norm, the WaveNet stack, masks, activation checkpointing.

Dimensions: B batch, C channels, T frames.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.checkpoint import checkpoint

LEAKY_SLOPE = 0.1

T = TypeVar("T")


def frame_mask(lengths: Tensor, n_frames: int) -> Tensor:
    """1.0 where a frame is inside its clip, else 0.0. lengths (B,) -> (B, 1, T)"""
    frames = torch.arange(n_frames, device=lengths.device)
    return (frames < lengths[:, None]).unsqueeze(1).float()


class Recomputing(nn.Module):
    """A network that can train in less memory and more time (activation checkpointing), with the same numbers and gradients.

    With ``checkpointing`` it keeps of its parts only what goes in and out, and computes the rest again for the gradient. Between the
    forward and the backward pass neither the weights nor whether they want gradients may change.
    """

    checkpointing: bool = False

    def part(self, run: Callable[..., T], *inputs: Tensor, redraws: bool = False) -> T:
        """``run(*inputs)``. redraws: it takes numbers from the global generator, which must be the same the second time."""
        if not (self.checkpointing and self.training and torch.is_grad_enabled()):
            return run(*inputs)
        return checkpoint(run, *inputs, use_reentrant=False, preserve_rng_state=redraws)


class LayerNorm(nn.Module):
    """Normalises over the channels of (B, C, T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x.mT, self.gamma.shape, self.gamma, self.beta, 1e-5).mT


class WaveNet(nn.Module):
    """Gated convolutions conditioned on the speaker (van den Oord et al., WaveNet, 2016), non-causal as in WaveGlow.

    The format fixes kernel 5 and dilation 1; each layer sees a slice of one shared projection of the speaker.
    """

    def __init__(self, *, channels: int, n_layers: int, gin_channels: int, kernel_size: int = 5) -> None:
        super().__init__()
        self.channels = channels
        padding = kernel_size // 2
        self.in_layers = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, 2 * channels, kernel_size, padding=padding)) for _ in range(n_layers)
        )
        # The last layer has nobody to pass a residual to: its output is all skip.
        outputs = [2 * channels] * (n_layers - 1) + [channels]
        self.res_skip_layers = nn.ModuleList(weight_norm(nn.Conv1d(channels, out, 1)) for out in outputs)
        self.cond_layer = weight_norm(nn.Conv1d(gin_channels, 2 * channels * n_layers, 1))

    def forward(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        """x (B, C, T), mask (B, 1, T), speaker g (B, G, 1) -> (B, C, T)"""
        conditions = self.cond_layer(g).chunk(len(self.in_layers), dim=1)  # (B, 2C, 1) each
        skips = torch.zeros_like(x)
        for in_layer, res_skip_layer, condition in zip(self.in_layers, self.res_skip_layers, conditions, strict=True):
            tanh_in, sigmoid_in = (in_layer(x) + condition).chunk(2, dim=1)
            out = res_skip_layer(torch.tanh(tanh_in) * torch.sigmoid(sigmoid_in))
            if out.shape[1] == self.channels:
                return (skips + out) * mask
            residual, skip = out.chunk(2, dim=1)
            x = (x + residual) * mask
            skips = skips + skip
        raise AssertionError("the last layer returns")
