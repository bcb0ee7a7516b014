"""How a saved epoch did on the held-out clips, and the file that says so. No torch here.

``eval/<epoch>e_<step>s.json``:

    {"format": 1, "epoch": 20, "step": 4000,
     "scores": {"mel_distance": 0.52, "f0_error_cents": 8.1, "voiced_agreement": 0.97},        means over the clips
     "clips": [{"clip": "0_7_2", "speaker_id": 0, "seconds": 2.9, "mel_distance": 0.49, "f0_error_cents": 7.7, ...}, ...]}

A number that a clip does not have (a pitch error where nothing is voiced twice) is ``null`` there and left out of the mean.
"""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

from rvc.errors import FormatError
from rvc.paths import write_text_whole

FORMAT = 1
NAMES = ("mel_distance", "f0_error_cents", "voiced_agreement")


@dataclass(frozen=True, kw_only=True)
class ClipScores:
    """One clip, spoken again by the voice from its own content and pitch, against the recording.

    ``None`` for pitch without pitch guidance, and for the error where no frame is voiced in both.
    """

    clip: str
    speaker_id: int
    seconds: float
    mel_distance: float  # mean |difference| of ln mel, over bands and frames: 0.1 is a tenth of a neper, 0.87 dB
    f0_error_cents: float | None  # median |difference| over the frames voiced in both: 100 are a semitone
    voiced_agreement: float | None  # share of the frames that are voiced, or unvoiced, in both

    def __post_init__(self) -> None:
        numbers = [getattr(self, name) for name in ("seconds", *NAMES)]
        if not all(one is None or math.isfinite(one) for one in numbers):
            raise ValueError(f"the scores of {self.clip} are not all numbers")


@dataclass(frozen=True)
class EpochScores:
    """All clips of one saved epoch."""

    epoch: int
    step: int
    clips: tuple[ClipScores, ...]

    @property
    def means(self) -> dict[str, float]:
        """By name, over the clips that have the number; a name that no clip has is missing."""
        values = {name: [value for one in self.clips if (value := getattr(one, name)) is not None] for name in NAMES}
        return {name: fmean(held) for name, held in values.items() if held}

    def write(self, path: Path) -> None:
        content = {"format": FORMAT, "epoch": self.epoch, "step": self.step, "scores": self.means,
                   "clips": [asdict(one) for one in self.clips]}
        write_text_whole(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> "EpochScores":
        """``FormatError`` when ``path`` is not such a file."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(int(content["epoch"]), int(content["step"]), tuple(_clip(one) for one in content["clips"]))
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"The scores in {path.name} cannot be read: {error}.") from error


def _clip(row: dict[str, Any]) -> ClipScores:
    """Also refuses text where a number is meant: ``math.isfinite`` raises."""
    return ClipScores(**{one.name: row[one.name] for one in fields(ClipScores)})


def stem(epoch: int, step: int) -> str:
    """What the files of a saved epoch are called, without their suffix."""
    return f"{epoch}e_{step}s"
