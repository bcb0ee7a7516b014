"""The clips of a run as values: the list of them, and the order in which they are learnt from."""

import csv
import io
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from rvc.errors import FormatError, TrainingError
from rvc.paths import write_text_whole
from rvc.train.settings import FitSettings

FRAMES_PER_SECOND = 100
CLIP_NAME = re.compile(r"(\d+)_(\d+)_(\d+)")  # speaker, recording, clip within the recording

_COLUMNS = ("clip", "speaker_id", "seconds", "frames")
_SIMILAR_FRAMES = 50  # clips within half a second of each other count as equally long


@dataclass(frozen=True)
class Clip:
    """``name`` is that of its files without their suffix; ``frames`` are whole ones, 100 per second."""

    name: str
    speaker_id: int
    seconds: float
    frames: int

    @property
    def recording(self) -> int:
        """The number of the recording it was cut from."""
        return int(self.name.split("_")[1])


@dataclass(frozen=True)
class ClipList:
    """Clips of a run, ordered by name: what it is trained on in ``filelist.csv``, what it is scored on in ``heldout.csv``."""

    clips: tuple[Clip, ...]

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def seconds(self) -> float:
        """Together; what neighbouring clips share counts twice."""
        return sum(clip.seconds for clip in self.clips)

    @property
    def speaker_ids(self) -> tuple[int, ...]:
        """The different ones, ascending."""
        return tuple(sorted({clip.speaker_id for clip in self.clips}))

    @property
    def n_speakers(self) -> int:
        """Rows of the speaker table that mean somebody: RVC programs offer the ids from 0 up to this."""
        return max(self.speaker_ids, default=0) + 1

    def refuse_larger_batch(self, batch_size: int) -> None:
        """``TrainingError`` when there are fewer clips than that."""
        if batch_size > len(self):
            raise TrainingError(f"A batch_size of {batch_size} is larger than the {len(self)} clips of this run.",
                                fix=f"Use at most {len(self)}, or more recordings.")

    @classmethod
    def from_folder(cls, clips: Path, leave_out: Container[str] = ()) -> "ClipList":
        """The clips that the preprocess stage wrote to a folder, but for the names in ``leave_out``. Lengths come from their headers."""
        found = []
        for path in sorted(clips.glob("*.wav")):
            name = CLIP_NAME.fullmatch(path.stem)
            if name and path.stem not in leave_out:
                found.append(_clip(path, int(name[1])))
        return cls(tuple(found))

    def parted(self, recordings: Container[int]) -> tuple["ClipList", "ClipList"]:
        """The clips of all other recordings, and those of ``recordings``."""
        within = [clip.recording in recordings for clip in self.clips]
        others = tuple(clip for clip, inside in zip(self.clips, within, strict=True) if not inside)
        return ClipList(others), ClipList(tuple(clip for clip, inside in zip(self.clips, within, strict=True) if inside))

    @classmethod
    def read(cls, path: Path) -> "ClipList":
        """The list in ``path``; a ``FormatError`` says what is wrong with it."""
        if not path.exists():
            raise FormatError(f"There is no list of clips {path}.", fix="Train the run again: its data is then prepared anew.")
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8", errors="replace")))
        if tuple(rows.fieldnames or ()) != _COLUMNS:
            raise FormatError(f"{path} is not a list of clips: its first line is not {','.join(_COLUMNS)}.")
        try:
            return cls(tuple(Clip(row["clip"], int(row["speaker_id"]), float(row["seconds"]), int(row["frames"])) for row in rows))
        except (ValueError, TypeError, csv.Error):
            raise FormatError(f"{path} is damaged in line {rows.line_num}.") from None

    def write(self, path: Path) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerows((clip.name, clip.speaker_id, clip.seconds, clip.frames) for clip in self.clips)
        write_text_whole(path, text.getvalue())


def _clip(path: Path, speaker_id: int) -> Clip:
    try:
        header = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise FormatError(f"The clip {path} cannot be read.", fix="Train the run again: its data is then prepared anew.") from error
    return Clip(path.stem, speaker_id, header.frames / header.samplerate, header.frames * FRAMES_PER_SECOND // header.samplerate)


@dataclass(frozen=True)
class ClipSampler:
    """Batches of clips of similar length, so that little of a batch is padding. No clip is left out or taken twice.

    The order depends on the seed and the epoch alone: a resumed epoch goes on where it was.
    """

    lengths_frames: list[int]
    batch_size: int
    seed: int

    @classmethod
    def of(cls, clips: Iterable[Clip], fit: FitSettings) -> "ClipSampler":
        return cls([clip.frames for clip in clips], fit.batch_size, fit.seed)

    @property
    def batches_per_epoch(self) -> int:
        return -(-len(self.lengths_frames) // self.batch_size)

    def epoch(self, number: int) -> list[list[int]]:
        """Positions in ``lengths_frames``. All batches are full but one, when the clips do not divide evenly."""
        random = np.random.default_rng((self.seed, number))
        shuffled = random.permutation(len(self.lengths_frames))
        similar = np.asarray(self.lengths_frames, dtype=np.int64)[shuffled] // _SIMILAR_FRAMES
        ordered = shuffled[np.argsort(similar, kind="stable")]
        batches = [ordered[start : start + self.batch_size].tolist() for start in range(0, len(ordered), self.batch_size)]
        return [batches[i] for i in random.permutation(len(batches))]
