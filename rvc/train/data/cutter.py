"""One recording becomes clips on disk."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np
from scipy import signal
from scipy.io import wavfile

from rvc.audio import Audio, blocks, high_pass_sections
from rvc.audio_samples import SampleFile
from rvc.errors import AudioError
from rvc.paths import storage_error
from rvc.train.data.recordings import Recording
from rvc.train.data.slicer import SILENCE_DB, SILENT, Slicing, Span, gaps, slices
from rvc.train.settings import DataSettings

LOUDEST_PEAK = 2.5  # beyond it a file is broken: integers written as floats, or a runaway effect
QUIETEST_PEAK = 1e-4  # -80 dB, the last three steps of 16 bit: brought to full level it would be hiss
CONTENT_RATE = 16_000  # what embedders and pitch detectors listen to

_IN_MEMORY_SECONDS = 300  # a longer recording lies in a temporary file while it is cut
_WAV_LIMIT_BYTES = 2**32 - 2**16


@dataclass(frozen=True)
class ClipFolders:
    """Where clips go: at the voice's sample rate, and at 16 kHz."""

    clips: Path
    clips_16k: Path


@dataclass(frozen=True)
class Cut:
    """What became of a recording. ``left_out`` says why it became nothing; ``rejected`` counts clips that were not written by reason."""

    clips: int = 0
    seconds_read: float = 0.0
    seconds_used: float = 0.0
    seconds_silent: float = 0.0
    seconds_left_out: float = 0.0
    rejected: dict[str, int] = field(default_factory=dict)
    left_out: str | None = None
    longest_clip_seconds: float = 0.0
    sound: str = ""  # equal for recordings that decode to equal samples, whatever their names and formats


@dataclass(frozen=True)
class Cutter:
    """Cuts recordings as ``settings`` say. Safe to use from several threads."""

    folders: ClipFolders
    settings: DataSettings
    _long_clip: Lock = field(default_factory=Lock, compare=False)  # an hour in one clip takes a gigabyte: one of them at a time

    def cut(self, recording: Recording, number: int, reached: Callable[[float], None]) -> Cut:
        """Write the clips of ``recording``, the ``number``-th of its dataset. One that cannot be read is left out, with the reason.

        ``reached`` is told how many seconds are done, decoding and writing each being one half of the work. It may raise to end the work.
        """
        try:
            mark = hashlib.sha256()
            name = f"{recording.speaker_id}_{number}"
            with self._decoded(recording.path, name, mark, reached) as samples:
                cut = self._cut(samples, name, reached)
                return replace(cut, sound=mark.hexdigest()[:16])
        except AudioError as error:
            return Cut(left_out=str(error))

    def _cut(self, samples: np.ndarray, name: str, reached: Callable[[float], None]) -> Cut:
        gain, seconds = 1.0, len(samples) / self.settings.sample_rate
        if self.settings.loudness == "file":
            peak = _peak(samples)
            if reason := unusable_peak(peak):
                return Cut(seconds_read=seconds, seconds_left_out=seconds, left_out=reason)
            gain = common_gain(peak)
        slicing = slices(samples, self.settings.sample_rate, self.settings, gain)
        written: list[Span] = []
        rejected: Counter[str] = Counter()
        for span in slicing.clips:
            reached((len(samples) + span.start) / 2 / self.settings.sample_rate)
            long = len(span) > _IN_MEMORY_SECONDS * self.settings.sample_rate
            with self._long_clip if long else nullcontext():
                reason = self._clip(samples[span.start : span.stop], gain, f"{name}_{len(written)}.wav")
            if reason:
                rejected[reason] += 1
            else:
                written.append(span)
        return self._report(slicing, written, rejected, Span(0, len(samples)))

    def _clip(self, samples: np.ndarray, gain: float, name: str) -> str | None:
        """Write ``gain * samples`` at the loudness that is asked for, or say why not."""
        if len(samples) * samples.itemsize > _WAV_LIMIT_BYTES:
            return "too long for a WAV file"
        clip = samples * np.float32(gain)
        peak = _peak(clip)
        if reason := unusable_peak(peak):
            return reason
        if self.settings.loudness == "clip":
            clip *= np.float32(common_gain(peak))
        audio = Audio(clip, self.settings.sample_rate)
        _write_wav(self.folders.clips / name, audio)
        _write_wav(self.folders.clips_16k / name, audio.resampled(CONTENT_RATE))
        return None

    def _report(self, slicing: Slicing, written: list[Span], rejected: Counter[str], everything: Span) -> Cut:
        silent = sum(len(one.span) for one in slicing.left_out if one.reason == SILENT)
        unused = sum(map(len, gaps(written, everything)))
        left_out = None
        if not written:
            reasons = [*rejected, *(one.reason for one in slicing.left_out)]
            left_out = f"nothing in it is above {SILENCE_DB:g} dB" if reasons == [SILENT] else reasons[0]
        counts = (len(everything), len(everything) - unused, silent, unused - silent)
        longest = max(map(len, written), default=0)
        return Cut(len(written), *(count / self.settings.sample_rate for count in counts), dict(rejected), left_out,
                   longest / self.settings.sample_rate)

    @contextmanager
    def _decoded(self, path: Path, name: str, mark: "hashlib._Hash", reached: Callable[[float], None]) -> Iterator[np.ndarray]:
        """The whole recording as float32 samples, high-passed if asked. A long one is a read-only view of a temporary file.

        ``mark`` takes in the samples as they were decoded.
        """
        rate = self.settings.sample_rate
        held: list[np.ndarray] = []
        on_disk: SampleFile | None = None
        decoded = 0
        with ExitStack() as stack:
            for block in filtered(marked(blocks(path, rate), mark), self.settings):
                decoded += len(block)
                reached(decoded / 2 / rate)
                held.append(block)
                if decoded > _IN_MEMORY_SECONDS * rate:
                    if on_disk is None:
                        on_disk = stack.enter_context(SampleFile(self.folders.clips / f"{name}_0.wav"))
                    while held:
                        on_disk.append(held.pop(0))
            yield np.concatenate(held) if on_disk is None else on_disk.mapped()


