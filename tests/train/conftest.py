"""A run folder as the first two stages leave it, made without an embedder: enough to fit tiny networks in milliseconds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rvc.models import config
from rvc.paths import Home
from rvc.settings import from_flat
from rvc.train import new_run
from rvc.train.data.clips import ClipList
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings
from tests.sounds import singing

SAMPLE_RATE = 24_000  # the fewest samples a frame: what a step costs
SECONDS = (0.4, 0.55, 0.7, 0.9, 1.2)  # a clip each


@pytest.fixture(scope="module")
def thin():
    """Tiny networks with few operations and short slices, within this process: most of a step's time is spent on calling them.

    For ``usefixtures`` of a file that fits networks again and again, and starts no process that would fit them too.
    """
    size = {"upsample_initial_channel": 32, "resblock_kernel_sizes": (3,), "resblock_dilation_sizes": ((1, 3, 5),)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(config._SIZES, "tiny", config._SIZES["tiny"] | size)
        patch.setitem(config.STANDARD, ("v2", SAMPLE_RATE), replace(config.STANDARD["v2", SAMPLE_RATE], segment_samples=2880))
        yield


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.setenv("TIMBRE_HOME", str(tmp_path))
    return Home.here()


@pytest.fixture
def tiny_run(home):
    """A function that makes a run ready to be fitted; its arguments are settings by flat name."""
    return lambda name="demo", **values: make_run(home, name, **values)


def make_run(home: Home, name: str, **values) -> TrainingRun:
    asked = {"dataset": str(home.root), "sample_rate": SAMPLE_RATE, "model_size": "tiny", "embedder": "builtin", "f0_method": "fcpe",
             "base_model": "scratch", "batch_size": 2, "epochs": 2, "device": "cpu", "precision": "fp32", **values}
    Path(asked["dataset"]).mkdir(parents=True, exist_ok=True)
    run = new_run.create(home, name, from_flat(TrainingSettings, asked))
    write_clips(run)
    return run


def write_clips(run: TrainingRun, content_channels: int = 768) -> None:
    random = np.random.default_rng(0)
    for folder in (run.clips, run.clips_16k, run.f0, run.features):
        folder.mkdir(parents=True, exist_ok=True)
    for i, seconds in enumerate(SECONDS):
        write_clip(run, f"0_{i}_0", seconds, random, content_channels)
    ClipList.from_folder(run.clips).write(run.filelist)
    ClipList(()).write(run.held_out_list)


def write_clip(run: TrainingRun, name: str, seconds: float, random: np.random.Generator, content_channels: int) -> Path:
    samples = singing(seconds, SAMPLE_RATE, seed=len(name))
    soundfile.write(run.clips / f"{name}.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    np.save(run.f0 / f"{name}.npy", np.full(round(seconds * 100) + 1, 150.0, np.float32))
    frames = (round(seconds * 16_000) - 400) // 320 + 1
    np.save(run.features / f"{name}.npy", random.standard_normal((frames, content_channels)).astype(np.float32))
    return run.clips / f"{name}.wav"
