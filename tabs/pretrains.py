"""A person's own G and D files, dropped on the page with or without the JSON that says what they are, into ``pretraineds_custom``."""

import filecmp
import shutil
from collections.abc import Sequence
from pathlib import Path

from rvc.download import sidecar
from rvc.download.looks import fault_of
from rvc.errors import FormatError, SettingsError
from rvc.paths import Home, checked_name, written_whole


def add(files: Sequence[str], home: Home) -> None:
    """Keep ``files`` under their names. All are looked at before the first is kept; another file of that name is never written over.

    Whether the networks fit is compared when a run starts from them.
    """
    targets = {Path(file): home.custom_pretraineds / Path(file).name for file in files}
    for file, target in targets.items():
        _refuse(file, target)
    for file, target in targets.items():
        with written_whole(target) as temporary:
            shutil.copyfile(file, temporary)


def _refuse(file: Path, target: Path) -> None:
    if file.suffix.lower() not in (".pth", ".json"):
        raise FormatError(f"{file.name} is neither a .pth file nor the .json of a pretrain.")
    checked_name(file.stem.removeprefix("G_").removeprefix("D_"), what="pretrain")
    if fault := fault_of(file):
        raise FormatError(f"{file.name} {fault}.", fix="Nothing was kept. Download it again.")
    if file.suffix.lower() == ".json":
        sidecar.read(file)
    if target.exists() and not filecmp.cmp(file, target, shallow=False):
        raise SettingsError(f"There is another {file.name} in {target.parent.name}.", fix="Rename yours, or remove that one first.")
