"""Pairs of base models ("pretrains") on the disk: a generator G and a discriminator D. No torch: files are told apart by their names.

Official pairs have the names that RVC and Applio gave them (f0G40k.pth, f0D40k.pth). What people share is named in many ways; nearly all
have in common that the two names differ in one letter, G against D: G_x and D_x, x_G and x_D, f0G40kTitan and f0D40kTitan. Pairs that
were made here have a small JSON beside them (``sidecar.py``), which is believed before the names.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from rvc.download import sidecar, starter
from rvc.download.looks import is_checkpoint
from rvc.download.sidecar import Network, Sidecar
from rvc.errors import FormatError, SettingsError
from rvc.paths import Home, checked_name, write_text_whole, written_whole

# All official pairs, and nearly all that people share, were trained on ContentVec features.
OFFICIAL_EMBEDDER = "contentvec"

_OFFICIAL_FOLDERS = {"v2": "hifi-gan", "v1": "v1"}
_SAMPLE_RATES_KHZ = (40, 48, 32)  # in the order in which they are offered
_WORDS = {"generator": "G", "discriminator": "D"}
_SEPARATORS = " _-.()[]"
_NAMELESS = "pair"  # what G.pth and D.pth are called
_RESERVED = re.compile(r"auto|scratch|v[12](-f0)?-\d\dk")  # what base_model takes beside the names of custom pairs


@dataclass(frozen=True)
class BasePair:
    """A G and a D that belong together.

    ``network`` is what is known of them: by the JSON beside them, else by their names, which of a custom pair never say the version of
    RVC ("v2" in a name is its own). ``complaint`` says why a JSON that is there is not believed.
    """

    name: str
    g_path: Path
    d_path: Path
    network: Network
    source: Literal["official", "starter", "custom"]
    sidecar: Sidecar | None = None
    complaint: str = ""

    @property
    def sample_rate(self) -> int | None:
        return self.network.sample_rate

    @property
    def version(self) -> str | None:
        return self.network.version

    @property
    def pitch_guidance(self) -> bool | None:
        return self.network.pitch_guidance

    @property
    def sidecar_path(self) -> Path | None:
        return sidecar.path_beside(self.g_path)


@dataclass(frozen=True)
class Half:
    """A file whose other half is not there. ``name`` is what the pair would be called, ``lacking`` the file that is missing.

    ``None``: its own name does not say which of the two it is.
    """

    name: str
    path: Path
    lacking: Path | None

    @property
    def sentence(self) -> str:
        if self.lacking is None:
            return f"The name of {self.path.name} says neither G nor D."
        return f"There is {self.path.name} but no {self.lacking.name} in {self.path.parent.name}."


def base_pairs(home: Home) -> list[BasePair]:
    """Every whole pair: the official ones under the ids of the catalogue, the one that comes with the studio, then the user's own, which
    may lie in sub-folders. A damaged one that came with the studio is left out: ``starter.fault`` says why.
    """
    return [*_official(home), *_starter(home), *_custom(home)]


def halves(home: Home) -> list[Half]:
    """Files that miss their other half, the user's own and official ones."""
    paired = {path for pair in base_pairs(home) for path in (pair.g_path, pair.d_path)}
    return [*_official_halves(home), *(_half(path, home) for path in _weights_below(home.custom_pretraineds) if path not in paired)]


def new_pair(home: Home, name: str) -> BasePair:
    """Where a new pair of that name goes. ``SettingsError`` for a name that cannot be or is taken; nothing is ever written over."""
    name = checked_name(name, what="pretrain")
    pair = _pair(home.custom_pretraineds / f"G_{name}.pth", home.custom_pretraineds / f"D_{name}.pth", name)
    if _RESERVED.fullmatch(name):
        raise SettingsError(f"{name!r} is a word of the studio's own.", fix="Choose another name.")
    if _name_of(pair.g_path, home) != name:  # it would be found under that one
        raise SettingsError(f"{name!r} cannot be a pretrain name.", fix=f"{_name_of(pair.g_path, home)!r} can.")
    if any(one.name.lower() == name.lower() for one in base_pairs(home)):
        raise SettingsError(f"There is a pretrain {name!r} already.", fix="Choose another name.")
    for path in (pair.g_path, pair.d_path, pair.sidecar_path):
        if path.exists():
            raise SettingsError(f"There is a file {path.name} in {path.parent.name} already.", fix="Choose another name.")
    return pair


def import_pair(g: Path, d: Path, home: Home, name: str) -> BasePair:
    """Copy a user's G and D into pretraineds_custom as ``name``. What the networks hold is compared when a run starts from them.

    Errors: ``SettingsError`` (the name), ``FormatError`` (a file that is no PyTorch checkpoint, or names of two models),
    ``StorageError``. Nothing is copied then.
    """
    pair = new_pair(home, name)
    if g.resolve() == d.resolve():
        raise SettingsError("G and D are the same file.", fix="A pretrain is two files: the generator G and the discriminator D.")
    for path in (g, d):
        if not path.is_file():
            raise FormatError(f"{path} does not exist.")
        if not is_checkpoint(path):
            raise FormatError(f"{path.name} is no PyTorch checkpoint, or is cut off.")
    _refuse_two_models(g, d)
    _copy(g, pair.g_path)
    try:
        _copy(d, pair.d_path)
        _copy_sidecar(g, pair)
    except BaseException:  # also when interrupted: half a pair is of no use
        for path in (pair.g_path, pair.d_path):
            path.unlink(missing_ok=True)
        raise
    return _pair(pair.g_path, pair.d_path, pair.name)


