"""Pairs of base models ("pretrains") on the disk: a generator G and a discriminator D. No torch: files are told apart by their names.

Official pairs have the names that RVC and Applio gave them (f0G40k.pth, f0D40k.pth). What people share is named in many ways; nearly all
have in common that the two names differ in one letter, G against D: G_x and D_x, x_G and x_D, f0G40kTitan and f0D40kTitan.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from rvc.download.looks import is_checkpoint
from rvc.errors import FormatError, SettingsError
from rvc.paths import Home, checked_name, written_whole

_OFFICIAL_FOLDERS = {"v2": "hifi-gan", "v1": "v1"}
_SAMPLE_RATES_KHZ = (40, 48, 32)  # in the order in which they are offered
_WORDS = {"generator": "G", "discriminator": "D"}
_SEPARATORS = " _-.()[]"
_RESERVED = re.compile(r"auto|scratch|v[12](-f0)?-\d\dk")  # what base_model takes beside the names of custom pairs


@dataclass(frozen=True)
class BasePair:
    """What the files' names say. ``None``: they do not; of a custom pair they never say the version of RVC ("v2" in a name is its own)."""

    name: str
    g_path: Path
    d_path: Path
    sample_rate: int | None
    version: str | None
    pitch_guidance: bool | None
    source: Literal["official", "custom"]


def base_pairs(home: Home) -> list[BasePair]:
    """Every whole pair: the official ones under the ids of the catalogue, then the user's own, which may lie in sub-folders."""
    return [*_official(home), *_custom(home)]


def import_pair(g: Path, d: Path, home: Home, name: str) -> BasePair:
    """Copy a user's G and D into pretraineds_custom as ``name``. What the networks hold is compared when a run starts from them.

    Errors: ``SettingsError`` (the name), ``FormatError`` (a file that is no PyTorch checkpoint), ``StorageError``. Nothing is copied then.
    """
    name = checked_name(name, what="pretrain")
    if _RESERVED.fullmatch(name):
        raise SettingsError(f"{name!r} is a word of the studio's own.", fix="Choose another name.")
    if any(pair.name == name for pair in base_pairs(home)):
        raise SettingsError(f"There is a pretrain {name!r} already.", fix="Choose another name.")
    if g.resolve() == d.resolve():
        raise SettingsError("G and D are the same file.", fix="A pretrain is two files: the generator G and the discriminator D.")
    for path in (g, d):
        if not path.is_file():
            raise FormatError(f"{path} does not exist.")
        if not is_checkpoint(path):
            raise FormatError(f"{path.name} is no PyTorch checkpoint, or is cut off.")
    pair = _pair(home.custom_pretraineds / f"G_{name}.pth", home.custom_pretraineds / f"D_{name}.pth", name)
    _copy(g, pair.g_path)
    try:
        _copy(d, pair.d_path)
    except BaseException:  # also when interrupted: half a pair is of no use
        pair.g_path.unlink()
        raise
    return pair


def _official(home: Home) -> Iterator[BasePair]:
    for (version, folder), pitch, khz in product(_OFFICIAL_FOLDERS.items(), (True, False), _SAMPLE_RATES_KHZ):
        prefix = "f0" if pitch else ""
        g, d = (home.pretraineds / folder / f"{prefix}{letter}{khz}k.pth" for letter in "GD")
        if g.is_file() and d.is_file():
            yield BasePair(f"{version}-{prefix + '-' if pitch else ''}{khz}k", g, d, khz * 1000, version, pitch, "official")


def _custom(home: Home) -> list[BasePair]:
    folders = sorted({path.parent for path in home.custom_pretraineds.rglob("*.pth")})
    pairs = [_pair(g, d, _name(folder, rest, home)) for folder in folders for rest, g, d in _matched(sorted(folder.glob("*.pth")))]
    times = Counter(pair.name for pair in pairs)  # G_x and x_G side by side: then the whole file name tells them apart
    named = [replace(pair, name=_name(pair.g_path.parent, pair.g_path.stem, home)) if times[pair.name] > 1 else pair for pair in pairs]
    return sorted(named, key=lambda pair: pair.name.lower())


def _pair(g: Path, d: Path, name: str) -> BasePair:
    return BasePair(name, g, d, _said_rate(g.stem), None, True if "f0" in g.stem.lower() else None, "custom")


def _matched(paths: list[Path]) -> Iterator[tuple[str, Path, Path]]:
    """Pairs, each with what remains of the name. Every file is in one pair at most: letters that stand alone are matched first."""
    places = [place for path in paths for place in _places(path)]
    discriminators = {(before, after): path for _, letter, before, after, path in places if letter == "D"}
    used: set[Path] = set()
    for _, letter, before, after, path in sorted(places, key=lambda place: place[0]):
        other = discriminators.get((before, after))
        if letter == "G" and other and not {path, other} & used:
            used |= {path, other}
            yield _joined(before, after), path, other


def _places(path: Path) -> Iterator[tuple[int, str, str, str, Path]]:
    """Each letter of the name that may say G or D, with how buried it is: 0 stands alone, 2 has letters on both sides."""
    stem = re.sub("|".join(_WORDS), lambda word: _WORDS[word[0].lower()], path.stem, flags=re.IGNORECASE)
    for at, letter in enumerate(stem):
        if letter.upper() in ("G", "D"):
            before, after = stem[:at], stem[at + 1:]
            buried = before[-1:].isalpha() + after[:1].isalpha()
            yield buried, letter.upper(), before, after, path


def _joined(before: str, after: str) -> str:
    parts = [part for part in (before.strip(_SEPARATORS), after.strip(_SEPARATORS)) if part]
    return "_".join(parts) or "pair"


def _name(folder: Path, rest: str, home: Home) -> str:
    """Two folders may hold files of one name, so the folder belongs to it."""
    return (folder.relative_to(home.custom_pretraineds) / rest).as_posix()


def _said_rate(stem: str) -> int | None:
    found = re.search(r"(24|32|40|48)(?:k|000)", stem, flags=re.IGNORECASE)
    return int(found[1]) * 1000 if found else None


def _copy(source: Path, target: Path) -> None:
    with written_whole(target) as temporary:
        shutil.copyfile(source, temporary)
