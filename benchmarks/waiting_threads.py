"""How long threads of a training step on the CPU should look for work before they sleep, on a machine that is idle and one that is not.

    python -m benchmarks.waiting_threads [--busy 0 2] [--size small] [--batch 4] [--steps 5] [--rounds 2]

Each way of waiting steps in a process of its own, for it is settled when OpenMP is loaded; the ways take turns, so that whatever else the
machine does falls on all alike. ``--busy`` says how many processes compute besides. Printed as one JSON document: median seconds of a step.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

# Environment variables of GNU's OpenMP, which PyTorch comes with on Linux. A count is about so many looks.
WAYS = {"at once": {"OMP_WAIT_POLICY": "PASSIVE"}, "1,000": {"GOMP_SPINCOUNT": "1000"}, "10,000": {"GOMP_SPINCOUNT": "10000"},
        "100,000": {"GOMP_SPINCOUNT": "100000"}, "unset": {}}
_SETTLING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 2], help="processes that compute besides; each number is measured")
    parser.add_argument("--size", choices=("standard", "small", "tiny"), default="small")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5, help="timed, after one to warm up")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="step in this process, as it was started; what the others are asked to do")
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps(seconds_of_steps(asked.size, asked.batch, asked.steps)))
        return
    found = {f"{count} busy": compared(count, asked) for count in asked.busy}
    print(json.dumps({"size": asked.size, "batch": asked.batch, "cores": os.cpu_count(), "seconds_per_step": found}, indent=2))


def compared(busy: int, asked: argparse.Namespace) -> dict[str, float]:
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    command = [sys.executable, "-m", "benchmarks.waiting_threads", "--alone", "--size", asked.size, "--batch", str(asked.batch),
               "--steps", str(asked.steps)]
    plain = {name: value for name, value in os.environ.items() if name not in _SETTLING}
    with computing(busy):
        for _ in range(asked.rounds):
            for way, variables in WAYS.items():
                done = subprocess.run(command, env=plain | variables, capture_output=True, text=True, check=True)
                seconds[way] += json.loads(done.stdout)
    return {way: round(median(several), 3) for way, several in seconds.items()}


@contextmanager
def computing(count: int):
    """``count`` processes that never rest."""
    others = [multiprocessing.Process(target=_never_rest, daemon=True) for _ in range(count)]
    for one in others:
        one.start()
    try:
        yield
    finally:
        for one in others:
            one.kill()


def _never_rest() -> None:
    while True:
        pass


def seconds_of_steps(size: str, batch: int, steps: int) -> list[float]:
    import torch

    from benchmarks.train_step import Case, Pair
    from rvc.device import FP32
    from rvc.paths import Home

    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Home(Path(folder)), Case(size=size, rate=24000, batch=batch, first_step=1001), torch.device("cpu"), FP32)
        taken = []
        for step in range(steps + 1):
            began = time.perf_counter()
            pair.step_ours(step)
            taken.append(time.perf_counter() - began)
    return taken[1:]


if __name__ == "__main__":
    main()
