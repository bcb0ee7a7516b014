"""The commands of the README do what it says, in the order in which it gives them, from another folder than the checkout."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from rvc.paths import ASSETS, PROJECT
from tests.end_to_end.conftest import wait_for

README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment that runs the tests, a home of their own, and what comes with the checkout."""
    return {**os.environ, "TIMBRE_HOME": str(tmp_path_factory.mktemp("readme home")), "TIMBRE_STARTER": str(ASSETS / "starter"),
            "TIMBRE_VENV": sys.prefix, "TIMBRE_INSTALL": "never"}


def test_the_readme_gives_the_commands_that_are_tried_here():
    assert [shlex.split(one)[:2] for one in COMMANDS] == [
        ["./run.sh"], ["./run.sh", "convert"], ["./run.sh", "train"], ["./run.sh", "convert"], ["./test.sh"]]


def test_the_studio_starts_and_ends(environment, tmp_path):
    log = tmp_path / "studio.log"
    with open(log, "wb") as file:
        studio = subprocess.Popen(shlex.split(COMMANDS[0]), cwd=PROJECT, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        address = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+", log.read_text()), 60, "the address").group()
        assert httpx.get(address, trust_env=False).status_code == 200
    finally:
        os.killpg(studio.pid, signal.SIGTERM)
        studio.wait(20)


def test_a_voice_that_comes_with_it_speaks(environment, tmp_path):
    done = shell(COMMANDS[1].replace("out.wav", shlex.quote(str(tmp_path / "out.wav"))), environment)
    assert json.loads(done.stdout)["converted"] == 1
    check_as_long_as_the_source(tmp_path / "out.wav")


def test_the_sample_becomes_a_voice_and_the_voice_speaks(environment, tmp_path):
    """In seconds in place of the two minutes: how far it comes is nothing for a test."""
    trained = shell(COMMANDS[2].replace("--minutes 2", "--minutes 0.1"), environment)
    assert "the pretrain that comes with Timbre" in trained.stdout + trained.stderr
    run = Path(environment["TIMBRE_HOME"]) / "logs" / "mine"
    assert {path.suffix for path in run.iterdir()} >= {".pth", ".index", ".json", ".csv"}
    shell(COMMANDS[3].replace("mine.wav", shlex.quote(str(tmp_path / "mine.wav"))), environment)
    check_as_long_as_the_source(tmp_path / "mine.wav")


def shell(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(shlex.split(command), cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def check_as_long_as_the_source(made: Path) -> None:
    source = soundfile.info(PROJECT / "assets/samples/source.flac")
    samples, rate = soundfile.read(made)
    assert len(samples) == round(source.frames * rate / source.samplerate)
    assert np.abs(samples).max() > 1e-3


def test_every_file_and_command_that_the_readme_names_exists():
    from rvc.cli import make_app

    for path in ("assets/samples", "docs/architecture.md", "run.bat"):
        assert path in README
        assert (PROJECT / path).exists()
    commands = set(make_app())
    named = re.findall(r"^\| (.+?) \|", README, re.MULTILINE)[2:]
    for cell in named:
        for name in re.findall(r"`(\w+)", cell):
            assert name in commands, name
