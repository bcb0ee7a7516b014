"""What all tests share: a home of their own, and the rule about browsers."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tests run side by side, and threads beyond the cores make each other wait
# A studio without a pretrain and voices of its own: tests of these name a folder.
os.environ["TIMBRE_STARTER"] = str(Path(__file__).parent / "no starter kit")

import shutil

import pytest

from rvc.paths import Home


def chromium() -> str | None:
    """A Chromium of this machine; ``CHROMIUM`` names another."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for found in map(shutil.which, filter(None, names)) if found), None)


def pytest_collection_modifyitems(config, items):
    """Tests of the page need a real browser. Where there is none they are skipped, but never silently on a build server."""
    needing = [item for item in items if item.get_closest_marker("browser")]
    if not needing or chromium():
        return
    if os.environ.get("CI"):
        raise pytest.UsageError("No Chromium was found, and CI is set: install one (Debian: chromium), or name it in CHROMIUM.")
    for item in needing:
        item.add_marker(pytest.mark.skip(reason="no Chromium was found; CHROMIUM can name one"))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """An empty home, which is also the one that ``TIMBRE_HOME`` names."""
    monkeypatch.setenv("TIMBRE_HOME", str(tmp_path / "home"))
    found = Home.here()
    found.logs.mkdir(parents=True)
    return found
