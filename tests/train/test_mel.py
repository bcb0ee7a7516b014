"""Spectrograms against Applio's own numbers, against librosa, and where they are computed."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rvc.train.fitting.mel import MAGNITUDE_EPS, _mel_filters, _window, linear_spectrogram, mel_of, mel_spectrogram

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden"
SHAPES = [(24_000, 1024, 240, 80), (32_000, 1024, 320, 80), (40_000, 2048, 400, 125), (48_000, 2048, 480, 128)]


def noise(n_samples: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(1, n_samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("rate", "n_fft", "hop", "n_mels"), SHAPES)
def test_mels_and_spectrograms_are_those_of_applio(rate, n_fft, hop, n_mels):
    with np.load(GOLDEN / "D_v2.npz") as file:
        audio = torch.from_numpy(np.tile(file["real"], 3))[None]
    with np.load(GOLDEN / "losses_mel.npz") as file:
        expected, (bins, frames, mean, largest) = file[f"mel_{rate}"], file[f"specstat_{rate}"]
    spec = linear_spectrogram(audio, n_fft=n_fft, hop_length=hop)
    assert spec.shape == (1, bins, frames)
    assert float(spec.mean()) == pytest.approx(mean, rel=1e-5)
    assert float(spec.max()) == pytest.approx(largest, rel=1e-5)
    mel = mel_spectrogram(audio, sample_rate=rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels)
    np.testing.assert_allclose(mel[0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(("rate", "n_fft", "hop", "n_mels"), SHAPES)
def test_spectrograms_are_librosas(rate, n_fft, hop, n_mels):
    audio = noise(rate // 2)
    padded = np.pad(audio[0].numpy(), (n_fft - hop) // 2, mode="reflect")
    magnitudes = np.sqrt(np.abs(librosa.stft(padded, n_fft=n_fft, hop_length=hop, center=False)) ** 2 + MAGNITUDE_EPS)
    assert_close(linear_spectrogram(audio, n_fft=n_fft, hop_length=hop)[0], torch.from_numpy(magnitudes), atol=1e-4, rtol=1e-4)
    bands = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels) @ magnitudes
    assert_close(mel_spectrogram(audio, sample_rate=rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels)[0],
                 torch.from_numpy(np.log(bands)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("extra", [0, 1, 399])
@pytest.mark.parametrize("frames", [3, 32, 299])
def test_there_is_one_column_for_every_whole_frame(frames, extra):
    assert linear_spectrogram(noise(frames * 400 + extra), n_fft=2048, hop_length=400).shape[-1] == frames


def test_silence_is_the_floor_and_has_a_finite_gradient():
    audio = torch.zeros(1, 12_800, requires_grad=True)
    mel = mel_spectrogram(audio, sample_rate=40_000, n_fft=2048, hop_length=400, n_mels=125)
    assert mel.isfinite().all()
    mel.sum().backward()
    assert audio.grad.isfinite().all()


def test_channels_of_one_and_batches_are_the_same_sounds():
    audio = torch.cat((noise(6400, 1), noise(6400, 2)))
    shape = {"n_fft": 2048, "hop_length": 400}
    together = linear_spectrogram(audio[:, None], **shape)
    assert together.shape == (2, 1025, 16)
    for i in range(2):
        assert_close(together[i], linear_spectrogram(audio[i : i + 1], **shape)[0])


def test_audio_shorter_than_its_reflection_is_refused_in_a_sentence():
    assert linear_spectrogram(noise(825), n_fft=2048, hop_length=400).shape[-1] == 2
    with pytest.raises(ValueError, match="824 samples are too short"):
        linear_spectrogram(noise(824), n_fft=2048, hop_length=400)


def test_half_precision_around_it_changes_nothing():
    audio = 1e-3 * noise(12_800)  # squares below what bfloat16 and float16 tell apart
    expected = mel_spectrogram(audio, sample_rate=40_000, n_fft=2048, hop_length=400, n_mels=125)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = mel_spectrogram(audio, sample_rate=40_000, n_fft=2048, hop_length=400, n_mels=125)
    assert within.dtype == torch.float32
    assert torch.equal(within, expected)


def test_half_precision_audio_is_taken_up_to_float32():
    spec = linear_spectrogram(noise(4000).to(torch.bfloat16), n_fft=1024, hop_length=320)
    assert spec.dtype == torch.float32


def test_windows_and_filters_are_made_once_and_can_be_trained_through_whoever_asked_first():
    _window.cache_clear()
    _mel_filters.cache_clear()
    shape = {"sample_rate": 24_000, "n_fft": 1024, "hop_length": 240, "n_mels": 80}
    with torch.inference_mode():
        mel_spectrogram(noise(4000), **shape)
    audio = noise(4000).requires_grad_()
    mel_spectrogram(audio, **shape).mean().backward()  # a cached inference tensor would be refused here
    assert audio.grad.abs().sum() > 0
    assert _window.cache_info().misses == _mel_filters.cache_info().misses == 1


def test_the_mel_of_a_spectrogram_is_the_mel_of_its_audio():
    audio = noise(8000)
    spec = linear_spectrogram(audio, n_fft=1024, hop_length=320)
    whole = mel_spectrogram(audio, sample_rate=32_000, n_fft=1024, hop_length=320, n_mels=80)
    assert torch.equal(mel_of(spec, sample_rate=32_000, n_fft=1024, n_mels=80), whole)
