"""What each of the forty-three optimizers does from the same weights, on the same clips, in the same order, for the same number of steps.

    python -m benchmarks.optimizers [NAME ...] [--steps 15] [--seeds 3] [--factors 0.3 1 3] [--workers 2] [--out optimizers.json]
    python -m benchmarks.optimizers --resume optimizers.json                goes on where that one was
    python -m benchmarks.optimizers --table optimizers.json                 the table for docs/optimizers.md
    python -m benchmarks.optimizers --labels optimizers.json                what the labels come from: rvc/optimizers/measured.json
    python -m benchmarks.optimizers --fine-tune RUN --device cuda ...       a prepared run, from what it would begin with

The trials are those of the optimizer lab (rvc/train/lab). Without --fine-tune a tiny network is first trained from nothing with AdamW on
the sample recordings; from those weights every optimizer goes on. First a few steps at each of some multiples of its default rate (a range
test), then whole runs at the best of them and at the default, each with several seeds. What counts is the mel distance of recordings that
were held out, and how soon AdamW's last one is reached. A run that breaks is a result too. Seeds of the range test are not used again.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from rvc import device as devices
from rvc.errors import RunError
from rvc.events import Stage
from rvc.interval import STUDENT, Interval
from rvc.optimizers.registry import DEFAULT, OPTIMIZERS, named
from rvc.optimizers.verdicts import RESULTS
from rvc.paths import ASSETS, Home, write_text_whole
from rvc.settings import from_flat
from rvc.train.lab.bench import Bench
from rvc.train.lab.ranking import mean_curve, reached
from rvc.train.lab.trial import Trial
from rvc.train.new_run import create
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings
from rvc.train.stages import run_stages

BATCH, BASE_EPOCHS = 2, 3
RANGE_SEED = 100
COLUMNS = ("optimizer", "stars claimed", "at its default rate", "at the best of the range", "that rate", "steps to AdamW's end",
           "{clock} to AdamW's end", "{clock} a step", "bytes a weight", "{memory}broke")


@dataclass(frozen=True)
class Asked:
    """What is measured, and how. Results are only put together when all of it was the same."""

    steps: int
    seeds: int
    factors: tuple[float, ...]
    range_steps: int
    points: int
    device: str
    fine_tune: str  # a run; empty: the tiny network
    work: str  # the folder of the tiny network

    def bench(self) -> Bench:
        home = Home.here() if self.fine_tune else Home(Path(self.work))
        run = TrainingRun.named(home, self.fine_tune or "bench")
        *_, bench = Bench.of(run, home, devices.resolve(self.device))
        return replace(bench, fine_tune=True)  # the tiny one began from nothing, and what comes now is to resemble a fine-tune


def prepare(folder: Path) -> None:
    """The sample recordings as short clips, and a pair of networks that has heard them for a while, as a run of its own."""
    settings = from_flat(TrainingSettings, {
        "dataset": str(ASSETS / "samples" / "dataset"), "sample_rate": 24000, "model_size": "tiny", "embedder": "builtin",
        "f0_method": "swift", "base_model": "scratch", "slice_seconds": 1.0, "overlap_seconds": 0.0, "held_out_percent": 10.0,
        "device": "cpu", "batch_size": BATCH, "epochs": BASE_EPOCHS, "evaluate": False, "export_every_save": False})
    home = Home(folder)
    for event in run_stages(create(home, "bench", settings), home, lambda: False):
        if isinstance(event, Stage) and (event.stage, event.status) == ("fit", "finished"):
            return


# -- measuring, in processes of their own -----------------------------------------------------------------------------------------

_asked: Asked
_bench: Bench


def _opened(asked: Asked) -> None:
    global _asked, _bench
    torch.set_num_threads(1)
    _asked, _bench = asked, asked.bench()


def measured(name: str) -> dict[str, Any]:
    """Everything about one name."""
    scan = [_trial(name, factor, RANGE_SEED, _asked.range_steps, 1) for factor in _asked.factors]
    best = min(scan, key=lambda one: math.inf if one.failure else one.held_out).candidate.factor
    seeds = range(1, _asked.seeds + 1)
    default = [_trial(name, 1.0, seed, _asked.steps, _asked.points) for seed in seeds]
    runs = default if best == 1.0 else [_trial(name, best, seed, _asked.steps, _asked.points) for seed in seeds]
    return {"name": name, "range": [one.as_json() for one in scan], "default": [one.as_json() for one in default],
            "best": [one.as_json() for one in runs]}


def _trial(name: str, factor: float, seed: int, steps: int, points: int) -> Trial:
    *_, trial = _bench.trial(_bench.candidate(name, factor), seed, steps, points)
    return trial


# -- results -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One name's line of the table."""

    name: str
    default: list[Trial]
    best: list[Trial]

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Measured":
        return cls(document["name"], *([Trial.from_json(one) for one in document[kind]] for kind in ("default", "best")))

    @property
    def place(self) -> float:
        """What the table is sorted by."""
        return math.inf if _broke(self.best) else fmean(one.held_out for one in self.best)

    def cells(self, document: dict[str, Any], target: float | None) -> list[str]:
        """As in ``COLUMNS``. target: AdamW's last distance; ``None`` when it did not come nearer than it began, or was not measured."""
        on_gpu = document["on_gpu"]
        kind = "seconds" if on_gpu else "cpu_seconds"
        found = None if target is None or _broke(self.best) else reached(mean_curve(self.best), target)
        soon = ["–", "–"] if target is None else ["not reached"] * 2 if found is None else [str(found.step), f"{getattr(found, kind):.1f}"]
        whole = [one for one in (*self.best, *self.default) if not one.failure]
        pace = f"{fmean(getattr(one, f'{kind}_per_step') for one in whole):.2f}" if whole else "–"
        size = f"{whole[0].state_bytes / document['weights']:.1f}" if whole else "–"
        peak = [f"{max(one.peak_bytes or 0 for one in whole) / 1e9:.1f}" if whole else "–"] if on_gpu else []
        rate = f"{self.best[0].candidate.learning_rate:g}"
        return [self.name, f"{OPTIMIZERS[self.name].stars:g}", _shown(self.default), _shown(self.best), rate, *soon, pace, size,
                *peak, _why(self.default, self.best)]


    def summary(self, adamw: "Measured") -> dict[str, Any]:
        return {"default": _rounded(_distances(self.default)), "best": _rounded(_distances(self.nearest)),
                "lead": _rounded(_lead(self.default, adamw.default)), "best_lead": _rounded(_lead(self.nearest, adamw.nearest)),
                "factor": self.nearest[0].candidate.factor, "cost": round(self._cost / adamw._cost, 2)}

    @property
    def nearest(self) -> list[Trial]:
        """Those at the rate that ended nearer: the range test is short, and may have chosen the other."""
        return min((self.default, self.best), key=lambda trials: math.inf if _broke(trials) else fmean(_distances(trials)))

    @property
    def _cost(self) -> float:
        """CPU seconds a step; of what broke, until then."""
        paces = [one.cpu_seconds_per_step for one in (*self.default, *self.best)]
        return fmean([one for one in paces if math.isfinite(one)] or [math.nan])


