"""``python -m recipes.encoder.prepare CORPUS WORK``: what the student trains on, computed once, one file per speaker.

Speakers that are in WORK already are left alone; ``--only`` splits the work over processes.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recipes.corpus import clips
from recipes.encoder import targets
from recipes.encoder.teacher import Teacher
from rvc.embedders.frames import FRAME_FIELD, FRAME_STEP, frame_count, padded
from rvc.embedders.mini import LogMel

SPEEDS = (0.8, 0.88, 0.95, 1.0, 1.06, 1.14, 1.25)  # the first is drawn anew around these for every utterance
COPIES = 4
UNKNOWN = ""


@dataclass(frozen=True, eq=False)
class Utterance:
    """``mels``: float16 (N_MELS, 2N) of each copy; ``speeds``: of the copies; ``features``: (N, C) of the copy at speed 1."""

    name: str
    mels: list[np.ndarray]
    speeds: list[float]
    features: np.ndarray
    phones: list[str]  # of the N frames, UNKNOWN where nobody said it


def utterance(entry: clips.Entry, teacher: Teacher, log_mel: LogMel, random: np.random.Generator) -> Utterance:
    samples = entry.samples()
    speeds = [1.0, *(float(speed * random.uniform(0.96, 1.04)) for speed in random.choice(SPEEDS, COPIES - 1, replace=False))]
    mels = [mel_of(targets.at_speed(samples, speed), log_mel) for speed in speeds]
    return Utterance(entry.path.stem, mels, speeds, targets.heard(teacher, samples), phones_of(entry, frame_count(len(samples))))


def mel_of(samples: np.ndarray, log_mel: LogMel) -> np.ndarray:
    """Two mel frames for each frame: the last may lack its second, and repeats its first."""
    with torch.inference_mode():
        mel = log_mel(torch.from_numpy(padded(samples[None])))[0].numpy()
    n_frames = frame_count(len(samples))
    return np.pad(mel[:, : 2 * n_frames], ((0, 0), (0, max(0, 2 * n_frames - mel.shape[1]))), mode="edge").astype(np.float16)


def phones_of(entry: clips.Entry, n_frames: int) -> list[str]:
    """The sound at the middle of every frame, with its language: alphabets differ."""
    middles = (np.arange(n_frames) * FRAME_STEP + FRAME_FIELD / 2) / clips.SAMPLE_RATE
    named = [UNKNOWN] * n_frames
    for phone in entry.phones():
        for frame in np.flatnonzero((middles >= phone.start) & (middles < phone.stop)):
            named[frame] = f"{entry.language} {phone.name}"
    return named


def write(path: Path, utterances: list[Utterance]) -> None:
    """Everything of a speaker, end to end; ``lengths`` (copies, utterances) count frames."""
    lengths = np.array([[one.mels[copy].shape[1] // 2 for one in utterances] for copy in range(COPIES)])
    mels = {f"mel_{copy}": np.concatenate([one.mels[copy] for one in utterances], axis=1) for copy in range(COPIES)}
    unfinished = path.with_suffix(".part.npz")
    np.savez(unfinished, names=np.array([one.name for one in utterances]), lengths=lengths,
             speeds=np.array([one.speeds for one in utterances]).T,
             features=np.concatenate([one.features for one in utterances]).astype(np.float16),
             phones=np.concatenate([np.array(one.phones) for one in utterances]), **mels)
    unfinished.replace(path)


def prepare(entries: Iterable[clips.Entry], work: Path, device: torch.device) -> None:
    work.mkdir(parents=True, exist_ok=True)
    teacher, log_mel = Teacher(device), LogMel()
    by_speaker: dict[str, list[clips.Entry]] = {}
    for entry in entries:
        by_speaker.setdefault(entry.speaker, []).append(entry)
    for speaker, own in by_speaker.items():
        path, random = work / f"{speaker}.npz", np.random.default_rng(len(own))
        if not path.is_file():
            write(path, [utterance(entry, teacher, log_mel, random) for entry in own])
            print(f"{speaker}: {len(own)} clips", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", nargs="*", help="speakers")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    entries = [entry for entry in clips.read(arguments.corpus) if not entry.held_out]
    chosen = [entry for entry in entries if not arguments.only or entry.speaker in arguments.only]
    prepare(chosen, arguments.work, torch.device(arguments.device))


if __name__ == "__main__":
    main()
