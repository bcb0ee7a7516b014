"""Make the Python environment of this checkout, or leave it alone when it already is what the requirement files ask for.

run.sh, run.bat, test.sh and run-tensorboard.* call it with any Python 3.11 to 3.13. Standard library only, and no file of the
project is imported. It speaks on stderr: stdout belongs to the command that follows.

    python install.py [--for studio|tests] [--check]      --check installs nothing; exit code 0 means up to date

What can be chosen, as environment variables:
    TIMBRE_VENV           where the environment lives (default: .venv beside this file); several checkouts may share one
    TIMBRE_INSTALL=never  take the environment as it is: for containers and machines without a network
    TIMBRE_INSTALLER=pip  install with pip. The default is uv, several times faster and able to choose a build of PyTorch;
                          where it is missing, pip first puts it into the environment
    TIMBRE_TORCH_BACKEND  the build of PyTorch that uv looks for: auto, cpu, cu130, … Set it before the first start.
                          Unset, it is the package index's own build: CUDA on Linux, CPU elsewhere
"""

import argparse
import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
CONSTRAINTS = PROJECT / "constraints.txt"
UV = "uv==0.13.9"
PURPOSES = ("studio", "tests")
OLDEST, NEWEST = (3, 11), (3, 13)
# What uv calls the settings that people make for pip. uv does not read pip's configuration.
UV_NAMES = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS",
            "trusted-host": "UV_INSECURE_HOST", "cert": "SSL_CERT_FILE"}


class SetupError(Exception):
    """A sentence for the person who started the studio."""


class Environment:
    """A virtual environment for one purpose, ``studio`` or ``tests``."""

    def __init__(self, folder: Path, purpose: str) -> None:
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.lock = folder / ".timbre-lock"
        self.unfinished = folder / ".timbre-unfinished"  # exists from before the first change until the last
        self.purpose = purpose
        self.requirements = requirement_files(purpose)

    def stamp(self, purpose: str) -> Path:
        """The file that holds the fingerprint of what was installed for ``purpose``."""
        return self.folder / f".timbre-{purpose}"

    @property
    def up_to_date(self) -> bool:
        stamp = self.stamp(self.purpose)
        return not self.unfinished.exists() and self.python.exists() and stamp.exists() and stamp.read_text() == fingerprint(self.purpose)

    def set_stamps(self) -> None:
        """What the tests need contains what the studio needs; the reverse is not so, and an older stamp says nothing now."""
        for purpose in PURPOSES:
            self.stamp(purpose).unlink(missing_ok=True)
        for purpose in PURPOSES[: PURPOSES.index(self.purpose) + 1]:
            self.stamp(purpose).write_text(fingerprint(purpose))

    @property
    def contents(self) -> list[Path]:
        return [one for one in self.folder.iterdir() if one != self.lock] if self.folder.is_dir() else []

    @property
    def packages(self) -> set[str]:
        return {one.name for folder in (*self.folder.glob("lib/python*/site-packages"), self.folder / "Lib/site-packages")
                if folder.is_dir() for one in folder.iterdir()}

    def works(self) -> bool:
        """Whether its Python starts; it does not when the Python that it was made from is gone."""
        if not self.python.exists():
            return False
        return subprocess.run([self.python, "-c", ""], capture_output=True, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the environment of Timbre, or leave it alone when it is up to date.")
    parser.add_argument("--for", dest="purpose", choices=PURPOSES, default="studio")
    parser.add_argument("--check", action="store_true", help="install nothing; exit code 0 means up to date")
    arguments = parser.parse_args()
    environment = Environment(Path(os.environ.get("TIMBRE_VENV") or PROJECT / ".venv").expanduser().absolute(), arguments.purpose)
    try:
        if os.environ.get("TIMBRE_INSTALL") == "never":
            if environment.works():
                return 0
            raise SetupError(f"TIMBRE_INSTALL=never, but {environment.folder} holds no working environment.")
        if arguments.check or environment.up_to_date:
            return 0 if environment.up_to_date else 1
        refuse_foreign(environment)
        with locked(environment):
            if not environment.up_to_date:  # the start we waited for may have done it
                make(environment)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted. The next start makes the environment again.")
        return 130
    return 0


def make(environment: Environment) -> None:
    """Create or renew the environment. Only when all went well does it carry its stamp."""
    if environment.contents and (environment.unfinished.exists() or not environment.works()):
        say(f"The environment in {environment.folder} is half-made or broken: making it again.")
        empty(environment)
    uv = None if os.environ.get("TIMBRE_INSTALLER") == "pip" else shutil.which("uv")
    fresh = not environment.python.exists()
    if fresh:
        refuse_wrong_python()
        refuse_little_space(environment)
    say(f"{'Making' if fresh else 'Renewing'} the environment in {environment.folder}"
        + (f": about {download_gb()} GB to download, {size_gb()} GB on disk." if fresh else "."))
    environment.unfinished.touch()
    if fresh:
        create(environment, with_pip=uv is None)
    elif uv is None and "pip" not in environment.packages:  # it was made when uv was at hand
        subprocess.run([environment.python, "-m", "ensurepip"], stdout=sys.stderr, check=False)
    install(environment, uv or installed_uv(environment))
    environment.set_stamps()
    environment.unfinished.unlink()
    say("The environment is ready.")


def create(environment: Environment, *, with_pip: bool) -> None:
    try:
        venv.create(environment.folder, with_pip=with_pip, symlinks=os.name != "nt")
    except (subprocess.CalledProcessError, OSError) as error:
        raise SetupError(f"{sys.executable} cannot make an environment ({error}). On Debian and Ubuntu, install the package "
                         f"python{sys.version_info.major}.{sys.version_info.minor}-venv; or install uv.") from error


def installed_uv(environment: Environment) -> str | None:
    """uv inside the environment, put there by pip; ``None`` where pip is asked for or has no uv for this machine."""
    if os.environ.get("TIMBRE_INSTALLER") == "pip":
        return None
    pip = [environment.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]
    subprocess.run(pip, stdout=sys.stderr, check=False)
    inside = environment.python.with_name("uv.exe" if os.name == "nt" else "uv")
    return str(inside) if inside.exists() else None


def install(environment: Environment, uv: str | None) -> None:
    """Everything in the requirement files, at the versions of constraints.txt."""
    backend = os.environ.get("TIMBRE_TORCH_BACKEND")
    files = [argument for file in environment.requirements for argument in ("--requirement", str(file))]
    files += ["--constraint", str(constraints(environment, backend if uv else None))]
    if uv:
        command = [uv, "pip", "install", "--python", str(environment.python), "--compile-bytecode", *files]
        command += ["--torch-backend", backend] if backend else []
        variables = os.environ | pip_settings_for_uv()
    else:
        command = [str(environment.python), "-m", "pip", "install", "--disable-pip-version-check", *files]
        variables = dict(os.environ)
        if backend:
            say("pip cannot choose a build of PyTorch; the package index's own is installed.")
    before = environment.packages
    result = subprocess.run(command, cwd=PROJECT, env=variables, stdout=sys.stderr, check=False)
    if result.returncode:
        if before and environment.packages == before:
            environment.unfinished.unlink()  # it failed before it changed anything: what was there still works
        raise SetupError("Installing failed; the lines above say why. The next start tries again.")


def constraints(environment: Environment, backend: str | None) -> Path:
    """constraints.txt; for another build of PyTorch a copy without the CUDA packages, whose versions that build sets itself."""
    if not backend:
        return CONSTRAINTS
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines(keepends=True)
    path = environment.folder / "constraints-without-cuda.txt"
    path.write_text("".join(line for line in lines if not line.startswith(("nvidia-", "cuda-", "triton"))), encoding="utf-8")
    return path


def pip_settings_for_uv() -> dict[str, str]:
    """The indexes and certificates of the user's pip configuration in uv's words. What is set for uv itself is left as it is."""
    listing = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, errors="replace", check=False)
    found: dict[str, str] = {}
    for line in sorted(listing.stdout.splitlines(), key=lambda line: line.startswith(":env:")):  # PIP_… variables win over files
        if (match := re.fullmatch(r"[^=]*\.([a-z-]+)=(.*)", line)) and match[1] in UV_NAMES:
            separator = "," if match[1] == "find-links" else " "
            found[UV_NAMES[match[1]]] = separator.join(ast.literal_eval(match[2]).split())
    if "UV_INDEX" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # all indexes are equal, as they are for pip
    return {name: value for name, value in found.items() if name not in os.environ}


