"""FCPE against the wheel's own entry point, and that loading it leaves the process as it was."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchfcpe
from torchfcpe.models_infer import InferCFNaiveMelPE
from torchfcpe.tools import DotDict

from rvc.f0.fcpe import Fcpe
from tests.f0.conftest import CPU, tone


@pytest.fixture(scope="module")
def wheels_own():
    path = Path(torchfcpe.__file__).parent / "assets" / "fcpe_c_v001.pt"
    content = torch.load(path, map_location="cpu", weights_only=True)
    content["config_dict"]["model"].update(conv_dropout=0.0, atten_dropout=0.0)
    return InferCFNaiveMelPE(DotDict(content["config_dict"]), content["model"]).eval()


@pytest.mark.parametrize("n", [8000, 8001, 12_345])
def test_pitch_is_what_the_wheel_finds(fcpe, wheels_own, n):
    samples = (tone(180, 1.0) + np.random.default_rng(0).normal(0, 0.01, 16_000).astype(np.float32))[:n]
    expected = wheels_own(torch.from_numpy(samples)[None, :, None], 16_000)[0, :, 0].numpy()
    track = fcpe.detect(samples)
    heard = (expected >= 50) & (expected <= 1100)
    assert np.allclose(track.hz, np.where(heard, expected, 0), rtol=1e-4)


def test_the_mel_spectrogram_is_the_wheels(fcpe, wheels_own):
    samples = torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, 9999).astype(np.float32))[None]
    assert torch.allclose(fcpe.mel(samples), wheels_own.wav2mel(samples[..., None], 16_000), atol=1e-5)


def test_loading_prints_nothing_and_leaves_the_environment_alone(monkeypatch, capfd):
    for module in [name for name in sys.modules if name.split(".")[0] == "torchfcpe"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    before = dict(os.environ)
    Fcpe(CPU)
    assert dict(os.environ) == before
    assert capfd.readouterr().out == ""
