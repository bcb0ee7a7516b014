"""The network of the built-in encoder: log-mel frames through blocks of depthwise convolution (after ConvNeXt, Liu et al. 2022).

Nothing looks further than ``FIELD_SECONDS``: no attention, no statistics of the utterance, norms within a frame only. What a frame says is
therefore the same in a short file, in a long one, and in any piece that holds its field.
"""

from dataclasses import dataclass

import librosa
import torch
from torch import Tensor, nn
from torch.nn import functional

from rvc.embedders.frames import FRAME_FIELD, FRAME_STEP, SAMPLE_RATE

# Legend: B batch, M mel frames (100 per second), N frames (50 per second), C = width.
HOP, N_MELS = FRAME_STEP // 2, 80
QUIETEST = 1e-9  # mel power. Speech at full scale reaches 1e2, its details at -40 dB 1e-7
WIDTH, EXPANSION, BLOCKS, KERNEL = 256, 2, 11, 7
STEM_KERNEL = 5  # mel frames
OUTPUT = 768
FIELD_FRAMES = BLOCKS * (KERNEL - 1) + 1
FIELD_SECONDS = ((FIELD_FRAMES - 1) * FRAME_STEP + (STEM_KERNEL - 1) * HOP + FRAME_FIELD) / SAMPLE_RATE


class LogMel(nn.Module):
    """(B, n) samples at 16 kHz -> (B, N_MELS, M) decades of mel power, M = (n - 400) // 160 + 1."""

    def __init__(self) -> None:
        super().__init__()
        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FRAME_FIELD, n_mels=N_MELS)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)
        self.register_buffer("window", torch.hann_window(FRAME_FIELD), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        power = torch.stft(samples, FRAME_FIELD, HOP, window=self.window, center=False, return_complex=True).abs().square()
        return (self.filters @ power).clamp(min=QUIETEST).log10()


class Block(nn.Module):
    """(B, C, N) -> the same: a look around in every channel, then a mix of the channels in every frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, EXPANSION * width)
        self.narrow = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.around(x).transpose(1, 2))  # (B, N, C)
        return x + self.narrow(functional.gelu(self.widen(y))).transpose(1, 2)


@dataclass(frozen=True)
class Size:
    """Smaller ones are for tests."""

    width: int = WIDTH
    blocks: int = BLOCKS


class MiniEncoder(nn.Module):
    """(B, N_MELS, M) log-mel -> (B, N, OUTPUT) content, N = (M - 1) // 2 + 1."""

    def __init__(self, size: Size = Size()) -> None:
        super().__init__()
        self.stem = nn.Conv1d(N_MELS, size.width, STEM_KERNEL, stride=2, padding=STEM_KERNEL // 2)
        self.blocks = nn.Sequential(*(Block(size.width) for _ in range(size.blocks)))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, OUTPUT)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.blocks(self.stem((mel + 4) / 3))  # (B, C, N); the sum makes speech about 0 ± 1
        return self.head(self.norm(x.transpose(1, 2)))
