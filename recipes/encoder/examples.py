"""Random crops of everything that was prepared: log-mel in, what the student shall say and which sound it is out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipes.encoder import targets
from recipes.encoder.prepare import COPIES, UNKNOWN

CROP_FRAMES, EDGE_FRAMES = 176, 8  # 3.5 s; the edges see too little and are not scored
NO_PHONE = -1


@dataclass(frozen=True)
class Batch:
    mel: Tensor  # float32 (B, N_MELS, 2N)
    target: Tensor  # float32 (B, N, OUTPUT)
    phones: Tensor  # int64 (B, N), NO_PHONE where unknown


@dataclass(frozen=True, eq=False)
class Stream:
    """All utterances of a speaker at one speed each, end to end. ``positions``: of its frames among those of ``features``."""

    mel: np.ndarray  # float16 (N_MELS, 2N)
    positions: np.ndarray  # float32 (N,)
    features: np.ndarray  # float16 (N1, C), shared by the speaker's streams
    phones: np.ndarray  # int (N1,)

    def __len__(self) -> int:
        return len(self.positions)

    def crop(self, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        part = self.positions[start : start + CROP_FRAMES]
        mel = self.mel[:, 2 * start : 2 * (start + CROP_FRAMES)]
        first = int(part.min())
        near = self.features[first : int(part.max()) + 2].astype(np.float32)
        return mel.astype(np.float32), targets.at_times(near, part - first), self.phones[np.rint(part).astype(int)]


@dataclass(frozen=True, eq=False)
class Examples:
    streams: list[Stream]
    phone_names: list[str]

    @classmethod
    def read(cls, work: Path) -> "Examples":
        """Everything prepared in ``work``, with the targets of sentences that several speakers say brought together."""
        files = {path.stem: dict(np.load(path)) for path in sorted(work.glob("*.npz"))}
        features = {speaker: _of_speaker(file) for speaker, file in files.items()}
        features = _brought_together(files, features)
        names = sorted({str(name) for file in files.values() for name in np.unique(file["phones"])} - {UNKNOWN})
        numbers = {UNKNOWN: NO_PHONE} | {name: number for number, name in enumerate(names)}
        return cls([stream for speaker, file in files.items() for stream in _streams(file, features[speaker], numbers)], names)

    def batches(self, size: int, seed: int) -> Iterator[Batch]:
        """Without end; every frame of every stream is as likely as any other."""
        random = np.random.default_rng(seed)
        streams = [stream for stream in self.streams if len(stream) > CROP_FRAMES]
        shares = np.array([len(stream) for stream in streams], float)
        while True:
            chosen = random.choice(len(streams), size, p=shares / shares.sum())
            crops = [streams[one].crop(int(random.integers(len(streams[one]) - CROP_FRAMES))) for one in chosen]
            yield Batch(*(torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)))


def _of_speaker(file: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The standardised features of each utterance."""
    features = targets.standardised(file["features"].astype(np.float32), targets.is_speech(file["mel_0"].astype(np.float32)))
    return np.split(features, np.cumsum(file["lengths"][0])[:-1])


def _brought_together(files: dict[str, dict], features: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """Synthetic speakers of a language say the same sentences under the same number."""
    said: dict[tuple[str, str], list[str]] = {}
    place = {(speaker, str(name)): number for speaker, file in files.items() for number, name in enumerate(file["names"])}
    for speaker, name in place:
        if name.isdecimal():
            said.setdefault((speaker.split("-")[0], name), []).append(speaker)
    together = {speaker: list(parts) for speaker, parts in features.items()}
    for (_, name), speakers in said.items():
        parts = {speaker: features[speaker][place[speaker, name]] for speaker in speakers}
        for speaker, own in parts.items():
            others = [part for other, part in parts.items() if other != speaker]
            together[speaker][place[speaker, name]] = targets.shared(own, others)
    return together


def _streams(file: dict[str, np.ndarray], parts: list[np.ndarray], numbers: dict[str, int]) -> Iterator[Stream]:
    features = np.concatenate(parts).astype(np.float16)
    phones = np.array([numbers[str(name)] for name in file["phones"]])
    starts = np.concatenate(([0], np.cumsum(file["lengths"][0])))
    for copy in range(COPIES):
        positions = [start + np.clip(targets.positions_at(length, speed), 0, own - 1) for start, own, length, speed in
                     zip(starts, file["lengths"][0], file["lengths"][copy], file["speeds"][copy], strict=False)]
        yield Stream(file[f"mel_{copy}"], np.concatenate(positions).astype(np.float32), features, phones)
