"""The two encoders of the conditional VAE (Kim et al., VITS, 2021): from content features, and from the recording itself.

Dimensions: B batch, T frames (100 a second), F content channels, S spectrogram bins, H hidden, Z latent channels, G speaker channels.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from rvc.models.attention import Transformer
from rvc.models.config import ModelConfig
from rvc.models.layers import LEAKY_SLOPE, WaveNet, frame_mask

COARSE_BINS = 256  # rows of the pitch table: 0 is padding, 1 to 255 are mel-spaced bins
_POSTERIOR_LAYERS = 16  # fixed by the format


class Gaussian(NamedTuple):
    """Diagonal normal distributions of the latent frames, float32. mean, log_std (B, Z, T); mask (B, 1, T)"""

    mean: Tensor
    log_std: Tensor
    mask: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        return (self.mean + noise * self.log_std.exp()) * self.mask

    @classmethod
    def projected(cls, stats: Tensor, mask: Tensor) -> "Gaussian":
        """From the (B, 2Z, T) output of a last layer. Leaves autocast here: exponentials follow."""
        mean, log_std = (stats.float() * mask).chunk(2, dim=1)
        return cls(mean, log_std, mask)


class ContentEncoder(nn.Module):
    """The prior: what is said, and how high (``enc_p`` in files)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden = config.hidden_channels
        self.emb_phone = nn.Linear(config.content_channels, hidden)
        if config.pitch_guidance:
            self.emb_pitch = nn.Embedding(COARSE_BINS, hidden)
        self.encoder = Transformer(
            channels=hidden,
            filter_channels=config.filter_channels,
            n_heads=config.n_heads,
            n_layers=config.n_layers,
            kernel_size=config.kernel_size,
            p_dropout=config.p_dropout,
        )
        self.proj = nn.Conv1d(hidden, 2 * config.inter_channels, 1)
        self.scale = math.sqrt(hidden)

    def forward(self, content: Tensor, lengths: Tensor, coarse: Tensor | None) -> Gaussian:
        """content (B, T, F), lengths (B,) in frames, coarse pitch (B, T) with pitch guidance"""
        x = self.emb_phone(content)
        if coarse is not None:
            x = x + self.emb_pitch(coarse)
        x = leaky_relu(x * self.scale, LEAKY_SLOPE).mT  # (B, H, T)
        mask = frame_mask(lengths, x.shape[-1])
        x = self.encoder(x * mask, mask)
        return Gaussian.projected(self.proj(x), mask)


class PosteriorEncoder(nn.Module):
    """What the recording itself says about the latent frames; only training has one (``enc_q`` in checkpoints)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden = config.hidden_channels
        self.pre = nn.Conv1d(config.spec_channels, hidden, 1)
        self.enc = WaveNet(channels=hidden, n_layers=_POSTERIOR_LAYERS, gin_channels=config.gin_channels)
        self.proj = nn.Conv1d(hidden, 2 * config.inter_channels, 1)

    def forward(self, spec: Tensor, lengths: Tensor, g: Tensor) -> Gaussian:
        """linear magnitude spectrogram (B, S, T), lengths (B,) in frames, speaker g (B, G, 1)"""
        mask = frame_mask(lengths, spec.shape[-1])
        x = self.enc(self.pre(spec) * mask, mask, g)
        return Gaussian.projected(self.proj(x), mask)


def standard_normal(like: Tensor) -> Tensor:
    """One float32 draw of the shape of ``like`` from the global generator of its device."""
    return torch.randn(like.shape, device=like.device)
