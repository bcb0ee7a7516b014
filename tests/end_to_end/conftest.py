"""The real command line and the real worker, in processes of their own, over a home in a temporary folder."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from rvc.paths import PROJECT, Home
from tests.sounds import write_dataset

# As small as a training gets: seconds on one core.
TINY = ["--model-size", "tiny", "--sample-rate", "24000", "--embedder", "builtin", "--f0-method", "swift", "--device", "cpu",
        "--batch-size", "4"]


@dataclass(frozen=True)
class Shell:
    """``python -m rvc`` with a home of its own."""

    home: Home

    def __call__(self, *arguments: str | Path, timeout: float = 240) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-m", "rvc", *map(str, arguments)], cwd=PROJECT, env=self.environment, text=True,
                              capture_output=True, timeout=timeout, check=False)

    def start(self, *arguments: str | Path) -> subprocess.Popen:
        """As a person would in a terminal: Ctrl-C works, also when the tests themselves were started in the background and ignore it."""
        return subprocess.Popen([sys.executable, "-m", "rvc", *map(str, arguments)], cwd=PROJECT, env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def json(self, *arguments: str | Path) -> dict | list:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TIMBRE_HOME": str(self.home.root), "OMP_NUM_THREADS": "1"}


def wait_for(condition, seconds: float = 120, what: str = "it"):
    """The first true value of ``condition``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return value


@pytest.fixture(scope="session")
def shell(tmp_path_factory) -> Shell:
    return Shell(Home(tmp_path_factory.mktemp("Tïmbre home")))


@pytest.fixture(scope="session")
def dataset(shell) -> Path:
    return write_dataset(shell.home.root / "my data", files=2, seconds=4.0)


@pytest.fixture(scope="session")
def trained(shell, dataset) -> dict:
    """The document that ``train`` prints for a run of two epochs, trained once for all tests of this folder."""
    return shell.json("train", "demo", "--dataset", dataset, "--epochs", "2", "--save-every-epochs", "1", *TINY)
