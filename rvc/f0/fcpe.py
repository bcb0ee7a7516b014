"""FCPE (Luo et al., "FCPE: A Fast Context-based Pitch Estimation Model", 2025) with the network and weights of the wheel torchfcpe.

The wheel's own entry points print to the terminal, so its network is filled here, and the mel spectrogram is made here.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rvc import checkpoint
from rvc.errors import FormatError
from rvc.f0.detector import HOP, SAMPLE_RATE, Detector

_THRESHOLD = 0.006  # of the best bin's salience: Applio's and RVC's choice
_N_FFT = 1024
_N_MELS = 128


class Fcpe(Detector):
    """FCPE as a detector on ``device``."""

    name = "fcpe"

    def __init__(self, device: torch.device) -> None:
        self._device = torch.device(device)
        self._network = _network().to(self._device)
        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=_N_FFT, n_mels=_N_MELS, fmin=0, fmax=SAMPLE_RATE / 2)
        self._filters = torch.from_numpy(filters).to(self._device)
        self._hann = torch.hann_window(_N_FFT, device=self._device)

    @torch.inference_mode()
    def _frequencies(self, batch: np.ndarray) -> np.ndarray:
        mel = self.mel(torch.from_numpy(batch).to(self._device))
        return self._network.infer(mel, decoder="local_argmax", threshold=_THRESHOLD)[..., 0].cpu().numpy()

    def mel(self, samples: Tensor) -> Tensor:
        """Log-mel spectrogram as FCPE was trained on. [B, n] -> [B, n // 160 + 1, 128]"""
        around = ((_N_FFT - HOP) // 2, (_N_FFT - HOP + 1) // 2)
        padded = functional.pad(samples[:, None], around, mode="reflect")[:, 0]
        spectrum = torch.stft(padded, _N_FFT, HOP, window=self._hann, center=False, return_complex=True)
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        mel = (self._filters @ magnitude).clamp(min=1e-5).log().transpose(1, 2)
        wanted = samples.shape[1] // HOP + 1  # one more than these windows make: the last is repeated
        return torch.cat([mel, mel[:, -1:]], dim=1)[:, :wanted]


def _network() -> torch.nn.Module:
    """The wheel's network with the wheel's weights."""
    models = _imported_quietly()
    path = Path(find_spec("torchfcpe").submodule_search_locations[0]) / "assets" / "fcpe_c_v001.pt"
    content = checkpoint.read(path)
    if not {"config_dict", "model"} <= content.keys():
        raise FormatError(f"{path.name} of the package torchfcpe is not the file it should be.")
    shape = content["config_dict"]["model"]
    network = models.CFNaiveMelPE(
        input_channels=_N_MELS, out_dims=shape["out_dims"], hidden_dims=shape["hidden_dims"], n_layers=shape["n_layers"],
        n_heads=shape["n_heads"], f0_max=shape["f0_max"], f0_min=shape["f0_min"], use_fa_norm=shape["use_fa_norm"],
        conv_only=shape["conv_only"])
    checkpoint.load_state(network, content["model"], what=path.name)
    return network.eval().requires_grad_(False)


def _imported_quietly():
    """``torchfcpe.models``. Importing the package shrinks oneDNN's cache for the whole process by a variable; it is put back."""
    before = os.environ.get("LRU_CACHE_CAPACITY")
    from torchfcpe import models

    if before is None:
        os.environ.pop("LRU_CACHE_CAPACITY", None)
    else:
        os.environ["LRU_CACHE_CAPACITY"] = before
    return models
