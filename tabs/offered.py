"""Files of a run, where the page may serve them: it serves nothing from the run folders themselves."""

import time
from pathlib import Path

from rvc.paths import Home, storage_error
from tabs.uploads import link_or_copy

KEPT_SECONDS = 3600.0  # far longer than the page takes to make its own copy


def offered(home: Home, path: Path, name: str) -> Path:
    """``path`` under ``name`` among the page's own temporary files: a second name for the same bytes where the disk can do that.

    Older ones are removed: a second name keeps the bytes of a file on the disk that was deleted under its first.
    """
    folder = home.outputs / "page" / "offered"
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_old(folder)
        target.unlink(missing_ok=True)
        link_or_copy(path, target)
    except OSError as error:
        raise storage_error(target, error) from error
    return target


def _remove_old(folder: Path) -> None:
    for path in folder.iterdir():
        if path.stat().st_ctime < time.time() - KEPT_SECONDS:  # when this name was made; the time of its content is older
            path.unlink(missing_ok=True)