def table(document: dict[str, Any]) -> str:
    """Markdown, best first."""
    lines = sorted((Measured.of(one) for one in document["results"]), key=lambda one: one.place)
    target = _target(lines, document["before"])
    words = {"clock": "s" if document["on_gpu"] else "CPU s", "memory": "peak GB | " if document["on_gpu"] else ""}
    heads = [part for one in COLUMNS for part in one.format(**words).split(" | ")]
    rows = [heads, ["---"] * len(heads), *(one.cells(document, target) for one in lines)]
    end = f"AdamW at its default ends at {target:.3f}." if target is not None else "AdamW at its default did not come nearer."
    return (f"`{document['command']}`, {document['began'][:10]}, {document['machine']}.\n\nBefore: {document['before']:.3f}. {end}\n\n"
            + "\n".join("| " + " | ".join(row) + " |" for row in rows))


def _target(lines: list[Measured], before: float) -> float | None:
    adamw = next((one.default for one in lines if one.name == DEFAULT and not _broke(one.default)), None)
    last = fmean(one.held_out for one in adamw) if adamw else math.inf
    return last if last < before else None


def _shown(trials: list[Trial]) -> str:
    return "broke" if _broke(trials) else str(Interval.of([one.held_out for one in trials]))


def _distances(trials: list[Trial]) -> list[float]:
    return [] if _broke(trials) else [one.held_out for one in trials]


def _lead(trials: list[Trial], adamw: list[Trial]) -> list[float]:
    """How much nearer than AdamW, seed by seed: they saw the same clips with the same noise."""
    return [theirs - ours for ours, theirs in zip(_distances(trials), _distances(adamw), strict=False)]


def _rounded(values: list[float]) -> list[float] | None:
    """Mean and half the width of its interval; ``None`` of nothing."""
    found = Interval.of(values) if values else None
    return [round(found.mean, 4), round(found.half, 4)] if found else None


