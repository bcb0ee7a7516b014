"""Linear and mel spectrograms as the RVC family trains on them.

B batch, N samples, F = n_fft/2+1 bins, M mel bands, T = N / hop_length frames. All in float32, also under autocast: in half
precision the squares of quiet bins vanish.
"""

import warnings
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch.nn import functional

MAGNITUDE_EPS = 1e-6  # under the root, so that its gradient is finite at silence
MEL_FLOOR = 1e-5  # under the logarithm
# n_fft and bands of the resolutions that RefineGAN is compared at; each steps by a quarter of its window.
RESOLUTIONS = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))


def linear_spectrogram(audio: torch.Tensor, *, n_fft: int, hop_length: int) -> torch.Tensor:
    """Magnitudes (B, F, T) of ``audio`` (B, N) or (B, 1, N): periodic Hann window of n_fft, reflected by (n_fft - hop) / 2 at both ends.

    T is N // hop_length, so a clip cut to whole frames has exactly one column a frame. ``ValueError`` when ``audio`` is
    shorter than that reflection needs.
    """
    audio = audio.flatten(0, -2)
    margin = (n_fft - hop_length) // 2
    if audio.shape[-1] <= margin:
        raise ValueError(f"{audio.shape[-1]} samples are too short for a spectrogram with n_fft {n_fft}; more than {margin} are needed.")
    with torch.autocast(audio.device.type, enabled=False):
        return _magnitudes(functional.pad(audio.float(), (margin, margin), mode="reflect"), n_fft, hop_length)


def mel_of(spec: torch.Tensor, *, sample_rate: int, n_fft: int, n_mels: int) -> torch.Tensor:
    """Natural logarithm of the mel bands (B, M, T) of magnitudes (B, F, T): Slaney's bands from 0 Hz to half the sample rate."""
    with torch.autocast(spec.device.type, enabled=False):
        bands = _mel_filters(sample_rate, n_fft, n_mels, spec.device) @ spec.float()
        return bands.clamp(min=MEL_FLOOR).log()


def mel_spectrogram(audio: torch.Tensor, *, sample_rate: int, n_fft: int, hop_length: int, n_mels: int) -> torch.Tensor:
    """``mel_of`` the ``linear_spectrogram`` of ``audio``: (B, M, T)."""
    spec = linear_spectrogram(audio, n_fft=n_fft, hop_length=hop_length)
    return mel_of(spec, sample_rate=sample_rate, n_fft=n_fft, n_mels=n_mels)


def multiscale_mels(audio: torch.Tensor, *, sample_rate: int) -> Iterator[torch.Tensor]:
    """Base-10 logarithm of the mel bands (B, M, T) of ``audio`` (B, N) or (B, 1, N), at one after another of ``RESOLUTIONS``.

    Frames are centred on their samples: T is 1 + N // hop. ``ValueError`` when ``audio`` is shorter than the longest window's reflection.
    """
    audio, longest = audio.flatten(0, -2), RESOLUTIONS[-1][0]
    if audio.shape[-1] <= longest // 2:
        raise ValueError(f"{audio.shape[-1]} samples are too short for spectrograms of up to n_fft {longest}; more than {longest // 2} "
                         "are needed.")
    for n_fft, n_mels in RESOLUTIONS:
        with torch.autocast(audio.device.type, enabled=False):
            padded = functional.pad(audio.float(), (n_fft // 2, n_fft // 2), mode="reflect")
            bands = _mel_filters(sample_rate, n_fft, n_mels, audio.device) @ _magnitudes(padded, n_fft, n_fft // 4)
            mel = bands.clamp(min=MEL_FLOOR).log10()
        yield mel


def _magnitudes(padded: torch.Tensor, n_fft: int, hop_length: int) -> torch.Tensor:
    """(B, F, T) of float32 (B, N)"""
    window = _window(n_fft, padded.device)
    bins = torch.stft(padded, n_fft, hop_length=hop_length, win_length=n_fft, window=window, center=False, return_complex=True)
    return torch.sqrt(bins.real.square() + bins.imag.square() + MAGNITUDE_EPS)


@lru_cache(maxsize=64)  # seven resolutions on each of several devices
def _window(n_fft: int, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):  # kept for the training step too, whoever asks first
        return torch.hann_window(n_fft, dtype=torch.float32, device=device)


@lru_cache(maxsize=64)
def _mel_filters(sample_rate: int, n_fft: int, n_mels: int, device: torch.device) -> torch.Tensor:
    import librosa  # takes seconds, and a worker that only reads clips needs none of it

    with warnings.catch_warnings():  # at the finest resolutions some of the lowest bands are narrower than a bin; Applio has them empty too
        warnings.filterwarnings("ignore", message="Empty filters detected")
        filters = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=0.0, fmax=sample_rate / 2)
    with torch.inference_mode(False):
        return torch.from_numpy(filters).to(device)
