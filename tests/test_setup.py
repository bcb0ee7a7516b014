"""The way from a fresh checkout to a running command, with everything real but the package index: uv is a small script here."""

import collections
import importlib.metadata
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import install
from rvc.paths import PROJECT

SHELL_SCRIPTS = ("run.sh", "test.sh", "run-tensorboard.sh", "environment.sh", ".ci/run")
BATCH_FILES = ("run.bat", "run-tensorboard.bat", "environment.bat")
REQUIREMENTS = ("requirements.txt", "requirements-test.txt")
# What a package is imported as, where the names differ; None: only another package imports it.
IMPORTED_AS = {"faiss-cpu": "faiss", "swift-f0": "swift_f0", "torchaudio": None}


def lines(name: str) -> list[str]:
    return [line for line in (PROJECT / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    pins = [line.partition(" ;")[0].strip().split("==") for line in lines("constraints.txt")]
    return {canonical(name): version for name, version in pins}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_an_exact_pin_that_says_who_needs_it(name):
    for line in lines(name):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9_.]* +# \S.*", line), line


def test_the_constraints_hold_every_requirement_at_the_same_version():
    for line in (line for name in REQUIREMENTS for line in lines(name)):
        name, version = line.split("#")[0].strip().split("==")
        assert locked()[canonical(name)] == version


def test_the_constraints_hold_everything_the_requirements_bring_along():
    """Walked through the metadata of the packages that are installed here."""
    waiting = [line.split("==")[0] for name in REQUIREMENTS for line in lines(name)]
    seen: set[str] = set()
    while waiting:
        name = canonical(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        assert name in locked(), name
        for needed in importlib.metadata.requires(name) or []:
            bare = re.match(r"[A-Za-z0-9_.-]+", needed)[0]
            if "extra ==" not in needed and _is_installed(bare):
                waiting.append(bare)
    assert len(seen) > 80


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def test_nothing_is_installed_that_the_studio_does_not_import():
    source = "\n".join(path.read_text(encoding="utf-8") for folder in ("rvc", "tabs") for path in (PROJECT / folder).rglob("*.py"))
    packages = [line.split("==")[0] for line in lines("requirements.txt")]
    modules = [IMPORTED_AS.get(package, package) for package in packages]
    assert [one for one in modules if one and not re.search(rf"\b{one}\b", source)] == []


@pytest.mark.parametrize("name", [*SHELL_SCRIPTS, *BATCH_FILES, *REQUIREMENTS, "constraints.txt", "install.py"])
def test_no_file_of_the_setup_names_a_host(name):
    assert not re.search(r"https?:|index-url=|\bpypi\b", (PROJECT / name).read_text(encoding="utf-8"), flags=re.IGNORECASE)


@pytest.mark.parametrize("name", SHELL_SCRIPTS)
def test_shell_scripts_parse_and_those_to_call_are_executable(name):
    assert subprocess.run(["bash", "-n", PROJECT / name], check=False).returncode == 0
    if name != "environment.sh":
        assert (PROJECT / name).stat().st_mode & stat.S_IXUSR
        assert "set -euo pipefail" in (PROJECT / name).read_text() or name == ".ci/run"


@pytest.mark.parametrize("name", BATCH_FILES)
def test_batch_files_have_the_line_ends_that_windows_needs_for_labels(name):
    text = (PROJECT / name).read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n") > 5
    attributes = (PROJECT / ".gitattributes").read_text()
    assert "*.bat text eol=crlf" in attributes


FAKE_UV = """#!/bin/sh
printf '%s\\n' "call $*" "index ${UV_DEFAULT_INDEX:-none}" >> "$UV_LOG"
[ "$1" = pip ] || exit 0
while [ "$1" != --python ]; do shift; done
packages=$(echo "$(dirname "$(dirname "$2")")"/lib/python*/site-packages)
touch "$packages/${UV_INSTALLS:-torch}"
case "${UV_DOES:-}" in
    fail) echo "no such version" >&2; exit 2 ;;
    die) kill -9 $PPID; exit 0 ;;
    slow) sleep 0.7 ;;
esac
"""


class Checkout:
    """A copy of the set-up files under an awkward path, with a stand-in for uv and two commands that say what they were given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "Tïmbre 音 spaced copy"
        self.venv = self.folder / ".venv"
        self.log = folder / "uv.log"
        self.bin = folder / "bin"
        (self.folder / "rvc").mkdir(parents=True)
        self.bin.mkdir()
        for name in (*REQUIREMENTS, "constraints.txt", "install.py", "environment.sh", "run.sh"):
            shutil.copy(PROJECT / name, self.folder)
        say = "import json, os, sys\nprint(json.dumps([{!r}, sys.argv[1:], os.getcwd(), sys.prefix]))\n"
        (self.folder / "rvc/__init__.py").touch()
        (self.folder / "rvc/__main__.py").write_text(say.format("cli"))
        (self.folder / "app.py").write_text(say.format("app"))
        self.log.touch()
        (self.bin / "uv").write_text(FAKE_UV)
        (self.bin / "uv").chmod(0o755)

    def start(self, *arguments: str, cwd: Path | None = None, script: str = "run.sh", **variables: str) -> subprocess.CompletedProcess:
        return self.begin(*arguments, cwd=cwd, script=script, **variables).finish()

    def begin(self, *arguments: str, cwd: Path | None = None, script: str = "run.sh", **variables: str) -> "Started":
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TIMBRE_", "UV_", "PIP_", "PYTHON"))}
        surroundings = clean | {"PATH": f"{self.bin}:{os.environ['PATH']}", "UV_LOG": str(self.log)} | variables
        process = subprocess.Popen([self.folder / script, *arguments], cwd=cwd or self.folder, env=surroundings,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return Started(process)

    @property
    def installs(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith("call pip install")]

    def installed(self, package: str = "torch") -> bool:
        return any(self.venv.glob(f"lib/python*/site-packages/{package}"))


class Started:
    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def finish(self) -> subprocess.CompletedProcess:
        out, err = self.process.communicate(timeout=60)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_start_makes_the_environment_and_the_second_installs_nothing(checkout, tmp_path):
    first = checkout.start("convert", "a b.wav", "", "ü*", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == ["cli", ["convert", "a b.wav", "", "ü*"], str(tmp_path), str(checkout.venv)]
    assert "GB to download" in first.stderr
    (install,) = checkout.installs
    for name in ("requirements.txt", "constraints.txt"):
        assert f"{checkout.folder}/{name}" in install
    assert "requirements-test" not in install and "--compile-bytecode" in install
    began = time.monotonic()
    second = checkout.start("convert")
    assert time.monotonic() - began < 1.5
    assert second.stderr == "" and len(checkout.installs) == 1


def test_without_arguments_the_studio_starts_and_studio_passes_its_flags(checkout):
    assert json.loads(checkout.start().stdout)[:2] == ["app", []]
    assert json.loads(checkout.start("studio", "--port", "7999").stdout)[:2] == ["app", ["--port", "7999"]]


def test_a_folder_called_rvc_where_the_command_is_given_is_not_taken_for_ours(checkout, tmp_path):
    (tmp_path / "rvc").mkdir()
    (tmp_path / "rvc/__main__.py").write_text("raise SystemExit('the wrong one')")
    assert json.loads(checkout.start("runs", cwd=tmp_path).stdout)[0] == "cli"


def test_a_changed_requirement_is_installed_at_the_next_start(checkout):
    checkout.start()
    with open(checkout.folder / "requirements.txt", "a") as file:
        file.write("# changed\n")
    assert "Renewing" in checkout.start().stderr
    assert len(checkout.installs) == 2
    assert checkout.start().stderr == ""


def test_an_interrupted_installation_is_made_again_from_the_start(checkout):
    died = checkout.start(UV_DOES="die", UV_INSTALLS="half")
    assert died.returncode != 0 and checkout.installed("half")
    again = checkout.start()
    assert again.returncode == 0 and "half-made" in again.stderr
    assert checkout.installed() and not checkout.installed("half")


def test_a_failed_installation_is_told_and_tried_again(checkout):
    failed = checkout.start(UV_DOES="fail")
    assert failed.returncode == 1 and failed.stdout == ""
    assert "no such version" in failed.stderr and "Installing failed" in failed.stderr
    assert checkout.start().returncode == 0
    assert len(checkout.installs) == 2


def test_a_renewal_that_fails_before_it_changed_anything_leaves_the_environment_alone(checkout):
    checkout.start()
    with open(checkout.folder / "requirements.txt", "a") as file:
        file.write("# changed\n")
    assert checkout.start(UV_DOES="fail").returncode == 1
    (checkout.venv / "mark").touch()
    again = checkout.start()
    assert again.returncode == 0 and "half-made" not in again.stderr
    assert (checkout.venv / "mark").exists()


def test_two_starts_at_once_install_once(checkout):
    both = [checkout.begin(name, UV_DOES="slow") for name in ("one", "two")]
    done = [one.finish() for one in both]
    assert [json.loads(one.stdout)[1] for one in done] == [["one"], ["two"]]
    assert len(checkout.installs) == 1
    assert any("Waiting" in one.stderr for one in done)


def test_an_environment_whose_python_is_gone_is_made_again(checkout):
    checkout.start()
    python = checkout.venv / "bin/python"
    python.unlink()
    python.symlink_to(checkout.folder / "removed by an upgrade")
    again = checkout.start()
    assert again.returncode == 0, again.stderr
    assert "broken" in again.stderr and len(checkout.installs) == 2


def test_a_folder_that_is_no_environment_is_never_touched(checkout, tmp_path):
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "novel.txt").write_text("Call me")
    refused = checkout.start(TIMBRE_VENV=str(documents))
    assert refused.returncode == 1 and "is no Python environment" in refused.stderr
    assert [one.name for one in documents.iterdir()] == ["novel.txt"] and checkout.installs == []


def test_the_environment_may_live_elsewhere_also_by_a_relative_path(checkout, tmp_path):
    started = checkout.start("x", cwd=tmp_path, TIMBRE_VENV="elsewhere")
    assert json.loads(started.stdout)[3] == str(tmp_path / "elsewhere")
    assert not checkout.venv.exists()
    assert checkout.start("x", TIMBRE_VENV=str(tmp_path / "elsewhere")).stderr == ""


def test_what_the_tests_need_contains_what_the_studio_needs_but_not_the_reverse(checkout):
    def check(purpose: str) -> int:
        variables = os.environ | {"TIMBRE_VENV": str(checkout.venv)}
        command = [sys.executable, "-I", checkout.folder / "install.py", "--for", purpose, "--check"]
        return subprocess.run(command, env=variables, check=False).returncode

    checkout.start()
    assert (check("studio"), check("tests")) == (0, 1)
    variables = os.environ | {"TIMBRE_VENV": str(checkout.venv), "PATH": f"{checkout.bin}:{os.environ['PATH']}"}
    subprocess.run([sys.executable, "-I", checkout.folder / "install.py", "--for", "tests"], check=True, capture_output=True,
                   env=variables | {"UV_LOG": str(checkout.log)})
    assert "requirements-test.txt" in checkout.installs[-1]
    assert (check("studio"), check("tests")) == (0, 0)


def test_a_build_of_pytorch_that_is_asked_for_is_not_held_to_the_cuda_versions_of_another(checkout):
    checkout.start(TIMBRE_TORCH_BACKEND="cu128")
    (install,) = checkout.installs
    assert install.endswith("--torch-backend cu128")
    names = (checkout.venv / "constraints-without-cuda.txt").read_text()
    assert "torch==" in names and "nvidia" not in names and "cuda" not in names


def test_the_index_of_the_users_pip_configuration_is_used_by_uv_too(checkout):
    checkout.start(PIP_INDEX_URL="file:///srv/packages")
    assert "index file:///srv/packages" in checkout.log.read_text()


def test_a_machine_without_a_fitting_python_is_told_which_one_to_install(checkout):
    tools = checkout.bin.with_name("tools")
    tools.mkdir()
    for name in ("bash", "dirname"):
        (tools / name).symlink_to(shutil.which(name))
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    started = checkout.start(PATH=str(tools))
    assert started.returncode == 1
    assert "Python 3.11, 3.12 or 3.13" in started.stderr and not checkout.venv.exists()


def test_a_debian_python_without_the_venv_package_is_told_which_one_to_install(tmp_path, monkeypatch):
    def without_ensurepip(*_, **__):
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"])

    monkeypatch.setattr(install.venv, "create", without_ensurepip)
    with pytest.raises(install.SetupError, match=r"python3\.\d+-venv"):
        install.create(install.Environment(tmp_path / "venv", "studio"), with_pip=True)


def test_a_disk_without_room_is_noticed_before_anything_is_made(tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: usage(0, 0, 5 * 10**8))
    with pytest.raises(install.SetupError, match=r"has 0\.5 GB left"):
        install.make(install.Environment(tmp_path, "studio"))
    assert list(tmp_path.iterdir()) == []


def test_the_real_scripts_run_the_real_command_line_in_this_environment(tmp_path):
    variables = os.environ | {"TIMBRE_VENV": sys.prefix, "TIMBRE_INSTALL": "never"}
    done = subprocess.run([PROJECT / "run.sh", "--help"], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "convert" in done.stdout and "train" in done.stdout


def test_an_environment_that_must_be_taken_as_it_is_and_is_not_there_is_told(checkout):
    started = checkout.start(TIMBRE_INSTALL="never")
    assert started.returncode == 1 and "holds no working environment" in started.stderr
    assert not checkout.venv.exists()


SAMPLES = PROJECT / "assets" / "samples"


def test_the_sample_dataset_is_a_good_minute_and_a_half_of_clean_speech():
    recordings = sorted((SAMPLES / "dataset").glob("*.flac"))
    seconds = 0.0
    for path in recordings:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert sample_rate == 24000 and samples.shape[1] == 1 and soundfile.info(path).subtype == "PCM_16"
        assert 5 <= len(samples) / sample_rate <= 15
        assert 0.03 < np.sqrt(np.mean(samples**2)) < 0.2 and 0.5 < np.abs(samples).max() < 0.99
        seconds += len(samples) / sample_rate
    assert 80 <= seconds <= 120


def test_the_sample_to_convert_is_a_short_clip_of_a_much_lower_voice():
    assert 5 <= soundfile.info(SAMPLES / "source.flac").duration <= 8
    assert 60 < _median_hz(SAMPLES / "source.flac") < 120
    assert all(170 < _median_hz(path) < 240 for path in (SAMPLES / "dataset").glob("*.flac"))


def _median_hz(path: Path) -> float:
    """Median pitch of the loud frames: the lag at which 40 ms of sound are most like themselves, between 60 and 400 Hz."""
    samples, sample_rate = soundfile.read(path, dtype="float32")
    size = sample_rate // 25
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[:: size // 2]
    frames = frames[np.abs(frames).max(axis=1) > 0.3]
    spectra = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    likeness = np.fft.irfft(spectra)[:, :size] / np.arange(size, 0, -1)  # unbiased autocorrelation
    first, last = sample_rate // 400, sample_rate // 60
    return float(np.median(sample_rate / (first + likeness[:, first:last].argmax(axis=1))))


def test_the_samples_are_small_and_say_where_they_come_from():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 8_000_000
    told = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert "Apache-2.0" in told and "hibari-tts" in told and "espeak-ng" in told
