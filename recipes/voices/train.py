"""``python -m recipes.voices.train WORK``: both voices, fine-tuned from the starter pair by ``python -m rvc train``, into assets/starter.

WORK/voices holds what they learn from (``recipes.voices.speech``). Called again with more minutes it goes on where it was.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rvc.index import build
from rvc.infer.converter import Converter
from rvc.infer.settings import ConversionSettings
from rvc.paths import ASSETS, Home
from rvc.train.data.clips import ClipList
from rvc.train.run import TrainingRun

FLAGS = {"base-model": "starter", "sample-rate": "24000", "model-size": "small", "embedder": "builtin", "f0-method": "swift",
         "held-out-percent": "0", "batch-size": "6", "slice-seconds": "2", "epochs": "1000", "learning-rate": "2e-4", "ema-decay": "0.99",
         "save-every-epochs": "10", "mel-loss": "multi-scale"}
# 9 MB of an index. Fifty content frames a second are much alike: every third or fourth says nearly all of three minutes.
MOST_VECTORS = 3000
SOURCE = ASSETS / "samples" / "source.flac"  # 86 Hz


@dataclass(frozen=True)
class Voice:
    """And how the source clip becomes it."""

    name: str
    pitch_shift: float  # semitones from the clip's median to the voice's
    index_rate: float = 0.0  # an index of three minutes costs words and brings no likeness: docs/starter.md

    @property
    def settings(self) -> dict[str, float]:
        return {"pitch_shift": self.pitch_shift, "index_rate": self.index_rate}


VOICES = (Voice("lark", 14), Voice("owl", -4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="the folder that recipes.voices.speech was given")
    parser.add_argument("--only", choices=[voice.name for voice in VOICES], help="one of the voices; two at once on two cores")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, for each")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    home = Home(asked.work.resolve() / "voices-home")
    for voice in (one for one in VOICES if asked.only in (None, one.name)):
        subprocess.run(command(voice.name, asked.work.resolve() / "voices" / voice.name, asked.minutes, asked.device),
                       env={**os.environ, "TIMBRE_HOME": str(home.root)}, check=True)
        made = publish(voice, TrainingRun.named(home, voice.name), Home.here().starter / "voices" / voice.name)
        print("\n".join(f"{path} {path.stat().st_size / 1e6:.1f} MB" for path in made))


def command(name: str, data: Path, minutes: float, device: str) -> list[str]:
    flags = {"dataset": str(data), **FLAGS, "minutes": f"{minutes:g}", "device": device}
    return [sys.executable, "-m", "rvc", "train", name, *(word for key, value in flags.items() for word in (f"--{key}", value)),
            "--no-evaluate", "--no-export-every-save"]


def publish(voice: Voice, run: TrainingRun, folder: Path) -> list[Path]:
    """The newest voice of ``run``, a small index of it, and what it makes of the source clip, with which settings.

    The card is written by hand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, index, suited, sample = (folder / name for name in (*(voice.name + end for end in (".pth", ".index", ".json")), "sample.flac"))
    shutil.copy(run.voices()[-1], weights)
    build.build([every_nth([run.features / f"{clip.name}.npy" for clip in ClipList.read(run.filelist).clips], MOST_VECTORS)], index)
    settings = ConversionSettings(**voice.settings, output_format="flac")
    for _ in Converter(Home(folder.parent)).convert(SOURCE, sample, weights, settings):
        pass
    suited.write_text(json.dumps(voice.settings) + "\n", encoding="utf-8")
    return [weights, index, suited, sample]


def every_nth(paths: list[Path], most: int) -> np.ndarray:
    """At most ``most`` rows of all files together, evenly spaced."""
    rows = np.concatenate([np.load(path) for path in paths])
    return rows[:: -(-len(rows) // most)]


if __name__ == "__main__":
    main()