def filtered(parts: Iterator[np.ndarray], settings: DataSettings) -> Iterator[np.ndarray]:
    """``parts`` of a recording at the rate of ``settings``, high-passed if they say so."""
    if not settings.high_pass:
        yield from parts
        return
    sections = high_pass_sections(settings.sample_rate)
    state = np.zeros((len(sections), 2))
    for part in parts:
        passed, state = signal.sosfilt(sections, part, zi=state)
        yield passed.astype(np.float32)


def marked(parts: Iterator[np.ndarray], mark: "hashlib._Hash") -> Iterator[np.ndarray]:
    """``parts`` as they are; ``mark`` takes in their samples."""
    for part in parts:
        mark.update((part + np.float32(0)).data)  # -0 and 0 are one sound
        yield part


def _peak(samples: np.ndarray) -> float:
    return float(max(samples.max(initial=0.0), -samples.min(initial=0.0)))


def unusable_peak(peak: float) -> str | None:
    """Why nothing with this peak is trained on."""
    if peak > LOUDEST_PEAK:
        return f"a peak above {LOUDEST_PEAK}"
    if peak < QUIETEST_PEAK:
        return f"silence (a peak under {QUIETEST_PEAK:g})"
    return None


def common_gain(peak: float) -> float:
    """What the RVC family multiplies by: three quarters of the way to a peak of 0.9, one quarter as it was."""
    return 0.9 * 0.75 / peak + 0.25


def _write_wav(path: Path, audio: Audio) -> None:
    """A float32 WAV; the same samples give the same bytes (libsndfile would write the time into them)."""
    try:
        with open(path, "wb") as file:
            wavfile.write(file, audio.sample_rate, audio.samples)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise storage_error(path, error) from error
