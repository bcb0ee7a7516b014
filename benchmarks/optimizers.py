"""What each of the forty-three optimizers does from the same weights, on the same clips, in the same order, for the same number of steps.

    python -m benchmarks.optimizers [NAME ...] [--steps 25] [--seeds 3] [--workers 2] [--out results.json]
    python -m benchmarks.optimizers --table results.json

A tiny network is first trained from nothing with AdamW on the sample recordings; from those weights every optimizer goes on. First a few
steps at each of some multiples of its default rate (a range test), then whole runs at the best of them and at the default, each with
several seeds. What counts is the mel distance of recordings that were held out, before and after. A run that breaks is a result too.
"""

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

import torch

from rvc import checkpoint
from rvc.device import FP32
from rvc.errors import RvcError
from rvc.events import Stage
from rvc.models.config import ModelConfig, config_for
from rvc.optimizers.registry import OPTIMIZERS
from rvc.paths import ASSETS, Home
from rvc.settings import from_flat
from rvc.train import new_run
from rvc.train.chosen import chosen
from rvc.train.clips import ClipList, ClipSampler
from rvc.train.dataset import ClipDataset, parts
from rvc.train.mel import mel_of, mel_spectrogram
from rvc.train.run import TrainingRun
from rvc.train.settings import FitSettings, TrainingSettings
from rvc.train.stages import run_stages
from rvc.train.state import TrainingState
from rvc.train.step import Stepper
from rvc.train.undisturbed import undisturbed

CPU = torch.device("cpu")
BATCH, BASE_STEPS, RANGE_STEPS = 2, 150, 5
FACTORS = (0.3, 1.0, 3.0)
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}  # 95 % of the mean of so many runs, two-sided


@dataclass(frozen=True)
class Trial:
    """One run. ``held_out``: mel distance after it, NaN when it broke, with the reason in ``failure``."""

    factor: float
    seed: int
    held_out: float
    last_mel_loss: float
    seconds_per_step: float
    state_bytes: int
    failure: str = ""


@dataclass(frozen=True)
class Bench:
    """The clips and the weights that everything begins with."""

    run: TrainingRun
    home: Home
    config: ModelConfig
    base: dict[str, dict]

    @classmethod
    def opened(cls, folder: Path) -> "Bench":
        home = Home(folder)
        run = TrainingRun.named(home, "bench")
        base = {kind: checkpoint.read(folder / f"{kind}.pth") for kind in ("G", "D")} if (folder / "G.pth").exists() else {}
        return cls(run, home, config_for("v2", run.settings.data.sample_rate, size="tiny"), base)

    def trial(self, name: str, factor: float, seed: int, steps: int) -> Trial:
        fit = self._fit(name, factor, seed, steps)
        state = TrainingState.fresh(self.config, fit, CPU, tiny=True, needs_scaler=False, total_steps=steps)
        if self.base:
            state.load_weights(self.base["G"], self.base["D"])
        try:
            mel, seconds = self._trained(state, seed, steps)
            with state.shown():
                held_out = self.distance(state)
            failure = "" if math.isfinite(held_out) else "not finite"
        except (RvcError, RuntimeError, ArithmeticError) as error:  # a matrix without roots is a result as well
            mel, seconds, held_out, failure = math.nan, math.nan, math.nan, str(error).splitlines()[0]
        size = sum(_bytes(one) for optimizer in (state.optimizer_g, state.optimizer_d) for one in optimizer.state.values())
        return Trial(factor, seed, held_out, mel, seconds, size, failure)

    def _fit(self, name: str, factor: float, seed: int, steps: int) -> FitSettings:
        plain = self.run.settings.fit.model_copy(update={"optimizer": name, "seed": seed, "batch_size": BATCH, "schedule": "constant"})
        rates = {role: chosen(plain, role, fine_tune=True).learning_rate * factor for role in ("g", "d")}
        return plain.model_copy(update={"learning_rate": rates["g"], "learning_rate_d": rates["d"]})

    def _trained(self, state: TrainingState, seed: int, steps: int) -> tuple[float, float]:
        """Mel loss of the last steps, and seconds a step."""
        dataset = ClipDataset(self.run, self.config, list(ClipList.read(self.run.filelist)))
        sampler = ClipSampler.of(dataset.clips, state.fit)
        stepper, losses, began = Stepper(state, CPU, FP32), [], time.process_time()
        while len(losses) < steps:
            for work in parts(dataset, sampler, state.epoch, state.batch):
                state.set_rates(steps)
                losses.append(stepper.step(work).by_tag()["loss/g/mel"])
                if len(losses) == steps:
                    break
            else:
                state.finish_epoch()
        return fmean(losses[-5:]), (time.process_time() - began) / steps

    def distance(self, state: TrainingState) -> float:
        """Mean |Δ ln mel| of the held-out clips, spoken again from their content and pitch, always with the same noise."""
        dataset = ClipDataset(self.run, self.config, list(ClipList.read(self.run.held_out_list)))
        bands = {"sample_rate": self.config.sample_rate, "n_fft": self.config.n_fft, "n_mels": self.config.n_mels}
        found = []
        for i in range(len(dataset)):
            batch = dataset[i]
            with undisturbed(state.synthesizer, CPU, seed=1):
                audio = state.synthesizer.infer(batch.content, batch.lengths, batch.coarse, batch.f0_hz, batch.speaker_id)
                made = mel_spectrogram(audio, hop_length=self.config.hop_length, **bands)
                found.append(float((made - mel_of(batch.spec, **bands)).abs().mean()))
        return fmean(found)


