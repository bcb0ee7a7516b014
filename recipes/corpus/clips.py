"""A corpus on disk: ``<speaker>/<clip>.flac`` at 16 kHz, ``<clip>.phones.csv`` where a synthesiser said them, and one list of all."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000
LIST = "clips.csv"
SHORTEST_SECONDS, QUIETEST_DB = 0.5, -50.0
HELD_OUT_SHARE = 10  # one recording in ten


@dataclass(frozen=True)
class Phone:
    """A speech sound and when it is heard, in seconds."""

    start: float
    stop: float
    name: str


@dataclass(frozen=True, eq=False)
class Clip:
    """One utterance. ``text`` and ``phones`` are empty where nobody said them; ``held_out``: never trained on."""

    speaker: str
    name: str
    samples: np.ndarray
    held_out: bool
    text: str = ""
    phones: tuple[Phone, ...] = ()

    @property
    def is_speech(self) -> bool:
        """Long and loud enough to be any."""
        if len(self.samples) < SHORTEST_SECONDS * SAMPLE_RATE:
            return False
        return 10 * np.log10(np.mean(np.square(self.samples, dtype=np.float64)) + 1e-12) > QUIETEST_DB

    def write(self, folder: Path) -> list[str]:
        """Its files below ``folder``; its line of the list."""
        path = folder / self.speaker / f"{self.name}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.clip(self.samples, -1, 1), SAMPLE_RATE, subtype="PCM_16")
        if self.phones:
            with open(path.with_suffix(".phones.csv"), "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows((f"{one.start:.4f}", f"{one.stop:.4f}", one.name) for one in self.phones)
        seconds = f"{len(self.samples) / SAMPLE_RATE:.2f}"
        return [self.speaker, f"{self.name}.flac", seconds, "held-out" if self.held_out else "train", self.text]


@dataclass(frozen=True)
class Entry:
    """A line of the list."""

    speaker: str
    path: Path
    seconds: float
    held_out: bool
    text: str

    @property
    def language(self) -> str:
        return self.speaker.split("-")[0]

    def samples(self) -> np.ndarray:
        return soundfile.read(self.path, dtype="float32")[0]

    def phones(self) -> list[Phone]:
        """Empty where nobody said them."""
        path = self.path.with_suffix(".phones.csv")
        if not path.is_file():
            return []
        with open(path, newline="", encoding="utf-8") as file:
            return [Phone(float(start), float(stop), name) for start, stop, name in csv.reader(file)]


def write(folder: Path, clips: Iterator[Clip]) -> Iterator[Clip]:
    """Write every clip that is speech as it comes, and the list of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LIST, "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["speaker", "file", "seconds", "split", "text"])
        for clip in clips:
            if clip.is_speech:
                lines.writerow(clip.write(folder))
                yield clip


def read(folder: Path) -> list[Entry]:
    with open(folder / LIST, newline="", encoding="utf-8") as file:
        return [Entry(line["speaker"], folder / line["speaker"] / line["file"], float(line["seconds"]), line["split"] == "held-out",
                      line["text"]) for line in csv.DictReader(file)]


def is_held_out(name: str) -> bool:
    """Of a recording, by its name alone: the same prompt is held out in every language."""
    return crc32(name.encode()) % HELD_OUT_SHARE == 0


def at_16k(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    return soxr.resample(samples, sample_rate, SAMPLE_RATE, quality="VHQ").astype(np.float32)
