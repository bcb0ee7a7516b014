"""Clips as batches: what the preprocess and extract stages wrote, aligned frame by frame.

B batch, T frames (100 per second), F = n_fft/2+1 bins, C content channels, hop samples per frame.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import psutil
import soundfile
import torch
from torch.nn import functional

from rvc.errors import FormatError
from rvc.f0.track import F0Track
from rvc.models.config import ModelConfig
from rvc.models.speech import Speech
from rvc.train.data.clips import Clip, ClipSampler
from rvc.train.fitting.mel import linear_spectrogram
from rvc.train.fitting.ranks import ALONE, Ranks
from rvc.train.run import TrainingRun

CACHE_FRACTION = 0.25  # of the memory that is free when the fit begins
GPU_CACHE_FRACTION = 0.5  # of the GPU's: the networks, their gradients and two moments need the rest
_READ_AHEAD = 2  # batches that wait, ready, while a GPU computes


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

    @property
    def speech(self) -> Speech:
        """What the voice is asked to say; ``spec`` and ``audio`` are how it was said."""
        return Speech(content=self.content, lengths=self.lengths, coarse=self.coarse, f0_hz=self.f0_hz, speaker_id=self.speaker_id)

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for value in self._held().values())

    def to(self, device: torch.device) -> "Batch":
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in self._held().items()})

    def pinned(self) -> "Batch":
        """In memory that a GPU can copy from while it computes."""
        return replace(self, **{name: value.pin_memory() for name, value in self._held().items()})

    def _held(self) -> dict[str, torch.Tensor]:
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}


@dataclass(frozen=True)
class Part:
    """Clips that are computed at once: all of a batch, or some of it.

    ``places`` are where the clips stand in the batch of the whole step, and ``n_clips`` and ``n_frames`` the size of that batch: what
    a mean over a part must be weighted by, so that the parts add up to the whole.
    """

    items: tuple[Batch, ...]  # of one clip each
    places: tuple[int, ...]
    frames: tuple[int, ...]  # of each clip
    n_clips: int
    n_frames: int

    def __len__(self) -> int:
        return len(self.items)

    def parts(self, size: int) -> Iterator["Part"]:
        """This, ``size`` clips at a time."""
        for start in range(0, len(self), size):
            stop = start + size
            yield replace(self, items=self.items[start:stop], places=self.places[start:stop], frames=self.frames[start:stop])

    def batch(self, device: torch.device) -> Batch:
        return collate(list(self.items)).to(device)


class ClipDataset:
    """One batch of one for every clip.

    Clips stay in the memory of ``cache``, a GPU, when all of them fit into half of it. Else they stay in this machine's memory while
    a quarter of what is free lasts, and are read again beyond that.
    """

    def __init__(self, run: TrainingRun, config: ModelConfig, clips: list[Clip], cache: torch.device | None = None) -> None:
        self.clips = clips
        self._run, self._config = run, config
        self._kept: dict[int, Batch] = {}
        self.cache = cache if cache and self._estimated_bytes() < _free_gpu_bytes(cache) * GPU_CACHE_FRACTION else None
        self._budget_bytes = int(psutil.virtual_memory().available * CACHE_FRACTION)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, i: int) -> Batch:
        if i in self._kept:
            return self._kept[i]
        item = self._read(self.clips[i])
        if self.cache:
            item = item.to(self.cache)
        elif item.nbytes > self._budget_bytes:
            return item
        else:
            self._budget_bytes -= item.nbytes
        self._kept[i] = item
        return item

    def frames(self, i: int) -> int:
        """How long clip ``i`` is as a batch of one."""
        return max(self.clips[i].frames, self._config.segment_frames)

    def _estimated_bytes(self) -> int:
        values_per_frame = self._config.spec_channels + self._config.content_channels + self._config.hop_length + 3
        return 4 * values_per_frame * sum(clip.frames for clip in self.clips)

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
    lengths = [item.spec.shape[-1] for item in items]  # not from ``lengths``: a GPU would have to be waited for
    frames = max(lengths)
    time_axis = {"content": 1, "f0_hz": 1, "coarse": 1, "spec": 2, "audio": 2}
    joined = {}
    for one in fields(Batch):
        values = [getattr(item, one.name) for item in items]
        if values[0] is None:
            joined[one.name] = None
            continue
        if axis := time_axis.get(one.name):
            values = [_padded(value, axis, value.shape[axis] // length * frames) for value, length in zip(values, lengths, strict=True)]
        joined[one.name] = torch.cat(values)
    return Batch(**joined)


def parts(dataset: ClipDataset, sampler: ClipSampler, epoch: int, first: int, ranks: Ranks = ALONE) -> Iterator[Part]:
    """What this process computes of each batch of ``epoch`` from number ``first`` on. The order depends on the seed and the epoch alone.

    The clips of a batch go round the processes; the last batch of an epoch may leave one of them without any.
    """
    for chosen in sampler.epoch(epoch)[first:]:
        places = tuple(range(ranks.index, len(chosen), ranks.count))
        items = tuple(dataset[chosen[place]] for place in places)
        lengths = [dataset.frames(position) for position in chosen]
        yield Part(items, places, tuple(lengths[place] for place in places), len(chosen), sum(lengths))


def read_ahead(source: Iterator[Part], device: torch.device) -> Iterator[Part]:
    """``source``, read and sent to ``device`` by a thread of its own while the GPU computes."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        waiting = deque(reader.submit(_next_on, device, source) for _ in range(_READ_AHEAD))
        while (part := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(_next_on, device, source))
            yield part


def _next_on(device: torch.device, source: Iterator[Part]) -> Part | None:
    part = next(source, None)
    if part is None:
        return None
    return replace(part, items=tuple(item if item.audio.device == device else item.pinned().to(device) for item in part.items))


def _free_gpu_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


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
