"""Clips as batches: what the preprocess and extract stages wrote, aligned frame by frame.

B batch, T frames (100 per second), F = n_fft/2+1 bins, C content channels, hop samples per frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import psutil
import soundfile
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from rvc.errors import FormatError
from rvc.f0.track import F0Track
from rvc.models.config import ModelConfig
from rvc.train.clips import Clip, ClipSampler
from rvc.train.mel import linear_spectrogram
from rvc.train.run import TrainingRun

CACHE_FRACTION = 0.25  # of the memory that is free when the fit begins


@dataclass(frozen=True)
class Batch:
    """Clips padded with zeros to the longest."""

    content: torch.Tensor  # (B, T, C)
    f0_hz: torch.Tensor | None  # (B, T), 0 = unvoiced; None without pitch guidance
    coarse: torch.Tensor | None  # (B, T), 1..255, 0 = padding
    spec: torch.Tensor  # (B, F, T) magnitudes
    audio: torch.Tensor  # (B, 1, T·hop)
    lengths: torch.Tensor  # (B,) frames
    speaker_id: torch.Tensor  # (B,)

    def to(self, device: torch.device) -> "Batch":
        moved = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in moved.items() if value is not None})

    def pin_memory(self) -> "Batch":  # the name that DataLoader looks for
        held = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(self, **{name: value.pin_memory() for name, value in held.items() if value is not None})


class ClipDataset(Dataset):
    """One item a clip; kept in memory while a quarter of the free memory lasts, read again beyond that."""

    def __init__(self, run: TrainingRun, config: ModelConfig, clips: list[Clip]) -> None:
        self.clips = clips
        self._run, self._config = run, config
        self._kept: dict[int, Batch] = {}
        self._budget_bytes = int(psutil.virtual_memory().available * CACHE_FRACTION)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> Batch:
        if i in self._kept:
            return self._kept[i]
        item = self._read(self.clips[i])
        size = sum(value.nbytes for one in fields(item) if (value := getattr(item, one.name)) is not None)
        if size <= self._budget_bytes:
            self._budget_bytes -= size
            self._kept[i] = item
        return item

    def _read(self, clip: Clip) -> Batch:
        """One clip as a batch of one. The spectrogram sets the length; pitch and content are fitted to it.

        HuBERT gives two frames of a clip less than the spectrogram has: the last one is repeated, at conversion too, so that
        nothing of a short clip is thrown away.
        """
        hop, samples = self._config.hop_length, _samples(self._run.clips / f"{clip.name}.wav", self._config.sample_rate)
        frames = len(samples) // hop
        wanted = max(frames, self._config.segment_frames)  # a clip shorter than the segment that is compared ends in silence
        audio = functional.pad(torch.from_numpy(samples[: frames * hop]), (0, (wanted - frames) * hop))[None, None]
        track = F0Track(np.load(self._run.f0 / f"{clip.name}.npy")).fitted(wanted) if self._config.pitch_guidance else None
        return Batch(
            content=_content(self._run.features / f"{clip.name}.npy", wanted, self._config.content_channels)[None],
            f0_hz=torch.from_numpy(track.hz.copy())[None] if track is not None else None,
            coarse=torch.from_numpy(track.coarse())[None] if track is not None else None,
            spec=linear_spectrogram(audio[:, 0], n_fft=self._config.n_fft, hop_length=hop),
            audio=audio,
            lengths=torch.tensor([wanted]),
            speaker_id=torch.tensor([clip.speaker_id]),
        )


def collate(items: list[Batch]) -> Batch:
    """Batches of one, side by side; shorter ones padded with zeros at the end of their time axis."""
    frames = max(int(item.lengths) for item in items)
    time_axis = {"content": 1, "f0_hz": 1, "coarse": 1, "spec": 2, "audio": 2}
    joined = {}
    for one in fields(Batch):
        values = [getattr(item, one.name) for item in items]
        if values[0] is None:
            joined[one.name] = None
            continue
        if axis := time_axis.get(one.name):
            values = [_padded(value, axis, value.shape[axis] // int(item.lengths) * frames)
                      for value, item in zip(values, items, strict=True)]
        joined[one.name] = torch.cat(values)
    return Batch(**joined)


def batches(dataset: ClipDataset, sampler: ClipSampler, epoch: int, first: int, device: torch.device) -> Iterator[Batch]:
    """The batches of ``epoch`` from number ``first`` on, on ``device``. The order depends on the seed and the epoch alone."""
    loader = DataLoader(  # in this process: from the second epoch on the clips are in its memory
        dataset, batch_sampler=sampler.epoch(epoch)[first:], collate_fn=collate, pin_memory=device.type == "cuda",
        generator=torch.Generator())  # else the loader draws from the global one, and resuming inside an epoch would differ
    return (batch.to(device) for batch in loader)


def _samples(path: Path, sample_rate: int) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    if rate != sample_rate:
        raise FormatError(f"{path.name} is at {rate} Hz, and the run at {sample_rate} Hz.")
    return samples


def _content(path: Path, frames: int, channels: int) -> torch.Tensor:
    features = np.load(path)
    if features.ndim != 2 or features.shape[1] != channels:
        raise FormatError(f"{path.name} holds features of shape {features.shape}; this voice needs [N, {channels}].")
    at = np.minimum(np.arange(frames) // 2, len(features) - 1)  # 50 to 100 frames a second by repetition
    return torch.from_numpy(features[at])


def _padded(value: torch.Tensor, axis: int, length: int) -> torch.Tensor:
    if value.shape[axis] == length:
        return value
    shape = list(value.shape)
    shape[axis] = length - value.shape[axis]
    return torch.cat((value, value.new_zeros(shape)), dim=axis)
