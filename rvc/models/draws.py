"""Random numbers of a training step that belong to its items, and what a network can be given instead of drawing it.

What an item draws depends on its own seed and on what the number is for, and on nothing else: not on which items are computed
beside it, nor on which device or in which part of a batch. So a batch in parts, or shared by several processes, is trained with
the same numbers as the batch at once; and computing a block twice (activation checkpointing) draws the same twice.

Dimensions: B items, C channels, Z latent channels, T frames, N = T·hop samples, H harmonics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# What numbers are for. Blocks that draw again and again count on from ``BLOCKS``.
POSTERIOR, SLICE, PHASE, SOURCE, BLOCKS = 0, 1, 2, 3, 16
_USE_STRIDE = 0x9E3779B97F4A7C15  # the odd number nearest to 2^64 / golden ratio: neighbouring uses get distant seeds


class Draws(Protocol):
    """Where blocks of a network take their noise from, other than the global generator."""

    def normal(self, use: int, *shape: int) -> Tensor:
        """Standard normal (B, *shape)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Given:
    """What a network takes instead of drawing it; what is ``None`` comes from the device's global generator, in RVC's order."""

    latent: Tensor | None = None  # (B, Z, T), standard normal
    phase: Tensor | None = None  # (B,) cycles, where the sine begins (see ``phase_after``); ``None``: at 0
    source: Tensor | None = None  # (B, N, H), standard normal, beside the sine and instead of it
    draws: Draws | None = None  # for whatever else a vocoder draws


NOTHING = Given()


class ItemDraws:
    """Draws for the items of one batch, each from a seed of its own. ``frames``: how many frames of each item are real."""

    def __init__(self, seeds: Sequence[int], frames: Sequence[int], device: torch.device) -> None:
        assert len(seeds) == len(frames)
        self._seeds, self._frames, self._device = seeds, frames, device
        self._generator = torch.Generator(device)

    def normal(self, use: int, *shape: int) -> Tensor:
        """Standard normal (B, *shape)."""
        return torch.stack([torch.randn(shape, generator=generator, device=self._device) for generator in self._generators(use)])

    def uniform(self, use: int, *shape: int) -> Tensor:
        """Uniform in [0, 1) (B, *shape)."""
        return torch.stack([torch.rand(shape, generator=generator, device=self._device) for generator in self._generators(use)])

    def normal_frames(self, use: int, channels: int, n_frames: int) -> Tensor:
        """Standard normal (B, C, T) on the frames that an item has, 0 on its padding."""
        drawn = torch.zeros(len(self._seeds), channels, n_frames, device=self._device)
        for item, frames, generator in zip(drawn, self._frames, self._generators(use), strict=True):
            item[:, :frames] = torch.randn(channels, frames, generator=generator, device=self._device)
        return drawn

    def _generators(self, use: int):
        """The generator, set to each item's seed in turn."""
        for seed in self._seeds:
            self._generator.manual_seed((seed + use * _USE_STRIDE) % 2**63)
            yield self._generator
