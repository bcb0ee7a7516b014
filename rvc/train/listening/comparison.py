"""Two files at equal loudness, to be heard against each other: the louder of two sounds seems the better one, whatever else they are.

Loudness is the integrated loudness of ITU-R BS.1770-4, in LUFS. Nothing heavy is imported before two files are compared.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rvc.errors import AudioError
from rvc.train.run import fingerprint

if TYPE_CHECKING:
    from rvc.audio import Audio

TARGET_LUFS = -20.0  # about as loud as speech on the web
CEILING = 0.98  # of full scale: where one of the two would be above it, both are made quieter
KEPT_FILES = 60  # of the newest comparisons
_BLOCK_SECONDS = 0.4  # what the measure needs at least


def at_equal_loudness(first: Path, second: Path, folder: Path) -> tuple[Path, Path]:
    """Copies of both in ``folder`` whose integrated loudness is the same and whose peaks are below full scale.

    Their names say nothing about which is which, for blind listening. They are made once, and the oldest of many are removed.
    ``AudioError`` when one cannot be read or is silent.
    """
    copies = tuple(folder / f"{fingerprint(_mark(one), _mark(other))}.flac" for one, other in ((first, second), (second, first)))
    if not all(copy.exists() for copy in copies):
        _make((first, second), copies)
        _remove_oldest(folder)
    return copies


def _make(sources: tuple[Path, Path], copies: tuple[Path, Path]) -> None:
    from rvc import audio

    sounds = [audio.load(source) for source in sources]
    loudnesses = [loudness(sound, source.name) for sound, source in zip(sounds, sources, strict=True)]
    reachable = [lufs + _decibels(CEILING / sound.peak) for lufs, sound in zip(loudnesses, sounds, strict=True)]
    target = min(TARGET_LUFS, *reachable)
    for sound, lufs, copy in zip(sounds, loudnesses, copies, strict=True):
        audio.save(copy, sound.scaled(10 ** ((target - lufs) / 20)))


def loudness(sound: "Audio", name: str) -> float:
    """Integrated loudness in LUFS. Shorter than the measure's block, a sound counts as loud as it would be when it is repeated."""
    import pyloudnorm

    shortest = int(np.ceil(_BLOCK_SECONDS * sound.sample_rate)) + 1
    samples = sound.samples if len(sound) >= shortest else np.resize(sound.samples, shortest)
    with np.errstate(divide="ignore"):  # the logarithm of silence
        lufs = pyloudnorm.Meter(sound.sample_rate, block_size=_BLOCK_SECONDS).integrated_loudness(samples.astype(np.float64))
    if not np.isfinite(lufs):
        raise AudioError(f"{name} is silent: there is nothing to compare.")
    return float(lufs)


def _decibels(ratio: float) -> float:
    return 20 * float(np.log10(ratio))


def _mark(path: Path) -> tuple[str, int, int]:
    if not path.exists():
        raise AudioError(f"There is no file {path}.")
    found = path.stat()
    return str(path.resolve()), found.st_size, found.st_mtime_ns


def _remove_oldest(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.flac"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in newest_first[KEPT_FILES:]:
        path.unlink(missing_ok=True)
