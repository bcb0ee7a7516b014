"""RMVPE (Wei et al., "RMVPE: A Robust Model for Vocal Pitch Estimation in Polyphonic Music", Interspeech 2023).

A U-Net over the mel spectrogram and a recurrent layer give the salience of 360 pitches, 20 cents apart, in every frame. Attribute
names are those of the published file ``rmvpe.pt``. The network is only used here, never trained: its norms have fixed statistics.

Dimensions: B sounds, C channels, T frames of 10 ms, F mel bands.
"""

from pathlib import Path

import librosa
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rvc import checkpoint
from rvc.f0.detector import HOP, SAMPLE_RATE, Detector
from rvc.f0.fixed_norm import FixedNorm, without_counts

_N_FFT = 1024
_N_MELS = 128
_BINS = 360
_GRID = 32  # frames: five stages halve the time axis
_THRESHOLD = 0.03  # of the best bin's salience: Applio's and RVC's choice
_CENTS = 20.0 * np.arange(_BINS) + 1997.3794084376191  # above 10 Hz; CREPE's pitch axis
_NEIGHBOURS = 4  # bins on either side of the best one that take part in the mean


class Rmvpe(Detector):
    """RMVPE as a detector on ``device``."""

    name = "rmvpe"

    def __init__(self, network: "Network", device: torch.device) -> None:
        self._device = torch.device(device)
        self._network = network.to(self._device).eval().requires_grad_(False)
        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=_N_MELS, fmin=30, fmax=8000, htk=True)
        self._filters = torch.from_numpy(filters).to(self._device)
        self._hann = torch.hann_window(_N_FFT, device=self._device)

    @classmethod
    def from_file(cls, path: Path, device: torch.device) -> "Rmvpe":
        """``FormatError`` when ``path`` is not RMVPE's file."""
        with torch.device("meta"):
            network = Network()
        network.to_empty(device="cpu")  # no time is spent on random weights
        checkpoint.load_state(network, without_counts(checkpoint.read(path)), what=path.name)
        return cls(network, device)

    @torch.inference_mode()
    def _frequencies(self, batch: np.ndarray) -> np.ndarray:
        mel = self.mel(torch.from_numpy(batch).to(self._device))
        return decoded(self.salience(mel).cpu().numpy())

    def mel(self, samples: Tensor) -> Tensor:
        """Log-mel spectrogram as RMVPE was trained on. [B, n] -> [B, 128, n // 160 + 1]"""
        spectrum = torch.stft(samples, _N_FFT, HOP, window=self._hann, center=True, pad_mode="reflect", return_complex=True)
        return (self._filters @ spectrum.abs()).clamp(min=1e-5).log()

    @torch.inference_mode()
    def salience(self, mel: Tensor) -> Tensor:
        """[B, 128, T] -> [B, T, 360], each from 0 to 1. T becomes a multiple of 32 by mirroring the end, as in Applio."""
        frames = mel.shape[2]
        mirrored = np.pad(np.arange(frames), (0, -frames % _GRID), mode="reflect")
        return self._network(mel[:, :, torch.from_numpy(mirrored).to(mel.device)])[:, :frames]


def decoded(salience: np.ndarray) -> np.ndarray:
    """Hz of the salience's peak: the mean pitch around the best bin; 0 where that bin is weak. [..., 360] -> [...]"""
    best = salience.argmax(axis=-1)
    around = best[..., None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)
    weights = np.take_along_axis(salience, np.clip(around, 0, _BINS - 1), axis=-1).astype(np.float64)
    weights[(around < 0) | (around >= _BINS)] = 0
    cents = (weights * _CENTS[np.clip(around, 0, _BINS - 1)]).sum(axis=-1) / np.maximum(weights.sum(axis=-1), 1e-12)
    return np.where(salience.max(axis=-1) > _THRESHOLD, 10 * 2 ** (cents / 1200), 0)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions beside a short cut."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), FixedNorm(channels_out), nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False), FixedNorm(channels_out), nn.ReLU())
        if channels_in != channels_out:
            self.shortcut = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + (self.shortcut(x) if hasattr(self, "shortcut") else x)


def _blocks(channels_in: int, channels_out: int) -> nn.ModuleList:
    """Four of them, of which the first changes the number of channels."""
    return nn.ModuleList([ResidualBlock(channels_in, channels_out), *(ResidualBlock(channels_out, channels_out) for _ in range(3))])


class Level(nn.Module):
    """Four blocks at one resolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = _blocks(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.conv:
            x = block(x)
        return x


class Encoder(nn.Module):
    """Five levels; after each, time and frequency are halved."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = FixedNorm(1)
        self.layers = nn.ModuleList(Level(*pair) for pair in ((1, 16), (16, 32), (32, 64), (64, 128), (128, 256)))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 1, T, F] -> [B, 256, T/32, F/32] and what each level saw before it was halved"""
        x, seen = self.bn(x), []
        for level in self.layers:
            seen.append(level(x))
            x = functional.avg_pool2d(seen[-1], 2)
        return x, seen


class Intermediate(nn.Module):
    """The bottom of the U."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Level(*pair) for pair in ((256, 512), (512, 512), (512, 512), (512, 512)))

    def forward(self, x: Tensor) -> Tensor:
        for level in self.layers:
            x = level(x)
        return x


class UpLevel(nn.Module):
    """Doubles time and frequency, then four blocks that also see the encoder's level."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1, bias=False),
            FixedNorm(channels_out), nn.ReLU())
        self.conv2 = _blocks(2 * channels_out, channels_out)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        x = torch.cat([self.conv1(x), seen], dim=1)
        for block in self.conv2:
            x = block(x)
        return x


class Decoder(nn.Module):
    """Back up to the resolution of the spectrogram."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(UpLevel(*pair) for pair in ((512, 256), (256, 128), (128, 64), (64, 32), (32, 16)))

    def forward(self, x: Tensor, seen: list[Tensor]) -> Tensor:
        for level in self.layers:
            x = level(x, seen.pop())
        return x


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.intermediate, self.decoder = Encoder(), Intermediate(), Decoder()

    def forward(self, x: Tensor) -> Tensor:
        x, seen = self.encoder(x)
        return self.decoder(self.intermediate(x), seen)


class BothWays(nn.Module):
    """A GRU that reads forwards and backwards."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width_in, width_out, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x)[0]


class Network(nn.Module):
    """RMVPE's ``E2E``: log-mel [B, 128, T] with T a multiple of 32 -> salience [B, T, 360]."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = UNet()
        self.cnn = nn.Conv2d(16, 3, 3, padding=1)
        self.fc = nn.Sequential(BothWays(3 * _N_MELS, 256), nn.Linear(512, _BINS), nn.Sigmoid())

    def forward(self, mel: Tensor) -> Tensor:
        x = self.cnn(self.unet(mel.transpose(1, 2)[:, None]))  # (B, 3, T, F)
        return self.fc(x.transpose(1, 2).flatten(2))  # (B, T, 3F) -> (B, T, 360)