def requirement_files(purpose: str) -> tuple[Path, ...]:
    names = ["requirements.txt"]
    if purpose == "tests":
        names.append("requirements-test.txt")
    return tuple(PROJECT / name for name in names)


def fingerprint(purpose: str) -> str:
    digest = hashlib.sha256()
    for file in (*requirement_files(purpose), CONSTRAINTS):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def has_cuda() -> bool:
    """Whether PyTorch will bring CUDA along, which is most of what the environment takes."""
    backend = os.environ.get("TIMBRE_TORCH_BACKEND")
    return sys.platform != "darwin" and backend != "cpu" and (sys.platform == "linux" or backend is not None)


def download_gb() -> int:
    return 2 if has_cuda() else 1


def size_gb() -> int:
    return 6 if has_cuda() else 2


def refuse_foreign(environment: Environment) -> None:
    """A folder that is no environment is never emptied or installed into, whatever TIMBRE_VENV says."""
    ours = (environment.folder / "pyvenv.cfg").exists() or environment.unfinished.exists()
    if environment.folder.exists() and not environment.folder.is_dir():
        raise SetupError(f"{environment.folder} is a file; the environment needs a folder.")
    if environment.contents and not ours:
        raise SetupError(f"{environment.folder} is no Python environment and is not empty. Set TIMBRE_VENV to another folder.")


def refuse_wrong_python() -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SetupError(f"Timbre needs Python 3.11, 3.12 or 3.13; {sys.executable} is {sys.version.split()[0]}.")


def refuse_little_space(environment: Environment) -> None:
    free = shutil.disk_usage(environment.folder).free / 1e9
    if free < size_gb():
        raise SetupError(f"The environment needs about {size_gb()} GB; the disk of {environment.folder} has {free:.1f} GB left. "
                         "Free some, or set TIMBRE_VENV to a folder on another disk.")


def empty(environment: Environment) -> None:
    """Remove all but the lock, which this process holds."""
    for one in environment.contents:
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        elif one != environment.unfinished:
            one.unlink()


@contextmanager
def locked(environment: Environment) -> Iterator[None]:
    """One start at a time works on the environment. The system frees the lock when its process ends, however it ends."""
    environment.folder.mkdir(parents=True, exist_ok=True)
    with open(environment.lock, "a+") as file:
        told = False
        while not try_lock(file.fileno()):
            if not told:
                say("Waiting: another start is making the environment.")
            told = True
            time.sleep(0.5)
        yield


def try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody else holds it
        return False
    return True


def say(sentence: str) -> None:
    print(f"timbre: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
