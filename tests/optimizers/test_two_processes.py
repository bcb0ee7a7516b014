"""Two processes that share each batch, over gloo as on two CPUs: the same weights in both, and those of one process with it all."""

import json
import os
import socket
import subprocess
import sys

import pytest

from rvc.paths import PROJECT
from tests.optimizers.tasks import NAMES

APART = 1e-2  # sums of floats in another order, magnified where a step divides by a small gradient
# In directions without a gradient so far any eigenbasis will do: SOAP's comes from rounding there, and Adam lengthens what it finds in it.
MORE_APART = {"SOAP": 0.5}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, dict]:
    """What two processes found, for all optimizers one after another: starting them is what takes the time."""
    file, port = tmp_path_factory.mktemp("two") / "found.json", str(free_port())
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1", "USE_LIBUV": "0"}
    started = [subprocess.Popen([sys.executable, "-m", "tests.optimizers.one_of_two", str(file)], cwd=PROJECT, stderr=subprocess.PIPE,
                                text=True, env={**os.environ, **place, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(2)]
    said = [one.communicate(timeout=240)[1] for one in started]
    assert [one.returncode for one in started] == [0, 0], said
    return json.loads(file.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_hold_the_same_weights_to_the_bit_and_go_where_one_goes(found, name):
    assert found[name]["equal"]
    assert found[name]["moved"]
    assert found[name]["apart"] < MORE_APART.get(name, APART)
