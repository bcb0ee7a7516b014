"""Stage *extract*: f0 and content features of every clip, in batches of clips of equal length.

Equal lengths need no padding and no mask, so a clip's features do not depend on which clips it was batched with.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile
import torch

from rvc.embedders.registry import Embedder
from rvc.errors import DatasetError
from rvc.events import Event, Note, Progress
from rvc.f0.registry import Detector
from rvc.paths import storage_error

BATCH_SECONDS = {"cpu": 12.0, "mps": 24.0, "cuda": 96.0}  # of audio at once: what small machines of each kind hold with ease


@dataclass(frozen=True)
class ExtractFolders:
    """Where the stage reads and writes."""

    clips_16k: Path
    f0: Path
    features: Path


@dataclass
class ExtractReport:
    """What became of the clips. ``left_out`` holds a reason for each clip that cannot be trained on."""

    clips: int
    voiced_fraction: float
    left_out: dict[str, str]


@dataclass(frozen=True)
class Extractor:
    """The two models that look at a clip."""

    detector: Detector | None  # None for a voice without pitch guidance
    embedder: Embedder
    device: torch.device

    def run(self, folders: ExtractFolders, stop: Callable[[], bool]) -> Iterator[Event | ExtractReport]:
        """Progress, then the report as the last item. Ends early, without a report, when ``stop`` says so."""
        clips = sorted(folders.clips_16k.glob("*.wav"))
        if not clips:
            raise DatasetError(f"There are no clips in {folders.clips_16k}.")
        done, voiced, frames, left_out = 0, 0, 0, {}
        for batch in batches(clips, BATCH_SECONDS[self.device.type] * 16_000):
            if stop():
                return
            samples = np.stack([soundfile.read(clip, dtype="float32")[0] for clip in batch])
            tracks = self.detector.detect_batch(samples) if self.detector else [None] * len(batch)
            features = self.embedder.extract(samples)
            for clip, track, content in zip(batch, tracks, features, strict=True):
                if reason := _unusable(track, content):
                    left_out[clip.stem] = reason
                    yield Note(level="warning", message=f"{clip.stem} is left out: {reason}.")
                    continue
                _write(folders, clip.stem, track, content)
                voiced += 0 if track is None else int(track.voiced.sum())
                frames += 2 * len(content)
            done += len(batch)
            yield Progress(stage="extract", done=done, total=len(clips), unit="clips")
        if len(left_out) == len(clips):
            raise DatasetError("Not one clip has usable features.",
                               fix="Look at the warnings above: the recordings or the embedder are broken.")
        yield ExtractReport(len(clips) - len(left_out), voiced / max(frames, 1), left_out)


def batches(clips: list[Path], samples_at_once: float) -> Iterator[list[Path]]:
    """Clips of equal length together, at most ``samples_at_once`` of audio in a batch, one clip at least."""
    lengths = {clip: soundfile.info(clip).frames for clip in clips}
    for length, group in groupby(sorted(clips, key=lambda clip: (-lengths[clip], clip.name)), key=lengths.__getitem__):
        members, size = list(group), max(1, int(samples_at_once // length))
        yield from (members[start : start + size] for start in range(0, len(members), size))


def _unusable(track, content: np.ndarray) -> str | None:
    if not np.isfinite(content).all():
        return "its content features are not finite"
    if track is not None and not np.isfinite(track.hz).all():
        return "its pitch is not finite"
    return None


def _write(folders: ExtractFolders, name: str, track, content: np.ndarray) -> None:
    try:
        if track is not None:
            np.save(folders.f0 / f"{name}.npy", track.hz.astype(np.float32))
        np.save(folders.features / f"{name}.npy", content.astype(np.float32))
    except OSError as error:
        raise storage_error(folders.features / f"{name}.npy", error) from error
