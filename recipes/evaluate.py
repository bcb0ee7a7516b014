"""``python -m recipes.evaluate CORPUS --voice NAME --target FOLDER``: how good a voice is at saying what others said.

Converts a fixed set of clips, of speakers that no base model and no voice was trained on, and a few of one that the base knows, and has
them judged beside their sources (``recipes/judges.py``). The figures are means over clips; the recogniser hears English ones only.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from zlib import crc32

import numpy as np
import torch

from recipes.corpus import clips
from recipes.corpus.clips import Entry
from recipes.judges import (
    SAMPLE_RATE,
    Recogniser,
    Similarity,
    character_error_rate,
    pitch_correlation,
    quality,
    voicing_agreement,
)
from rvc import audio
from rvc.f0 import registry as detectors
from rvc.infer.converter import Converted, Converter
from rvc.infer.settings import ConversionSettings
from rvc.paths import Home

# Real and synthetic, high and low; of en-allison, whom the base has heard, only sentences that nobody has.
SPEAKERS = ("en-flite-slt", "en-flite-rms", "en-ked", "en-allison", "fr-armelle", "es-colombian", "it-menardi")
CLIPS_EACH, SECONDS = 2, (2.5, 8.0)
MOST_TARGETS = 10


@dataclass(frozen=True)
class Figures:
    """Of one clip, or means over several; NaN where nothing was measured."""

    cer: float  # character error rate against what is recognised in the source
    to_target: float  # cosine of voices
    to_source: float
    dnsmos: float  # OVRL
    dnsmos_source: float
    f0: float  # correlation
    voicing: float  # agreement
    rtf: float  # seconds of work for a second of sound


TITLES = {"cer": "CER", "to_target": "like target", "to_source": "like source", "dnsmos": "DNSMOS", "dnsmos_source": "of source",
          "f0": "f0 corr.", "voicing": "voicing", "rtf": "real-time factor"}


class Evaluation:
    """Judges, and what they said about the sources."""

    def __init__(self, home: Home, targets: list[np.ndarray]) -> None:
        self._converter, self._recogniser, self._similarity = Converter(home), Recogniser(), Similarity()
        self._detector = detectors.load("swift", torch.device("cpu"), home)
        self._target = self._similarity.voice(*targets)
        self._target_hz = statistics.median(self._detector.detect(one).median_hz for one in targets)

    def of(self, clip: Path, *, english: bool, voice: str | Path, settings: ConversionSettings) -> Figures:
        source = audio.load(clip, SAMPLE_RATE).samples
        source_f0 = self._detector.detect(source)
        shift = round(12 * math.log2(self._target_hz / source_f0.median_hz)) if source_f0.median_hz else 0
        with tempfile.TemporaryDirectory() as folder:
            settings = settings.model_copy(update={"pitch_shift": max(-24, min(24, shift))})
            report = converted(self._converter, clip, Path(folder) / "made.wav", voice, settings)
            made = audio.load(Path(report.output), SAMPLE_RATE).samples
        own, said_by = self._similarity.voice(made), self._similarity.voice(source)
        made_f0 = self._detector.detect(made)
        return Figures(
            cer=character_error_rate(self._recogniser.said(made), self._recogniser.said(source)) if english else math.nan,
            to_target=float(own @ self._target), to_source=float(own @ said_by), dnsmos=quality(made), dnsmos_source=quality(source),
            f0=pitch_correlation(made_f0, source_f0), voicing=voicing_agreement(made_f0, source_f0), rtf=report.rtf)


def converted(converter: Converter, clip: Path, output: Path, voice: str | Path, settings: ConversionSettings) -> Converted:
    *_, last = converter.convert(clip, output, voice, settings)
    assert isinstance(last, Converted)
    return last


def chosen(entries: list[Entry], speakers: Sequence[str] = SPEAKERS, clips_each: int = CLIPS_EACH) -> Iterator[Entry]:
    """The fixed set: by the names of the clips, whatever their order."""
    for speaker in speakers:
        usable = [one for one in entries if one.speaker == speaker and one.held_out and SECONDS[0] <= one.seconds <= SECONDS[1]]
        yield from sorted(usable, key=lambda one: crc32(one.path.name.encode()))[:clips_each]


def mean(several: list[Figures]) -> Figures:
    """Of every figure over the clips that have it."""
    def over(name: str) -> float:
        values = [value for one in several if not math.isnan(value := getattr(one, name))]
        return statistics.fmean(values) if values else math.nan

    return Figures(**{one.name: over(one.name) for one in fields(Figures)})


def table(rows: dict[str, Figures]) -> str:
    """Markdown."""
    lines = ["| voice | " + " | ".join(TITLES.values()) + " |", "|---" * (len(TITLES) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(_shown(key, getattr(one, key)) for key in TITLES) + " |" for name, one in rows.items()]
    return "\n".join(lines) + "\n"


def _shown(key: str, value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}" if key in ("cer", "voicing") else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="the folder that recipes.corpus made")
    parser.add_argument("--voice", required=True, action="append", help="name or file of a voice; may be given again")
    parser.add_argument("--target", type=Path, required=True, help="recordings of whom the voices are to sound like")
    parser.add_argument("--index-rate", type=float, action="append", help="may be given again; 0 when it is not")
    parser.add_argument("--speaker-id", type=int, default=0)
    parser.add_argument("--speakers", nargs="+", default=SPEAKERS, help="whose clips; the target's own show what the voice does to it")
    parser.add_argument("--clips-each", type=int, default=CLIPS_EACH, help="of every speaker; fewer for a first look")
    parser.add_argument("--json", type=Path, help="where every clip's figures go")
    asked = parser.parse_args()
    targets = [audio.load(path, SAMPLE_RATE).samples for path in sorted(asked.target.iterdir()) if path.suffix in audio.EXTENSIONS]
    evaluation = Evaluation(Home.here(), targets[:MOST_TARGETS])
    entries = list(chosen(clips.read(asked.corpus), asked.speakers, asked.clips_each))
    rows, single = {}, {}
    for voice in asked.voice:
        for rate in asked.index_rate or [0.0]:
            name, settings = f"{Path(voice).stem}, index {rate:g}", ConversionSettings(index_rate=rate, speaker_id=asked.speaker_id)
            single[name] = judged(entries, lambda entry, voice=voice, settings=settings: evaluation.of(
                entry.path, english=entry.language == "en", voice=voice, settings=settings), name)
            rows[name] = mean(list(single[name].values()))
    if asked.json:
        content = {name: {"mean": asdict(rows[name]), "clips": {key: asdict(one) for key, one in single[name].items()}} for name in rows}
        asked.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(table(rows))


def judged(entries: list[Entry], judge: Callable[[Entry], Figures], name: str) -> dict[str, Figures]:
    """Every clip's figures; a line for each on stderr, for it takes seconds."""
    found = {}
    for number, entry in enumerate(entries, start=1):
        key = f"{entry.speaker}/{entry.path.stem}"
        found[key] = judge(entry)
        print(f"{name}: {number}/{len(entries)} {key}: CER {_shown('cer', found[key].cer)}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
