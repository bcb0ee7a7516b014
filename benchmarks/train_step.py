"""How fast a training step is, beside the same mathematics in the plain order of the RVC family (``plain_step``).

    python -m benchmarks.train_step [--size standard] [--device cpu] [--precision fp32] [--batch 4] [--steps 10] [--rate 40000]

First both train a tiny network on the CPU in fp32 from the same weights on the same batches: the losses must agree within 1e-4 over
20 steps, or nothing is printed. Then both are timed at the size that is asked for, taking turns step by step, so that whatever else the
machine does falls on both alike. Printed as one JSON document.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch

from benchmarks.plain_step import PlainStepper
from rvc import device as devices
from rvc.device import FP32, Precision
from rvc.models.config import config_for
from rvc.paths import Home
from rvc.settings import from_flat
from rvc.train import new_run
from rvc.train.data.clips import ClipList
from rvc.train.fitting.dataset import ClipDataset, Part
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.step import Stepper
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings

CHECKED_STEPS, TOLERANCE = 20, 1e-4
CLIPS, CLIP_SECONDS = 16, 3.0
_SETTLED = 1001
COMPARED = ("loss/d/adv", "loss/g/total", "loss/g/adv", "loss/g/fm", "loss/g/mel", "loss/g/kl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("standard", "tiny"), default="standard")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", choices=("auto", "fp32", "tf32", "bf16"), default="fp32")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=10, help="timed steps of each, after one to warm up")
    parser.add_argument("--rate", type=int, default=40000)
    parser.add_argument("--compile", action="store_true", help="torch.compile in ours")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        worst = checked(home)
        device = devices.resolve(asked.device)
        precision = devices.probe_precision(device, asked.precision)
        precision.settle()
        case = Case(size=asked.size, rate=asked.rate, batch=asked.batch, compile=asked.compile, first_step=_SETTLED)
        document = Pair(home, case, device, precision).timed(asked.steps)
    print(json.dumps({"largest_relative_difference": worst, "checked_steps": CHECKED_STEPS, "device": devices.name_of(device),
                      "precision": precision.name, **asdict(case),
                      "threads": torch.get_num_threads(), "torch": torch.__version__, "machine": platform.processor() or platform.machine(),
                      "cores": os.cpu_count(), **document}, indent=2))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is trained. ``first_step``: where in a run, for the first fifty steps also measure how far they moved the weights."""

    size: str
    rate: int
    batch: int
    compile: bool = False
    first_step: int = 0


class Pair:
    """Both ways of stepping, from equal weights, over the same clips."""

    def __init__(self, home: Home, case: Case, device: torch.device, precision: Precision) -> None:
        self.run = made_run(home, case)
        config = config_for("v2", case.rate, size=case.size)
        self.device, self.batch = device, case.batch
        self.clips = list(ClipList.read(self.run.filelist))
        ours, plain = (TrainingState.fresh(config, self.run.settings.fit, device, needs_scaler=False)
                       for _ in "ab")
        for state in (ours, plain):
            state.set_rates(total_steps=10**6)
            state.step = case.first_step
        cache = device if device.type == "cuda" else None
        self.dataset = ClipDataset(self.run, config, self.clips, cache)
        self.ours = Stepper(ours, device, precision)
        self.plain = PlainStepper(plain, self.run, device, precision.autocast)
        self.segment_seconds = config.segment_samples / case.rate

    def chosen(self, step: int) -> list[int]:
        """The clips of a batch, round and round."""
        return [(step * self.batch + place) % len(self.clips) for place in range(self.batch)]

    def step_ours(self, step: int):
        items = tuple(self.dataset[i] for i in self.chosen(step))
        frames = tuple(self.dataset.frames(i) for i in self.chosen(step))
        return self.ours.step(Part(items, tuple(range(self.batch)), frames, self.batch, sum(frames)))

    def step_plain(self, step: int) -> dict[str, float]:
        return self.plain.step([self.clips[i] for i in self.chosen(step)])

    def timed(self, steps: int) -> dict:
        seconds = {"ours": [], "plain": []}
        peaks = {"ours": 0, "plain": 0}
        for step in range(steps + 1):
            for name, stepping in (("ours", self.step_ours), ("plain", self.step_plain)):
                self._begin()
                began = time.perf_counter()
                stepping(step)
                self._wait()
                if step:  # the first one warms up
                    seconds[name].append(time.perf_counter() - began)
                    peaks[name] = max(peaks[name], self._peak())
        return {"steps": steps, **{name: self._figures(seconds[name], peaks[name]) for name in seconds},
                "ratio": median(seconds["plain"]) / median(seconds["ours"])}

    def _figures(self, seconds: list[float], peak: int) -> dict:
        middle = median(seconds)
        return {"seconds_per_step": middle, "steps_per_second": 1 / middle,
                "compared_audio_seconds_per_second": self.batch * self.segment_seconds / middle,
                "clip_seconds_per_second": self.batch * CLIP_SECONDS / middle, "peak_gpu_bytes": peak or None}

    def _begin(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.reset_peak_memory_stats(self.device)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _peak(self) -> int:
        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0


def checked(home: Home) -> float:
    """The largest relative difference of any loss over the checked steps; stops the benchmark when that is too large."""
    pair = Pair(home, Case(size="tiny", rate=24000, batch=4), torch.device("cpu"), FP32)
    worst = 0.0
    for step in range(CHECKED_STEPS):
        ours, plain = pair.step_ours(step).by_tag(), pair.step_plain(step)
        worst = max([worst, *(abs(ours[tag] - plain[tag]) / abs(plain[tag]) for tag in COMPARED)])
    assert worst < TOLERANCE, f"the losses differ by {worst:.2g}, more than {TOLERANCE:g}: this would not be the same training"
    return worst


def made_run(home: Home, case: Case) -> TrainingRun:
    """A run folder as the extract stage leaves it: tones that glide, and noise for content."""
    sample_rate = case.rate
    asked = {"dataset": str(home.root), "model_size": case.size, "embedder": "builtin", "f0_method": "swift", "base_model": "scratch",
             "sample_rate": sample_rate, "batch_size": case.batch, "compile": case.compile}
    run = new_run.create(home, f"{case.size} at {sample_rate}", from_flat(TrainingSettings, asked))
    random = np.random.default_rng(0)
    for folder in (run.clips, run.f0, run.features):
        folder.mkdir()
    time_axis = np.arange(round(CLIP_SECONDS * sample_rate)) / sample_rate
    for i in range(CLIPS):
        f0_hz = 120.0 + 10 * i
        tone = sum(np.sin(2 * np.pi * f0_hz * harmonic * time_axis + harmonic) / harmonic for harmonic in range(1, 12))
        samples = 0.2 * tone + 0.01 * random.standard_normal(len(time_axis))
        soundfile.write(run.clips / f"0_{i}_0.wav", samples.astype(np.float32), sample_rate, subtype="FLOAT")
        np.save(run.f0 / f"0_{i}_0.npy", np.full(round(CLIP_SECONDS * 100) + 1, f0_hz, np.float32))
        np.save(run.features / f"0_{i}_0.npy", random.standard_normal((149, 768)).astype(np.float32))
    ClipList.from_folder(run.clips).write(run.filelist)
    return run


if __name__ == "__main__":
    main()
