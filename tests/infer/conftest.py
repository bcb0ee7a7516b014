"""A home with small voices, and listeners that need no weights: everything between them is the real chain."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from rvc.export import VoiceFacts, export_voice
from rvc.f0.track import F0Track
from rvc.infer.converter import Converter
from rvc.models.config import ModelConfig, config_for
from rvc.models.synthesizer import Synthesizer
from rvc.models.vocoders import HIFI_GAN
from rvc.paths import Home
from tests.sounds import singing


class LocalEmbedder:
    """Content features of HuBERT's shape that depend on their own 400 samples only: a spectrum, projected at random."""

    name = "builtin"

    def __init__(self, dim: int = 768) -> None:
        self.dim = dim
        self._projection = np.random.default_rng(0).standard_normal((201, dim)).astype(np.float32) / 14

    def extract(self, samples: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(samples, 400, axis=1)[:, ::320]
        spectra = np.log1p(10 * np.abs(np.fft.rfft(frames * np.hanning(400)))).astype(np.float32)
        return spectra @ self._projection


class LocalDetector:
    """Pitch from the autocorrelation of the 1024 samples around each frame; silence and noise are unvoiced."""

    name = "local"

    def detect(self, samples: np.ndarray) -> F0Track:
        padded = np.pad(samples, 512)
        frames = np.lib.stride_tricks.sliding_window_view(padded, 1024)[::160][:len(samples) // 160 + 1]
        spectrum = np.fft.rfft(frames * np.hanning(1024), 2048)
        likeness = np.fft.irfft(np.abs(spectrum) ** 2)[:, :401]
        lag = 40 + likeness[:, 40:].argmax(axis=1)
        voiced = likeness[np.arange(len(lag)), lag] > np.maximum(0.4 * likeness[:, 0], 1e-3)
        return F0Track(np.where(voiced, 16_000 / lag, 0).astype(np.float32))

    def detect_batch(self, samples):
        return [self.detect(one) for one in samples]


def smallest(
    version: str, sample_rate: int, *, n_speakers: int = 1, pitch_guidance: bool = True, vocoder: str = HIFI_GAN
) -> ModelConfig:
    """The tiny network with a vocoder that is thinner still: most of the time of a conversion is spent there."""
    tiny = config_for(version, sample_rate, pitch_guidance, vocoder, size="tiny", n_speakers=n_speakers)
    return replace(tiny, upsample_initial_channel=32, resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 3),))


def add_voice(home: Home, name: str, config: ModelConfig, **facts) -> Path:
    """A voice of random weights."""
    torch.manual_seed(len(name))
    synthesizer = Synthesizer(config)
    path = home.logs / name / f"{name}.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    export_voice(synthesizer, config, path, VoiceFacts(name=name, **({"embedder": "builtin"} | facts)))
    return path


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(tmp_path / "home")
    add_voice(home, "ada", smallest("v2", 40_000, n_speakers=4), n_speakers=2)
    return home


@pytest.fixture
def converter(home) -> Converter:
    return Converter(home, load_embedder=lambda name, version, device, home: LocalEmbedder({"v1": 256, "v2": 768}[version]),
                     load_detector=lambda name, device, home: LocalDetector())


@pytest.fixture
def song(tmp_path) -> Path:
    path = tmp_path / "song.wav"
    soundfile.write(path, singing(2.0, 24_000), 24_000)
    return path
