"""The corpus as a dataset of several speakers: a folder each, no more of one than of another."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from recipes.corpus import clips
from recipes.corpus.clips import Entry

# Buzzing formant synthesisers teach an encoder what a vowel is, and a vocoder nothing that anybody wants to hear.
LEFT_OUT = "espeak"


def build(corpus: Path, folder: Path, minutes_each: float) -> dict[str, float]:
    """Copies of at most ``minutes_each`` minutes of every speaker's clips that may be trained on; minutes by speaker."""
    shutil.rmtree(folder, ignore_errors=True)
    minutes: dict[str, float] = {}
    for entry in chosen(clips.read(corpus), minutes_each):
        target = folder / entry.speaker / entry.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.path, target)
        minutes[entry.speaker] = minutes.get(entry.speaker, 0.0) + entry.seconds / 60
    return minutes


def chosen(entries: list[Entry], minutes_each: float) -> Iterator[Entry]:
    """In an order that depends on the names alone, so that a second build is the same."""
    seconds: dict[str, float] = {}
    usable = (entry for entry in entries if not entry.held_out and LEFT_OUT not in entry.speaker)
    for entry in sorted(usable, key=lambda one: crc32(f"{one.speaker}/{one.path.name}".encode())):
        if seconds.get(entry.speaker, 0.0) + entry.seconds <= 60 * minutes_each:
            seconds[entry.speaker] = seconds.get(entry.speaker, 0.0) + entry.seconds
            yield entry