def _official(home: Home) -> Iterator[BasePair]:
    return (pair for pair in _official_places(home) if pair.g_path.is_file() and pair.d_path.is_file())


def _starter(home: Home) -> Iterator[BasePair]:
    if starter.fault(home) is None and (about := starter.read(home)):
        g, d = starter.weights(home).values()
        yield BasePair(starter.NAME, g, d, about.network, "starter", about)


def _official_halves(home: Home) -> Iterator[Half]:
    for pair in _official_places(home):
        there = [path for path in (pair.g_path, pair.d_path) if path.is_file()]
        if len(there) == 1:
            yield Half(pair.name, there[0], pair.d_path if there[0] == pair.g_path else pair.g_path)


def _official_places(home: Home) -> Iterator[BasePair]:
    """Every official pair, where it lies once it is installed."""
    for (version, folder), pitch, khz in product(_OFFICIAL_FOLDERS.items(), (True, False), _SAMPLE_RATES_KHZ):
        prefix = "f0" if pitch else ""
        g, d = (home.pretraineds / folder / f"{prefix}{letter}{khz}k.pth" for letter in "GD")
        network = Network(khz * 1000, version, pitch, "HiFi-GAN", OFFICIAL_EMBEDDER, "standard")
        yield BasePair(f"{version}-{prefix + '-' if pitch else ''}{khz}k", g, d, network, "official")


def _custom(home: Home) -> list[BasePair]:
    paths = _weights_below(home.custom_pretraineds)
    folders = sorted({path.parent for path in paths})
    pairs = [_pair(g, d, _name(folder, rest, home))
             for folder in folders for rest, g, d in _matched([path for path in paths if path.parent == folder])]
    times = Counter(pair.name for pair in pairs)  # G_x and x_G side by side: then the whole file name tells them apart
    if starter.present(home):
        times[starter.NAME] += 1
    named = [replace(pair, name=_name(pair.g_path.parent, pair.g_path.stem, home)) if times[pair.name] > 1 else pair for pair in pairs]
    return sorted(named, key=lambda pair: pair.name.lower())


def _weights_below(folder: Path) -> list[Path]:
    """Without what is being written just now."""
    return sorted(path for path in folder.rglob("*.pth") if not path.name.startswith("."))


def _pair(g: Path, d: Path, name: str) -> BasePair:
    by_name = Network(sample_rate=_said_rate(g.stem), pitch_guidance=True if "f0" in g.stem.lower() else None)
    path = sidecar.path_beside(g)
    if path is None or not path.is_file():
        return BasePair(name, g, d, by_name, "custom")
    try:
        about = sidecar.read(path)
    except FormatError as error:  # the weights may be fine: the pair counts as one without a JSON
        return BasePair(name, g, d, by_name, "custom", complaint=error.message)
    return BasePair(name, g, d, about.network, "custom", about)


def _half(path: Path, home: Home) -> Half:
    places = sorted(_places(path), key=lambda place: place[0])
    if not places:
        return Half(_name(path.parent, path.stem, home), path, None)
    _, letter, before, after, _ = places[0]
    lacking = path.with_name(f"{before}{'D' if letter == 'G' else 'G'}{after}{path.suffix}")
    return Half(_name(path.parent, _joined(before, after), home), path, lacking)


def _name_of(path: Path, home: Home) -> str:
    return _half(path, home).name


def _refuse_two_models(g: Path, d: Path) -> None:
    """Two names that each say which model they are of must say the same."""
    said = [{_joined(before, after).lower() for buried, letter, before, after, _ in _places(path) if letter == wanted and not buried}
            - {_NAMELESS} for path, wanted in ((g, "G"), (d, "D"))]
    rates = [_said_rate(path.stem) for path in (g, d)]
    if (all(said) and not said[0] & said[1]) or (all(rates) and rates[0] != rates[1]):
        raise FormatError(f"{g.name} and {d.name} are of two models, by their names.", fix="Take the G and the D of one pretrain.")


def _copy_sidecar(g: Path, pair: BasePair) -> None:
    path = sidecar.path_beside(g)
    if path and path.is_file():
        write_text_whole(pair.sidecar_path, sidecar.read(path).model_copy(update={"name": pair.name}).text())


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
    return "_".join(parts) or _NAMELESS


def _name(folder: Path, rest: str, home: Home) -> str:
    """Two folders may hold files of one name, so the folder belongs to it."""
    return (folder.relative_to(home.custom_pretraineds) / rest).as_posix()


def _said_rate(stem: str) -> int | None:
    found = re.search(r"(24|32|40|48)(?:k|000)", stem, flags=re.IGNORECASE)
    return int(found[1]) * 1000 if found else None


def _copy(source: Path, target: Path) -> None:
    with written_whole(target) as temporary:
        shutil.copyfile(source, temporary)
