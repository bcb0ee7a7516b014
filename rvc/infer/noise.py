"""Noise that belongs to a place in the recording: a piece converted alone has the noise that it has within the whole.

Every stretch of it has its own generator, seeded by (seed, kind of noise, stretch). What goes into the networks is drawn on the CPU, so
devices agree too; what some vocoders add inside is too much for that and drawn where it is needed.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
import torch

_FRAMES = 100  # frames of a second: drawn together
_BLOCK_FRAMES = 20  # the same for noise inside the vocoder, which windows shorter than a second ask for
_FIRST_SECOND = 1 << 20  # the context before a recording's start has negative seconds; seeds have no sign


class Noise(IntEnum):
    LATENT = 0
    SOURCE = 1
    BLOCKS = 2


def noise_at(kind: Noise, seed: int, start: int, stop: int, width: int) -> np.ndarray:
    """Standard normal float32 [stop - start, width] for frames ``start`` to ``stop``; the same for a frame whatever is asked with it."""
    first, last = start // _FRAMES, (stop - 1) // _FRAMES
    seconds = [_second(kind, seed, second, width) for second in range(first, last + 1)]
    return np.concatenate(seconds)[start - first * _FRAMES:stop - first * _FRAMES]


def _second(kind: Noise, seed: int, second: int, width: int) -> np.ndarray:
    random = np.random.default_rng([seed, kind, second + _FIRST_SECOND])
    return random.standard_normal((_FRAMES, width), dtype=np.float32)


@dataclass(frozen=True)
class BlockNoise:
    """What the blocks of a vocoder draw for frames ``start`` to ``stop`` of a recording (``rvc.models.draws.Draws``)."""

    seed: int
    start: int
    stop: int
    device: torch.device

    def between(self, first: int, last: int) -> Self:
        """That of frames ``first`` to ``last`` counted from here."""
        return type(self)(self.seed, self.start + first, self.start + last, self.device)

    def normal(self, use: int, channels: int, n_samples: int) -> torch.Tensor:
        """Standard normal (1, channels, n_samples); the samples are spread evenly over the frames."""
        per_frame = n_samples // (self.stop - self.start)
        first, last = self.start // _BLOCK_FRAMES, (self.stop - 1) // _BLOCK_FRAMES
        blocks = [self._block(use, block, channels, per_frame * _BLOCK_FRAMES) for block in range(first, last + 1)]
        begin = (self.start - first * _BLOCK_FRAMES) * per_frame
        return torch.cat(blocks, dim=-1)[None, :, begin:begin + n_samples]

    def _block(self, use: int, block: int, channels: int, n_samples: int) -> torch.Tensor:
        mixed = np.random.SeedSequence([self.seed, Noise.BLOCKS, use, block + _FIRST_SECOND]).generate_state(1, np.uint64)
        generator = torch.Generator(self.device).manual_seed(int(mixed[0] >> np.uint64(1)))
        return torch.randn(channels, n_samples, generator=generator, device=self.device)
