"""Synthetic speakers. Flite and Festival say which speech sound is heard when; the others only speak."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from recipes.corpus import sentences
from recipes.corpus.clips import Clip, Phone, at_16k
from recipes.corpus.packages import Packages

Spoken = tuple[np.ndarray, int, tuple[Phone, ...]]  # samples, sample rate, sounds if known
Voice = Callable[[Packages, list[str]], Iterator[Spoken]]


@dataclass(frozen=True)
class Speaker:
    """``unheard``: nothing of this speaker is trained on; only held-out sentences are spoken."""

    name: str
    voice: Voice
    unheard: bool = False
    most: int | None = None  # sentences to train on; of the held-out ones at most as many

    def clips(self, packages: Packages) -> Iterator[Clip]:
        numbered = self._texts(sentences.of(self.name.split("-")[0], packages))
        spoken = self.voice(packages, [text for _, text in numbered])
        for (number, text), (samples, sample_rate, phones) in zip(numbered, spoken, strict=True):
            yield Clip(self.name, f"{number:03}", at_16k(samples, sample_rate), number >= sentences.TRAIN, text, phones)

    def _texts(self, texts: list[str]) -> list[tuple[int, str]]:
        numbered = list(enumerate(texts))
        train, held_out = numbered[: sentences.TRAIN][: self.most], numbered[sentences.TRAIN :][: self.most]
        return held_out if self.unheard else [*train, *held_out]


def clips(packages: Packages) -> Iterator[Clip]:
    for speaker in SPEAKERS:
        yield from speaker.clips(packages)


def flite(name: str) -> Voice:
    def voice(packages: Packages, texts: list[str]) -> Iterator[Spoken]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
            for text in texts:
                command = [packages.program("flite"), "-voice", name, "-psdur", "-t", text, "-o", wav.name]
                said = subprocess.run(command, env=packages.environment(), check=True, capture_output=True, text=True).stdout
                yield *soundfile.read(wav.name, dtype="float32"), _ends_to_phones(re.findall(r"(\S+):([\d.]+)", said))

    return voice


def festival(name: str, encoding: str = "ascii") -> Voice:
    """All sentences in one go: Festival takes seconds to begin."""

    def voice(packages: Packages, texts: list[str]) -> Iterator[Spoken]:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "say.scm"
            script.write_text(_festival_script(name, packages, texts, Path(folder)), encoding=encoding, errors="replace")
            command = [packages.program("festival"), "--libdir", packages.festival, "--datadir", packages.festival, "-b", script]
            subprocess.run(command, env=packages.environment(), check=True, capture_output=True)
            for number in range(len(texts)):
                labels = (Path(folder) / f"{number}.lab").read_text(encoding=encoding).splitlines()[1:]  # the first is a "#"
                ends = [(line[2], line[0]) for line in map(str.split, labels)]
                yield *soundfile.read(Path(folder) / f"{number}.wav", dtype="float32"), _ends_to_phones(ends)

    return voice


def _festival_script(name: str, packages: Packages, texts: list[str], folder: Path) -> str:
    voices = f"'(\"{packages.festival}/voices/\")"
    lines = [f"(set! system-voice-path {voices}) (set! voice-path {voices}) (search-for-voices) (voice_{name})"]
    for number, text in enumerate(texts):
        lines.append(f'(set! u (utt.synth (Utterance Text "{text}"))) (utt.save.wave u "{folder}/{number}.wav") '
                     f'(utt.save.segs u "{folder}/{number}.lab")')
    return "\n".join(lines)


def espeak(name: str) -> Voice:
    def voice(packages: Packages, texts: list[str]) -> Iterator[Spoken]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
            for text in texts:
                subprocess.run([packages.program("espeak-ng"), "-v", name, "-w", wav.name, text], env=packages.environment(), check=True)
                yield *soundfile.read(wav.name, dtype="float32"), ()

    return voice


def hibari(packages: Packages, texts: list[str]) -> Iterator[Spoken]:
    model = _hibari(packages)
    for text in texts:
        yield model(text, seed=0), model.sample_rate, ()


def hibari_phonemes(packages: Packages, texts: list[str]) -> Iterator[str]:
    """In the alphabet that it shares with Kokoro."""
    model = _hibari(packages)
    for text in texts:
        yield "".join(model.phonemize(text))


def _hibari(packages: Packages):
    if str(packages.python) not in sys.path:
        sys.path.append(str(packages.python))
    from hibari import Hibari

    return Hibari()


def _ends_to_phones(ends: list[tuple[str, str]]) -> tuple[Phone, ...]:
    stops = [float(stop) for _, stop in ends]
    return tuple(Phone(start, stop, name) for start, stop, (name, _) in zip([0.0, *stops], stops, ends, strict=False))


# Of every group some are unheard, so that what is reported on them was learnt from others. No Italian diphone voice is heard at all.
SPEAKERS = (
    Speaker("en-heart", hibari),
    Speaker("en-flite-awb", flite("awb")),
    Speaker("en-flite-kal", flite("kal16"), most=70),
    Speaker("en-flite-rms", flite("rms"), unheard=True),
    Speaker("en-flite-slt", flite("slt"), unheard=True),
    Speaker("en-ked", festival("ked_diphone"), unheard=True),
    Speaker("cs-machac", festival("czech_machac", "iso-8859-2"), most=70),
    Speaker("cs-krb", festival("czech_krb", "iso-8859-2"), most=70),
    Speaker("cs-dita", festival("czech_dita", "iso-8859-2"), unheard=True),
    Speaker("cs-ph", festival("czech_ph", "iso-8859-2"), unheard=True),
    Speaker("it-lp", festival("lp_diphone", "iso-8859-1"), unheard=True),
    Speaker("it-pc", festival("pc_diphone", "iso-8859-1"), unheard=True),
    Speaker("en-espeak-m3", espeak("en-us+m3"), most=20),
    Speaker("en-espeak-f2", espeak("en-gb+f2"), most=20),
    Speaker("en-espeak-klatt", espeak("en-us+klatt2"), most=20),
    Speaker("it-espeak-f4", espeak("it+f4"), most=20),
    Speaker("it-espeak-m7", espeak("it+m7"), most=20),
)
