"""Where things live, which names are safe, and how files appear whole.

Ground floor: standard library only.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rvc.errors import SettingsError, StorageError

PROJECT = Path(__file__).resolve().parent.parent
ASSETS = PROJECT / "assets"

MAX_NAME_LENGTH = 100
# Device names that Windows refuses as files or folders, whatever the extension.
_WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in "123456789¹²³")}
# Folders that Applio and RVC keep beside the runs under logs/.
_TAKEN = {"mute", "reference", "zips"}
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


@dataclass(frozen=True)
class Home:
    """The folder that holds a person's runs and weights: the checkout itself, or ``TIMBRE_HOME`` when that is set.

    ``starter`` holds the pretrain and the voices that come with the studio; ``TIMBRE_STARTER`` names another folder, which may be empty.
    """

    root: Path
    starter: Path = field(default_factory=lambda: Path(os.environ.get("TIMBRE_STARTER") or ASSETS / "starter").expanduser().resolve())

    @classmethod
    def here(cls) -> "Home":
        return cls(Path(os.environ.get("TIMBRE_HOME") or PROJECT).expanduser().resolve())

    @property
    def logs(self) -> Path:
        """One folder per run or imported voice."""
        return self.root / "logs"

    @property
    def pretraineds(self) -> Path:
        """Official base models, embedders and pitch detectors."""
        return self.root / "pretraineds"

    @property
    def custom_pretraineds(self) -> Path:
        """The user's own base models: G/D files."""
        return self.pretraineds / "pretraineds_custom"

    @property
    def embedders(self) -> Path:
        return self.pretraineds / "embedders"

    @property
    def predictors(self) -> Path:
        """Weights of the pitch detectors that are downloaded."""
        return self.pretraineds / "predictors"

    @property
    def outputs(self) -> Path:
        """Converted files of the studio, and the page's own temporary files."""
        return self.root / "outputs"

    def restoring(self, path: Path) -> str | None:
        """How to bring ``path`` back, if it came with the studio."""
        return restored_by(path) if path.is_relative_to(self.starter) else None


def restored_by(path: Path) -> str:
    """How to bring back a file that came with the studio."""
    shown = path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else path
    return f"Restore it: git checkout -- {shown}, or unpack the studio's archive again."


def checked_name(name: str, *, what: str = "run") -> str:
    """``name`` with blanks trimmed, if it can be a folder on every system; otherwise a ``SettingsError`` that says why not."""
    name = name.strip()

    def refused(why: str) -> SettingsError:
        shown = name if len(name) <= 40 else name[:40] + "…"
        return SettingsError(f"{shown!r} cannot be a {what} name: {why}.", fix="Use letters, digits, blanks, - and _.")

    if not name:
        raise refused("it is empty")
    if len(name.encode()) > MAX_NAME_LENGTH:
        raise refused(f"it is longer than {MAX_NAME_LENGTH} bytes")
    if found := _FORBIDDEN.search(name):
        raise refused(f"it contains {found.group()!r}")
    if name.startswith((".", "-")) or name.endswith("."):
        raise refused("it starts with a dot or a dash, or ends with a dot")
    if name.split(".")[0].strip().lower() in _WINDOWS_DEVICES:
        raise refused("Windows keeps that name for a device")
    if name.lower() in _TAKEN:
        raise refused("RVC programs keep that folder for themselves")
    if name.startswith(("G_", "D_")):
        raise refused("RVC programs take files that start with G_ or D_ for checkpoints and would hide its voices")
    return name


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; when the block ends well it is flushed to disk and renamed over ``path``.

    When the block fails, ``path`` is what it was and the temporary file is gone. A full disk becomes a ``StorageError``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=f".part{path.suffix}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner can read
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text_whole(path: Path, text: str) -> None:
    """``text`` into ``path``, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def storage_error(path: Path, error: OSError) -> StorageError:
    """What a failed write means to a person. The text of ``error`` is kept."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"The disk is full: {path.name} was not written; what was there before is intact.",
                            fix=f"Free space on the disk of {path.parent} and resume.")
    return StorageError(f"{path} was not written: {error.strerror or error}. What was there before is intact.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders; os.replace is as durable as it gets there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
