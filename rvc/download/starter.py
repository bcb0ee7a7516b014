"""The pretrain that comes with the studio: G_starter.pth, D_starter.pth and starter.json in ``assets/starter``, where they are. No torch.

``recipes/base`` made it. It is for first steps and for machines that reach no model hub.
"""

from functools import lru_cache
from pathlib import Path

from rvc.download import sidecar
from rvc.download.looks import fault_of
from rvc.download.sidecar import Network, Sidecar
from rvc.errors import FormatError, MissingAssetError
from rvc.paths import Home, restored_by

NAME = "starter"
# What this version of the studio expects it to be.
NETWORK = Network(24000, "v2", True, "HiFi-GAN", "builtin", "small")


def weights(home: Home) -> dict[str, Path]:
    """Where G and D are, by their letter."""
    return {letter: home.starter / f"{letter}_{NAME}.pth" for letter in "GD"}


def present(home: Home) -> bool:
    """Whether anything of it is here: then what is missing of it was lost, and is not a studio without one."""
    return any(path.exists() for path in _files(home))


def read(home: Home) -> Sidecar | None:
    """What is known of the pair; ``None`` for a studio that has none.

    ``MissingAssetError`` for a file that is gone and ``FormatError`` for one that is not what it was name the file and restore it.
    """
    if not present(home):
        return None
    for path in _files(home):
        _refuse_broken(path)
    about = _about(home.starter / f"{NAME}.json")
    for letter, path in weights(home).items():
        status = path.stat()
        if _digest(path, status.st_size, status.st_mtime_ns) != about.sha256.get(letter):
            raise FormatError(f"{path} is damaged or of another version: its checksum is another one.", fix=restored_by(path))
    return about


def fault(home: Home) -> FormatError | MissingAssetError | None:
    """What is wrong with the pair, for lists that show the rest beside it; ``None`` also for a studio that has none."""
    try:
        read(home)
    except (FormatError, MissingAssetError) as error:
        return error
    return None


def _files(home: Home) -> list[Path]:
    return [*weights(home).values(), home.starter / f"{NAME}.json"]


def _refuse_broken(path: Path) -> None:
    if not path.is_file():
        raise MissingAssetError(f"{path}, a part of the pretrain that comes with the studio, is missing.", fix=restored_by(path))
    if fault := fault_of(path):
        raise FormatError(f"{path} {fault}.", fix=restored_by(path))


def _about(path: Path) -> Sidecar:
    try:
        about = sidecar.read(path)
    except FormatError as error:
        raise FormatError(error.message, fix=restored_by(path)) from error
    if differences := about.network.differences(NETWORK):
        name, (has, wanted) = next(iter(differences.items()))
        raise FormatError(f"{path} is of another version: its {name} is {has}; this version of the studio needs {wanted}.",
                          fix=restored_by(path))
    return about


@lru_cache(maxsize=4)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    return sidecar.digest(path)
