"""Tones whose pitch is known, and each detector loaded once."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from rvc.f0 import registry
from rvc.f0.detector import Detector
from rvc.f0.rmvpe import Network, Rmvpe
from rvc.paths import Home

CPU = torch.device("cpu")
BUNDLED = ["fcpe", "crepe", "crepe-tiny", "swift"]  # their weights come with packages; RMVPE's must be downloaded
_loaded: dict[str, Detector] = {}


def tone(f0_hz, seconds: float, *, peak: float = 0.3) -> np.ndarray:
    """Eight harmonics of ``f0_hz``: a number, or one for every sample of 16 kHz."""
    time = np.arange(round(seconds * 16_000))
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(np.asarray(f0_hz, float), time.shape)) / 16_000
    harmonics = sum(np.where(h * np.max(f0_hz) < 7500, 1 / h, 0) * np.sin(h * phase) for h in range(1, 9))
    return (peak * harmonics / np.abs(harmonics).max()).astype(np.float32)


def cents(hz, reference_hz) -> np.ndarray:
    return 1200 * np.log2(np.asarray(hz, float) / reference_hz)


def loaded(name: str) -> Detector:
    if name not in _loaded:
        _loaded[name] = registry.load(name, CPU, Home(Path("nowhere")))
    return _loaded[name]


@pytest.fixture
def fcpe():
    return loaded("fcpe")


@pytest.fixture
def swift():
    return loaded("swift")


@pytest.fixture(scope="session")
def rmvpe() -> Rmvpe:
    """RMVPE with weights from a recipe, of which the reference outputs were made."""
    network = Network()
    network.load_state_dict({name: torch.from_numpy(_drawn(name, value.shape)) for name, value in network.state_dict().items()})
    return Rmvpe(network, CPU)


def _drawn(name: str, shape: torch.Size) -> np.ndarray:
    random = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape))
    if name.endswith("running_var"):
        random = 1 + 0.1 * np.abs(random)
    elif "bias" in name or name.endswith("running_mean"):
        random = 0.02 * random
    elif random.ndim >= 2:
        random = random / np.sqrt(np.prod(random.shape[1:]))
    else:
        random = 1 + 0.05 * random
    return random.astype(np.float32)
