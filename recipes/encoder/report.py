"""``python -m recipes.encoder.report CORPUS``: the encoder beside its teacher and log-mel, on speakers and sentences never trained on.

ABX error: of two sounds A and B and a third X that is another A, how often X lies nearer to B (cosine; sounds are the means of their
frames, in any context). Within: all three of one speaker. Across: X of another speaker of the language. Every pair of sounds counts
the same.

Speaker: how often a linear model names the speaker of a stretch of unheard speech from its mean frame, among the unheard speakers of the
language; learnt from half the sentences, asked about the other half. Chance is 1 over their number.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recipes.corpus import clips, synthesis
from recipes.encoder.teacher import Teacher
from rvc.embedders.builtin import Builtin
from rvc.embedders.frames import FRAME_FIELD, FRAME_STEP, SAMPLE_RATE, frame_count, padded
from rvc.embedders.mini import LogMel
from rvc.embedders.registry import BUILTIN_WEIGHTS

LANGUAGES = {"en": "English", "cs": "Czech", "it": "Italian"}
PAUSES = {"pau", "#", "_", "h#", "sil", "ssil", "brth"}
FEWEST = 6  # of a sound, by a speaker, to be asked about
MOST = 24  # of a sound, by a speaker
STRETCHES = {"0.1 s": 5, "0.5 s": 25, "sentence": None}  # frames
SPEED_SECONDS, SPEED_RUNS = 60, 5

Extract = Callable[[np.ndarray], np.ndarray]  # (n,) samples -> (N, C)


@dataclass(frozen=True, eq=False)
class Said:
    """An utterance as one kind of features says it."""

    speaker: str
    features: np.ndarray  # (N, C)
    sounds: dict[str, list[np.ndarray]]  # the mean frame of each, of length 1


def said(entry: clips.Entry, extract: Extract) -> Said:
    features = extract(entry.samples())
    sounds: dict[str, list[np.ndarray]] = {}
    for phone in entry.phones():
        first, last = (round((seconds * SAMPLE_RATE - FRAME_FIELD / 2) / FRAME_STEP) for seconds in (phone.start, phone.stop))
        frames = features[max(0, first) : max(first + 1, last)]
        if phone.name not in PAUSES and len(frames):
            mean = frames.mean(axis=0)
            sounds.setdefault(phone.name.rstrip("0123456789"), []).append(mean / np.linalg.norm(mean))  # Italian vowels count their stress
    return Said(entry.speaker, features, sounds)


def abx(by_speaker: dict[str, dict[str, np.ndarray]], across: bool) -> float:
    """``by_speaker``: speaker -> sound -> (k, C) of length 1. The mean error over pairs of sounds and (pairs of) speakers."""
    pairs = itertools.permutations(by_speaker, 2) if across else ((speaker, speaker) for speaker in by_speaker)
    return float(np.mean([error for one, other in pairs for error in _errors(by_speaker[one], by_speaker[other], across)]))


def _errors(near: dict[str, np.ndarray], far: dict[str, np.ndarray], across: bool) -> Iterator[float]:
    """A and B of one speaker, X of ``far``: the error for each ordered pair of sounds."""
    for a, b in itertools.permutations(near.keys() & far.keys(), 2):
        to_a, to_b = far[a] @ near[a].T, far[a] @ near[b].T  # likeness of each X to each A and each B
        wrong = (to_a[:, :, None] < to_b[:, None, :]).astype(float)
        if not across:
            keep = ~np.eye(len(to_a), dtype=bool)  # X is not its own A
            wrong = wrong[keep]
        yield float(wrong.mean())


def sounds_of(utterances: list[Said], random: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    """Speaker -> sound -> at most ``MOST`` of them, at least ``FEWEST``; only sounds that every speaker has."""
    found: dict[str, dict[str, list]] = {}
    for one in utterances:
        for name, means in one.sounds.items():
            found.setdefault(one.speaker, {}).setdefault(name, []).extend(means)
    common = set.intersection(*({name for name, means in sounds.items() if len(means) >= FEWEST} for sounds in found.values()))
    return {speaker: {name: np.stack([sounds[name][i] for i in random.permutation(len(sounds[name]))[:MOST]]) for name in sorted(common)}
            for speaker, sounds in found.items()}


def speaker_named(utterances: list[Said], stretch: int | None) -> float:
    """The share of stretches, ``stretch`` frames long, whose speaker a linear model names."""
    pieces: tuple[list, list] = ([], [])
    for number, one in enumerate(utterances):
        size = stretch or len(one.features)
        for start in range(0, len(one.features) - size + 1, size):
            pieces[number % 2].append((one.features[start : start + size].mean(axis=0), one.speaker))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    model.fit(*map(list, zip(*pieces[0], strict=True)))
    return float(model.score(*map(list, zip(*pieces[1], strict=True))))


def realtime(extract: Extract, threads: int) -> float:
    """Seconds of sound in a second of ``threads`` cores: the best of a few runs."""
    before, samples = torch.get_num_threads(), np.random.default_rng(0).normal(0, 0.1, SPEED_SECONDS * SAMPLE_RATE).astype(np.float32)
    torch.set_num_threads(threads)
    seconds = []
    for _ in range(SPEED_RUNS):
        began = time.perf_counter()
        extract(samples)
        seconds.append(time.perf_counter() - began)
    torch.set_num_threads(before)
    return SPEED_SECONDS / min(seconds)


def kinds(weights: Path) -> dict[str, Extract]:
    cpu = torch.device("cpu")
    log_mel, teacher, ours = LogMel(), Teacher(cpu), Builtin("v2", cpu, weights)

    def mel(samples: np.ndarray) -> np.ndarray:
        frames = log_mel(torch.from_numpy(padded(samples[None])))[0].numpy().T
        return np.stack([frames[2 * i : 2 * i + 2].mean(axis=0) for i in range(frame_count(len(samples)))])

    def single(embedder: Teacher | Builtin) -> Extract:
        return lambda samples: embedder.extract(samples[None])[0]

    return {"log-mel": mel, "teacher": single(teacher), "ours": single(ours)}


def figures(utterances: list[Said]) -> list[float]:
    """ABX within and across, then how often the speaker is named from each of ``STRETCHES``."""
    sounds = sounds_of([one for one in utterances if one.sounds], np.random.default_rng(0))
    return [abx(sounds, across=False), abx(sounds, across=True), *(speaker_named(utterances, stretch) for stretch in STRETCHES.values())]


def table(corpus: Path, weights: Path) -> Iterator[str]:
    """Markdown, line by line as it is worked out."""
    unheard = {speaker.name for speaker in synthesis.SPEAKERS if speaker.unheard}
    entries = [entry for entry in clips.read(corpus) if entry.speaker in unheard]
    yield f"| language | features | ABX within | ABX across | {' | '.join(f'speaker, {stretch}' for stretch in STRETCHES)} |"
    yield "|---" * (4 + len(STRETCHES)) + "|"
    extracts = kinds(weights)
    for language, title in LANGUAGES.items():
        own = [entry for entry in entries if entry.language == language]
        n_speakers = len({entry.speaker for entry in own})
        for kind, extract in extracts.items():
            shown = " | ".join(f"{100 * figure:.1f} %" for figure in figures([said(entry, extract) for entry in own]))
            yield f"| {title}, {n_speakers} speakers | {kind} | {shown} |"
    for kind, extract in extracts.items():
        yield f"{kind}: {realtime(extract, 1):.0f}x real time on one core, {realtime(extract, 2):.0f}x on two"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--weights", type=Path, default=BUILTIN_WEIGHTS)
    arguments = parser.parse_args()
    for line in table(arguments.corpus, arguments.weights):
        print(line, flush=True)


if __name__ == "__main__":
    main()