def prepare(folder: Path) -> None:
    """The sample recordings as short clips, and a pair of networks that has heard them for a while."""
    settings = from_flat(TrainingSettings, {
        "dataset": str(ASSETS / "samples" / "dataset"), "sample_rate": 24000, "model_size": "tiny", "embedder": "builtin",
        "f0_method": "swift", "base_model": "scratch", "slice_seconds": 1.0, "overlap_seconds": 0.0, "held_out_percent": 10.0,
        "device": "cpu", "batch_size": BATCH})
    home = Home(folder)
    for event in run_stages(new_run.create(home, "bench", settings), home, lambda: False):
        if isinstance(event, Stage) and (event.stage, event.status) == ("fit", "started"):
            break
    bench = Bench.opened(folder)
    fit = bench.run.settings.fit.model_copy(update={"batch_size": BATCH, "schedule": "constant"})
    state = TrainingState.fresh(bench.config, fit, CPU, tiny=True, needs_scaler=False, fine_tune=False, total_steps=BASE_STEPS)
    bench._trained(state, 0, BASE_STEPS)
    snapshot = state.snapshot()
    checkpoint.write(folder / "G.pth", {"model": snapshot.generator["model"]})
    checkpoint.write(folder / "D.pth", {"model": snapshot.discriminator["model"]})


def measured(task: tuple[str, str, int, int]) -> dict:
    """Everything about one name."""
    folder, name, steps, seeds = task
    torch.set_num_threads(1)
    bench = Bench.opened(Path(folder))
    scan = [bench.trial(name, factor, 100, RANGE_STEPS) for factor in FACTORS]
    whole = [one for one in scan if not one.failure] or scan
    best = min(whole, key=lambda one: one.held_out if math.isfinite(one.held_out) else math.inf).factor
    runs = {factor: [bench.trial(name, factor, seed, steps) for seed in range(1, seeds + 1)] for factor in {1.0, best}}
    return {"name": name, "best_factor": best, "range": [asdict(one) for one in scan], "default": [asdict(one) for one in runs[1.0]],
            "best": [asdict(one) for one in runs[best]]}


def interval(trials: list[dict]) -> tuple[float, float]:
    """Mean and half width of its 95 % interval; NaN when a run broke."""
    values = [one["held_out"] for one in trials]
    spread = STUDENT[len(values)] * stdev(values) / math.sqrt(len(values)) if len(values) in STUDENT else math.nan
    return fmean(values), spread


def table(document: dict) -> str:
    """Markdown, best first."""
    start = document["before"]
    rows = ["| optimizer | stars claimed | at its default rate | at the best of the range | that rate | CPU s a step | bytes a weight |",
            "|---|---|---|---|---|---|---|"]

    def order(one: dict) -> float:
        mean = interval(one["best"])[0]
        return mean if math.isfinite(mean) else math.inf

    for one in sorted(document["results"], key=order):
        spec, trials = OPTIMIZERS[one["name"]], one["best"]
        shown = [_shown(one[kind]) for kind in ("default", "best")]
        rate = spec.rate("g", fine_tune=True) * one["best_factor"]
        seconds, size = fmean(trial["seconds_per_step"] for trial in trials), trials[0]["state_bytes"] / document["weights"]
        rows.append(f"| {one['name']} | {spec.stars:g} | {shown[0]} | {shown[1]} | {rate:g} | {seconds:.2f} | {size:.1f} |")
    return f"Before: {start:.3f}.\n\n" + "\n".join(rows)


def _shown(trials: list[dict]) -> str:
    broke = [one["failure"] for one in trials if one["failure"]]
    if broke:
        return f"broke ({len(broke)} of {len(trials)})"
    mean, spread = interval(trials)
    return f"{mean:.3f} ± {spread:.3f}"


def _bytes(state: dict) -> int:
    return sum(one.nbytes for one in state.values() if isinstance(one, torch.Tensor))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=3, choices=sorted(STUDENT))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("optimizers.json"))
    parser.add_argument("--table", type=Path, help="print the table of results that are there")
    asked = parser.parse_args()
    if asked.table:
        print(table(json.loads(asked.table.read_text(encoding="utf-8"))))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        bench = Bench.opened(Path(folder))
        state = TrainingState.fresh(bench.config, bench.run.settings.fit, CPU, tiny=True, needs_scaler=False)
        state.load_weights(bench.base["G"], bench.base["D"])
        weights = sum(one.numel() for network in (state.synthesizer, state.discriminator) for one in network.parameters())
        document = {"before": bench.distance(state), "weights": weights, "steps": asked.steps, "seeds": asked.seeds, "results": []}
        tasks = [(folder, name, asked.steps, asked.seeds) for name in asked.names or OPTIMIZERS]
        with multiprocessing.get_context("spawn").Pool(asked.workers) as pool:
            for found in pool.imap_unordered(measured, tasks):
                document["results"].append(found)
                asked.out.write_text(json.dumps(document, indent=1), encoding="utf-8")
                print(f"{len(document['results'])}/{len(tasks)} {found['name']}: {_shown(found['default'])}", flush=True)
    print(table(document))


if __name__ == "__main__":
    main()