def _broke(trials: list[Trial]) -> list[Trial]:
    return [one for one in trials if one.failure]


def _why(default: list[Trial], best: list[Trial]) -> str:
    """How often it broke, and the reason of the first time."""
    several = default if best[0].candidate == default[0].candidate else [*default, *best]
    broke = _broke(several)
    return f"{len(broke)} of {len(several)}: {broke[0].failure}".replace("|", "/") if broke else "no"


def labels(document: dict[str, Any]) -> dict[str, Any]:
    """The content of ``rvc/optimizers/measured.json``."""
    lines = {one.name: one for one in map(Measured.of, document["results"])}
    adamw = lines[DEFAULT]
    return {"command": document["command"], "machine": document["machine"], "date": document["began"][:10],
            "before": round(document["before"], 4), "steps": document["asked"]["steps"], "seeds": document["asked"]["seeds"],
            "optimizers": {name: lines[name].summary(adamw) for name in OPTIMIZERS if name in lines}}


# -- the program -------------------------------------------------------------------------------------------------------------------


def begun(asked: Asked) -> dict[str, Any]:
    """A document without results. Makes the tiny network when it is not there."""
    if not asked.fine_tune and not (Path(asked.work) / "logs" / "bench" / "run.json").exists():
        prepare(Path(asked.work))
    bench = asked.bench()
    device = devices.name_of(bench.device)
    machine = f"{device}, {os.cpu_count()} cores of {_processor()}, {bench.precision.name}, PyTorch {torch.__version__}"
    return {"format": 2, "command": _command(sys.argv[1:]), "machine": machine,
            "began": datetime.now(UTC).isoformat(timespec="seconds"), "asked": asdict(asked), "on_gpu": bench.device.type == "cuda",
            "before": bench.before, "weights": bench.parameters(), "results": []}


def _command(words: list[str]) -> str:
    """Without where the results went, which is nobody else's business."""
    where = words.index("--out") if "--out" in words else len(words)
    return shlex.join(["python", "-m", "benchmarks.optimizers", *words[:where], *words[where + 2:]])


def resumed(path: Path) -> tuple[Asked, dict[str, Any]]:
    """What was asked then and what there is; refused when the weights are others by now."""
    document = json.loads(path.read_text(encoding="utf-8"))
    asked = Asked(**{**document["asked"], "factors": tuple(document["asked"]["factors"])})
    if not math.isclose(asked.bench().before, document["before"], rel_tol=1e-5):
        raise RunError(f"{path} was measured from other weights than are there now.", fix="Measure anew, into another file.")
    return asked, document


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor() or "unknown make")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=3, choices=(1, *STUDENT))
    parser.add_argument("--factors", type=float, nargs="+", default=(0.3, 1.0, 3.0), help="of the default rate, for the range test")
    parser.add_argument("--range-steps", type=int, default=5)
    parser.add_argument("--points", type=int, default=3, help="how often the held-out clips are scored in a run")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fine-tune", default="", metavar="RUN", help="a run whose data is prepared, and what it would begin with")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("optimizers.json"))
    parser.add_argument("--resume", type=Path, help="go on with these results, as they were begun")
    parser.add_argument("--table", type=Path, help="print the table of results that are there")
    parser.add_argument("--labels", type=Path, help="take the labels from results that are there")
    given = parser.parse_args()
    if given.labels:
        found = labels(json.loads(given.labels.read_text(encoding="utf-8")))
        write_text_whole(RESULTS, json.dumps(found, indent=1) + "\n")
        return
    if given.table:
        print(table(json.loads(given.table.read_text(encoding="utf-8"))))
        return
    out = given.resume or given.out
    if given.resume:
        asked, document = resumed(out)
    else:
        asked = Asked(given.steps, given.seeds, tuple(given.factors), given.range_steps, given.points, given.device, given.fine_tune,
                      "" if given.fine_tune else str(out.with_suffix(".work").resolve()))
        document = begun(asked)
    done = {one["name"] for one in document["results"]}
    names = [name for name in (named(one).name for one in given.names or OPTIMIZERS) if name not in done]
    with multiprocessing.get_context("spawn").Pool(given.workers, _opened, (asked,)) as pool:
        for found in pool.imap_unordered(measured, names):
            document["results"].append(found)
            write_text_whole(out, json.dumps(document, indent=1) + "\n")
            print(f"{len(document['results'])}/{len(done) + len(names)} {found['name']}: {_shown(Measured.of(found).default)}", flush=True)
    print(table(document))


if __name__ == "__main__":
    main()
