"""``python -m recipes.base.train CORPUS``: the base model, trained on the corpus of ``recipes.corpus`` by ``python -m rvc train``.

Called again it goes on where it was. When it is done, ``python -m recipes.base.export`` puts the pair into assets/starter.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from recipes.base import blank, dataset
from rvc.paths import Home

RUN = "starter"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``flags`` are those of ``rvc train`` that differ from machine to machine."""

    minutes_each: float  # of every speaker
    flags: dict[str, str]

    def lasting(self, epochs: int | None) -> "Plan":
        """``None``: as long as it is."""
        return self if epochs is None else replace(self, flags=self.flags | {"epochs": str(epochs)})


# What all plans share. The pitch detector is the fastest: nothing here depends on its last cent. The bands of one resolution cannot tell
# a hum from a voice above 1.5 kHz; after 90 steps on seven the spectra were 10 % nearer at all seven and as near at the one.
FLAGS = {"sample-rate": "24000", "model-size": "small", "base-model": blank.NAME, "embedder": "builtin", "f0-method": "swift",
         "held-out-percent": "0", "overlap-seconds": "0.1", "schedule": "cosine", "warmup-steps": "100", "clip-generator": "1000",
         "mel-loss": "multi-scale"}
# A GPU: about 100,000 steps of two hours of speech, against the discriminator from the first on, as the family trains.
# A CPU: 5400 steps of the generator alone at a second each on two cores, which is where the shipped pretrain's got to, then 1000 with the
# discriminator at 1.6 s, whose rate begins high because the schedule has it small by then.
PLANS = {
    "cuda": Plan(minutes_each=30, flags={"batch-size": "16", "epochs": "600", "save-every-epochs": "25", "learning-rate": "2e-4",
                                         "ema-decay": "0.999"}),
    "cpu": Plan(minutes_each=5, flags={"batch-size": "6", "epochs": "20", "save-every-epochs": "2", "learning-rate": "6e-4",
                                       "learning-rate-d": "2e-3", "generator-alone-steps": "5400", "slice-seconds": "2"}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="the folder that recipes.corpus made")
    parser.add_argument("--home", type=Path, default=Path("base-home"), help="where the dataset and the run go")
    parser.add_argument("--device", choices=PLANS, default="cuda", help="cuda takes some hours, cpu two for less")
    parser.add_argument("--epochs", type=int, help="more or fewer than planned; the learning rate reaches zero at the last one")
    asked = parser.parse_args()
    home, plan = asked.home.resolve(), PLANS[asked.device].lasting(asked.epochs)
    data = home / "dataset"
    if not data.is_dir():
        for speaker, minutes in dataset.build(asked.corpus, data, plan.minutes_each).items():
            print(f"{speaker:20} {minutes:5.1f} min", flush=True)
    blank.pair(Home(home))
    sys.exit(subprocess.run(command(data, plan, asked.device), env={**os.environ, "TIMBRE_HOME": str(home)}).returncode)


def command(data: Path, plan: Plan, device: str) -> list[str]:
    flags = {"dataset": str(data), **FLAGS, **plan.flags, "device": device}
    return [sys.executable, "-m", "rvc", "train", RUN, *(word for name, value in flags.items() for word in (f"--{name}", value)),
            "--no-evaluate", "--no-export-every-save"]


if __name__ == "__main__":
    main()
