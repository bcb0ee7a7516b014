"""Which GPUs there are, told by a stand-in for nvidia-smi: the list, the refusal, and every way not to know."""

import sys
import time

import pytest

from rvc import doctor, gpus
from rvc.errors import DeviceError
from rvc.settings import from_flat
from rvc.train import new_run
from rvc.train.settings import TrainingSettings

TWO = "0, NVIDIA H100 80GB HBM3, 81559\n1, NVIDIA GeForce RTX 4090, Founders, 24564\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus.installed.cache_clear()
    yield
    gpus.installed.cache_clear()


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """A function that puts a program of that name, with the given lines of shell, first on the path."""
    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        gpus.installed.cache_clear()
    return put


@pytest.fixture
def two(nvidia_smi):
    nvidia_smi(f"printf '{TWO}'")


def test_each_gpu_has_its_number_name_and_memory(two):
    assert gpus.installed() == (gpus.Gpu(0, "NVIDIA H100 80GB HBM3", 81559), gpus.Gpu(1, "NVIDIA GeForce RTX 4090, Founders", 24564))
    assert gpus.installed()[0].title == "NVIDIA H100 80GB HBM3, 80 GiB"


def test_what_is_asked_for_and_there_passes_and_so_does_everything_that_is_no_gpu_number(two):
    gpus.require(["cuda:0", "cuda:1", "cpu", "auto", "mps", "cuda"])


def test_a_gpu_that_is_not_there_is_refused_with_the_ones_that_are(two):
    with pytest.raises(DeviceError, match=r"no GPU 2 on this machine \(0 is NVIDIA H100 80GB HBM3, 80 GiB; 1 is .*, 24 GiB\)"):
        gpus.require(["cuda:0", "cuda:2"])


@pytest.mark.parametrize("script", [
    "exit 9", "echo 'No devices were found'", "echo '0, NVIDIA'", "echo 'a, b, c'", "echo '0, NVIDIA A, [N/A]'"])
def test_a_listing_that_fails_or_says_nothing_is_not_known_and_refuses_nobody(nvidia_smi, script):
    nvidia_smi(script)
    assert gpus.installed() is None
    gpus.require(["cuda:7"])


def test_without_the_program_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.installed() is None


def test_a_driver_that_hangs_is_not_waited_for(nvidia_smi, monkeypatch):
    monkeypatch.setattr(gpus, "_PATIENCE_SECONDS", 0.2)
    nvidia_smi("exec sleep 30")
    began = time.monotonic()
    assert gpus.installed() is None
    assert time.monotonic() - began < 5


def test_the_machine_is_asked_once(nvidia_smi, tmp_path):
    nvidia_smi(f"echo x >> {tmp_path / 'calls'}; printf '{TWO}'")
    for _ in range(3):
        gpus.require(["cuda:1"])
    assert (tmp_path / "calls").read_text() == "x\n"


@pytest.mark.parametrize(("variable", "names"), [("1", ["NVIDIA GeForce RTX 4090, Founders"]), ("", []), ("0,1", None), ("GPU-abc", None)])
def test_gpus_are_numbered_as_cuda_does_when_some_are_hidden(two, monkeypatch, variable, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    here = gpus.installed()
    if variable == "GPU-abc":
        assert here is None
    elif names is not None:
        assert [(one.index, one.name) for one in here] == list(enumerate(names))
        with pytest.raises(DeviceError, match="no GPU 1"):
            gpus.require(["cuda:1"])
    else:
        assert len(here) == 2


def test_doctor_lists_them(two):
    assert [(one.name, one.status, one.detail) for one in doctor._gpus()] == [
        ("GPU 0", "ok", "NVIDIA H100 80GB HBM3, 80 GiB"), ("GPU 1", "ok", "NVIDIA GeForce RTX 4090, Founders, 24 GiB")]


def test_a_run_on_gpus_that_are_not_there_is_refused_before_anything_is_made(two, home, tmp_path):
    for values in ({"gpus": "0,3"}, {"device": "cuda:3"}):
        settings = from_flat(TrainingSettings, {"dataset": str(tmp_path), "embedder": "builtin", "f0_method": "fcpe", **values})
        with pytest.raises(DeviceError, match="no GPU 3"):
            new_run.create(home, "demo", settings)
    assert not (home.logs / "demo").exists()
