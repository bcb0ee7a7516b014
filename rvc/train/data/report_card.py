"""What a dataset is good for, before anything is trained on it: heard once as a stream, judged by the rules that training uses. No torch.

Every number that advice depends on stands here with its reason; the advice is sentences, and none of it is ever applied by itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rvc.events import Event, Progress
from rvc.f0 import registry
from rvc.f0.detector import Detector
from rvc.paths import Home
from rvc.train.data.heldout import FEWEST_RECORDINGS
from rvc.train.data.measures import Measured, level_at, measured, share_under
from rvc.train.data.recordings import Recording, Recordings, some
from rvc.train.data.side_by_side import Reached, side_by_side
from rvc.train.data.slicer import SILENCE_DB
from rvc.train.settings import DataSettings

RATES = (24_000, 32_000, 40_000, 48_000)
LARGE_MINUTES = 30.0  # what the community's guides draw the line at between a batch of 4 and one of 8
SMALL_BATCH, LARGE_BATCH = 4, 8
FEW_MINUTES, ENOUGH_MINUTES = 5.0, 10.0
NOISY_DB = -50.0  # a quiet room with a usable microphone lies under -60
CLIPPED_SHARE = 1e-4  # of the samples of a file: a few per second
NARROW = 0.6  # a recording with less than this part of the usual bandwidth is named
MOSTLY_SILENCE = 0.5

_SPARE = 0.95  # the last twentieth of a bandwidth is the slope of a filter
_DIGITAL_SILENCE_DB = -96  # below the lowest step of 16 bit there is no room to hear
_PITCH_SECONDS, _EXCERPT_SECONDS = 180.0, 3.0
_UNKNOWN_SECONDS = 10.0  # taken as the length of a recording that does not say
_DETECTORS = ("swift", "fcpe", "crepe-tiny")  # by what they cost


@dataclass(frozen=True)
class SpeakerCard:
    """One speaker of a dataset: what there is of it to train on."""

    speaker_id: int
    name: str
    recordings: int
    minutes: float


@dataclass(frozen=True, kw_only=True)
class ReportCard:
    """A dataset at a glance. Levels are in dBFS, shares are 0 to 1, ``None`` is what could not be told."""

    dataset: str
    sample_rate: int  # that the dataset was judged for
    recordings: int
    minutes: float  # of all recordings that can be read
    usable_minutes: float  # in clips; what neighbouring ones share counts once
    clips: int
    speakers: tuple[SpeakerCard, ...]
    silence_share: float
    clipped_share: float
    clipped_files: dict[str, float]  # share of samples, for those where it matters
    noise_floor_db: float | None
    bandwidth_hz: float | None
    narrow_files: dict[str, float]  # bandwidth in Hz of those far below the rest
    suggested_sample_rate: int | None
    sample_rate_reason: str
    f0_median_hz: float | None
    f0_low_hz: float | None  # 5th and 95th percentile of voiced frames
    f0_high_hz: float | None
    f0_method: str | None
    duplicates: tuple[tuple[str, ...], ...]  # recordings of equal sound, under whatever names and in whatever lossless formats
    left_out: dict[str, str]
    suggested_batch_size: int
    batch_size_reason: str
    advice: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def facts(self) -> dict[str, str]:
        """The numbers as people read them, by short names."""
        pitch = f"{self.f0_median_hz:.0f} Hz ({self.f0_low_hz:.0f} to {self.f0_high_hz:.0f})" if self.f0_median_hz else "none found"
        return {
            "Usable speech": _minutes(self.usable_minutes),
            "Clips": str(self.clips),
            "Recordings": f"{self.recordings}" + (f", {len(self.left_out)} left out" if self.left_out else ""),
            "Speakers": str(len(self.speakers)),
            "Silence": f"{self.silence_share:.0%}",
            "Clipping": f"{self.clipped_share:.2%}" if self.clipped_files else "none to speak of",
            "Noise floor": "unknown" if self.noise_floor_db is None else f"{self.noise_floor_db:.0f} dBFS",
            "Bandwidth": _khz(self.bandwidth_hz) if self.bandwidth_hz else "unknown",
            "Pitch": pitch,
            "Duplicates": str(sum(len(group) - 1 for group in self.duplicates)) if self.duplicates else "none",
        }


def report_card(
    dataset: Path,
    settings: DataSettings,
    *,
    detector: Detector | None = None,
    stop: Callable[[], bool] = lambda: False,
    workers: int | None = None,
) -> Iterator[Event | ReportCard]:
    """Progress, then the card as the last item; ends early, without one, when ``stop`` says so or when it is closed.

    detector: finds the pitch of three minutes at most, spread over the dataset; ``None`` takes the cheapest that is installed.
    ``DatasetError`` when there is no dataset, no audio in it, or it is unclear whose voice a recording is.
    """
    found = Recordings.find(dataset)
    reached = Reached("listen", found.recordings)
    excerpts = _excerpts(reached.seconds)

    def hear(recording: Recording, number: int, tell: Callable[[float], None]) -> Measured:
        return measured(recording, settings, excerpts[number], tell)

    results: list[Measured] = []
    with closing(side_by_side(found.recordings, hear, stop, reached, workers)) as heard:
        for recording, one in heard:
            if one is not None:
                results.append(one)
            yield reached.progress(recording, finished=len(results) if one is not None else None)
    if len(results) < len(found.recordings):
        return
    yield Progress(stage="pitch", done=0, total=1, unit="", message="Listening to the pitch")
    detector = detector or _cheapest()
    hz = _voiced_hz(results, detector) if detector else np.zeros(0)
    yield _card(found, settings, results, hz, detector.name if detector else None)


def _excerpts(lengths: Sequence[float]) -> list[list[tuple[float, float]]]:
    """For each recording, which seconds of it the pitch is found in: short stretches at even distances over the whole dataset."""
    lengths = [one or _UNKNOWN_SECONDS for one in lengths]
    total = sum(lengths)
    every = max(_EXCERPT_SECONDS, total / (_PITCH_SECONDS / _EXCERPT_SECONDS))
    starts = np.arange(0.0, total, every)
    ends = np.cumsum(lengths)
    found: list[list[tuple[float, float]]] = [[] for _ in lengths]
    for start in starts:
        number = min(int(np.searchsorted(ends, start, side="right")), len(lengths) - 1)
        within = float(start - (ends[number] - lengths[number]))
        found[number].append((within, within + _EXCERPT_SECONDS))
    return found


def _cheapest() -> Detector | None:
    home = Home.here()
    name = next((one for one in _DETECTORS if registry.missing(one, home) is None), None)
    if name == "swift":  # which needs no torch
        from rvc.f0.swift import Swift

        return Swift()
    if name:
        import torch

        return registry.load(name, torch.device("cpu"), home)
    return None


def _voiced_hz(results: list[Measured], detector: Detector) -> np.ndarray:
    tracks = [detector.detect(excerpt.samples) for one in results for excerpt in one.excerpts]
    return np.concatenate([track.hz[track.voiced] for track in tracks]) if tracks else np.zeros(0)


def _card(found: Recordings, settings: DataSettings, results: list[Measured], hz: np.ndarray, f0_method: str | None) -> ReportCard:
    names = [one.name for one in found.recordings]
    usable = sum(one.usable_seconds for one in results) / 60
    levels = sum(one.levels_db for one in results)
    bandwidth = _bandwidth(results)
    rate, rate_reason = suggested_sample_rate(bandwidth)
    batch, batch_reason = suggested_batch_size(usable)
    low, median, high = (float(one) for one in np.percentile(hz, (5, 50, 95))) if len(hz) else (None, None, None)
    facts: dict[str, Any] = {
        "dataset": str(found.dataset), "sample_rate": settings.sample_rate, "recordings": len(results),
        "minutes": sum(one.seconds for one in results) / 60, "usable_minutes": usable, "clips": sum(one.clips for one in results),
        "speakers": _speakers(found, results),
        "silence_share": share_under(levels, SILENCE_DB),
        "clipped_share": sum(one.clipped for one in results) / max(1, sum(one.n_samples for one in results)),
        "clipped_files": {name: one.clipped / one.n_samples for name, one in zip(names, results, strict=True)
                          if one.clipped > CLIPPED_SHARE * one.n_samples},
        "noise_floor_db": level_at(levels, 0.05, above_db=_DIGITAL_SILENCE_DB),
        "bandwidth_hz": bandwidth,
        "narrow_files": {name: one.bandwidth_hz for name, one in zip(names, results, strict=True)
                         if bandwidth and one.clips and one.bandwidth_hz < NARROW * bandwidth},
        "suggested_sample_rate": rate, "sample_rate_reason": rate_reason,
        "f0_median_hz": median, "f0_low_hz": low, "f0_high_hz": high, "f0_method": f0_method,
        "duplicates": _duplicates(names, results),
        "left_out": {name: one.left_out for name, one in zip(names, results, strict=True) if one.left_out},
        "suggested_batch_size": batch, "batch_size_reason": batch_reason,
    }
    card = ReportCard(**facts, advice=())
    return ReportCard(**facts, advice=(*found.remarks, *_advice(card)))


def _speakers(found: Recordings, results: list[Measured]) -> tuple[SpeakerCard, ...]:
    cards = []
    for speaker_id, name in found.speaker_names.items():
        own = [one for recording, one in zip(found.recordings, results, strict=True) if recording.speaker_id == speaker_id]
        cards.append(SpeakerCard(speaker_id, name, len(own), sum(one.usable_seconds for one in own) / 60))
    return tuple(cards)


def _bandwidth(results: list[Measured]) -> float | None:
    """Of the recording in the middle, by what there is to learn from each."""
    usable = sorted((one.bandwidth_hz, one.usable_seconds) for one in results if one.clips)
    if not usable:
        return None
    reached = np.cumsum([seconds for _, seconds in usable])
    return usable[int(np.searchsorted(reached, reached[-1] / 2))][0]


def _duplicates(names: list[str], results: list[Measured]) -> tuple[tuple[str, ...], ...]:
    same: dict[str, list[str]] = defaultdict(list)
    for name, one in zip(names, results, strict=True):
        if one.sound:
            same[one.sound].append(name)
    return tuple(tuple(group) for group in same.values() if len(group) > 1)


def suggested_sample_rate(bandwidth_hz: float | None) -> tuple[int | None, str]:
    """The lowest rate of a voice that keeps all there is, and why."""
    if bandwidth_hz is None:
        return None, ""
    rate = next((one for one in RATES if one / 2 >= _SPARE * bandwidth_hz), RATES[-1])
    return rate, (f"The recordings hold sound up to {_khz(bandwidth_hz)}. {_khz(rate)} keeps what there is (half of a sample rate is the "
                  f"highest frequency); a higher one would have to invent the rest.")


def suggested_batch_size(usable_minutes: float) -> tuple[int, str]:
    """How many clips a step, by the minutes of speech, and why."""
    large = usable_minutes >= LARGE_MINUTES
    amount = f"{'There are' if large else 'There are only'} {_minutes(usable_minutes)} of usable speech: "
    if large:
        return LARGE_BATCH, amount + f"from {LARGE_MINUTES:g} minutes on, {LARGE_BATCH} clips a step give steadier updates in less time."
    return SMALL_BATCH, amount + f"under {LARGE_MINUTES:g} minutes, {SMALL_BATCH} clips a step learn more from each of them."


def _advice(card: ReportCard) -> Iterator[str]:
    """Sentences on what stands out, the gravest first."""
    if not card.clips:
        yield "Nothing in it can be trained on: the reasons stand with the files that are left out."
        return
    if card.usable_minutes < FEW_MINUTES:
        yield (f"{_minutes(card.usable_minutes)} of speech is very little: record {FEW_MINUTES:g} minutes at least, better "
               f"{ENOUGH_MINUTES:g}.")
    elif card.usable_minutes < ENOUGH_MINUTES:
        yield f"{_minutes(card.usable_minutes)} of speech is enough to begin with; {ENOUGH_MINUTES:g} minutes or more sound better."
    yield from _about_sound(card)
    yield from _about_rate(card)
    if card.duplicates:
        yield (f"The same sound is there more than once: {some([' = '.join(group) for group in card.duplicates], 3)}. It would count "
               f"that often in training; remove the copies.")
    yield from _about_speakers(card)
    if len(card.left_out):
        yield f"Left out: {some(card.left_out)}."
    if card.recordings < FEWEST_RECORDINGS:
        yield (f"Of fewer than {FEWEST_RECORDINGS} recordings none is held out, so saved epochs cannot be scored. Long ones can be split "
               f"into several files.")


def _about_sound(card: ReportCard) -> Iterator[str]:
    if card.clipped_files:
        worst = sorted(card.clipped_files, key=card.clipped_files.__getitem__, reverse=True)
        yield f"Clipped, so that it will sound harsh: {some(worst)}. Record with less gain, or leave these out."
    if card.noise_floor_db is not None and card.noise_floor_db > NOISY_DB:
        yield (f"The pauses are not quiet ({card.noise_floor_db:.0f} dBFS): the voice will learn that noise or music. Remove it first, or "
               f"record in a quieter room.")
    if card.silence_share > MOSTLY_SILENCE:
        yield f"{card.silence_share:.0%} of it is silence, which is cut away."


def _about_rate(card: ReportCard) -> Iterator[str]:
    if card.suggested_sample_rate is None:
        return
    if card.suggested_sample_rate < card.sample_rate:
        yield (f"The recordings end at {_khz(card.bandwidth_hz or 0)}, so {_khz(card.sample_rate)} is more than they fill: "
               f"{_khz(card.suggested_sample_rate)} is worth choosing.")
    elif card.suggested_sample_rate > card.sample_rate:
        yield (f"The recordings reach {_khz(card.bandwidth_hz or 0)}: {_khz(card.suggested_sample_rate)} would keep more of them than "
               f"{_khz(card.sample_rate)}.")
    if card.narrow_files:
        yield f"Much duller than the rest: {some([f'{name} ({_khz(hz)})' for name, hz in card.narrow_files.items()])}."


def _about_speakers(card: ReportCard) -> Iterator[str]:
    if len(card.speakers) < 2:
        return
    shown = [f"{one.name} ({_minutes(one.minutes)})" for one in card.speakers]
    yield (f"{len(shown)} speakers, by their folders: {some(shown, 12)}. One voice learns them all; which one speaks is chosen at "
           f"conversion.")
    if silent := [one.name for one in card.speakers if not one.minutes]:
        yield f"Nothing usable of: {some(silent)}."


def _khz(hz: float) -> str:
    return f"{hz / 1000:.3g} kHz"


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return f"{round(60 * minutes)} seconds"
    return f"{minutes:.1f} minutes" if minutes < 10 else f"{round(minutes)} minutes"
