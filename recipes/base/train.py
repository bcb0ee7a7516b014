"""``python -m recipes.base.train CORPUS``: the base model, trained on the corpus of ``recipes.corpus`` by ``python -m rvc train``.

Called again it goes on where it was. When it is done, ``python -m recipes.base.export`` puts the pair into assets/starter.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from recipes.base import dataset

RUN = "starter"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``flags`` are those of ``rvc train`` that differ from machine to machine."""

    minutes_each: float  # of every speaker
    flags: dict[str, str]


# What all plans share. The pitch detector is the fastest: nothing here depends on its last cent.
FLAGS = {"sample-rate": "24000", "model-size": "small", "base-model": "scratch", "embedder": "builtin", "f0-method": "swift",
         "held-out-percent": "0", "overlap-seconds": "0.1", "schedule": "cosine", "warmup-steps": "100", "clip-generator": "1000"}
# A GPU makes a good one in some hours. Two cores make a preview in little more than one: most of it on the mel loss alone.
PLANS = {
    "cuda": Plan(minutes_each=30, flags={"batch-size": "16", "epochs": "600", "save-every-epochs": "25", "learning-rate": "3e-4",
                                         "generator-alone-steps": "10000", "ema-decay": "0.999"}),
    "cpu": Plan(minutes_each=5, flags={"batch-size": "6", "epochs": "7", "save-every-epochs": "1", "learning-rate": "8e-4",
                                       "learning-rate-d": "1.2e-3", "generator-alone-steps": "1700", "slice-seconds": "2"}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="the folder that recipes.corpus made")
    parser.add_argument("--home", type=Path, default=Path("base-home"), help="where the dataset and the run go")
    parser.add_argument("--device", choices=PLANS, default="cuda", help="cuda takes hours for a good pair, cpu one hour for a preview")
    asked = parser.parse_args()
    home, plan = asked.home.resolve(), PLANS[asked.device]
    data = home / "dataset"
    if not data.is_dir():
        for speaker, minutes in dataset.build(asked.corpus, data, plan.minutes_each).items():
            print(f"{speaker:20} {minutes:5.1f} min", flush=True)
    sys.exit(subprocess.run(command(data, plan, asked.device), env={**os.environ, "TIMBRE_HOME": str(home)}).returncode)


def command(data: Path, plan: Plan, device: str) -> list[str]:
    flags = {"dataset": str(data), **FLAGS, **plan.flags, "device": device}
    return [sys.executable, "-m", "rvc", "train", RUN, *(word for name, value in flags.items() for word in (f"--{name}", value)),
            "--no-evaluate", "--no-export-every-save"]


if __name__ == "__main__":
    main()
