"""What is measured of one recording while it streams by: nothing here keeps more of it than a few numbers a second. No torch."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import windows

from rvc.audio import Audio, as_recorded, resampled_blocks
from rvc.errors import AudioError
from rvc.train.data.cutter import CONTENT_RATE, common_gain, filtered, marked, unusable_peak
from rvc.train.data.recordings import Recording
from rvc.train.data.slicer import SILENCE_DB, SILENT, Slicer, Span, gaps, slices_of
from rvc.train.settings import DataSettings

FULL_SCALE = 0.999  # of ±1; 16 bit reach 0.99997, and what a lossy format made of clipped sound lies above 1
CLIPPED_RUN = 3  # so many samples in a row: a sine that just touches full scale stays there for fewer

_BAND_HZ = 200.0
_FRAME = 2048
_LOWEST_DB = -160
_LOUD, _QUIET = 0.98, 0.10  # percentiles over time: consonants with high frequencies take a few hundredths of speech
_MODULATED_DB = 10.0  # sound that comes and goes; of steady noise, averaged over a band, the two percentiles lie 5 dB apart
_CLIFF_DB = 30.0  # no filter in the air falls so steeply: what lies above was cut off
_FAINTEST_DB = -110.0  # per bin; the rounding to 16 bit lies at -125
_ALONE = 0.6  # this much of the 1 kHz below must carry sound too: a lone whistle is no bandwidth


class Envelope:
    """Energy and peak of every 15 ms, fed in blocks: what the slicer's rules and the rules about loudness are made from."""

    def __init__(self, sample_rate: int) -> None:
        self._slicer = Slicer.at(sample_rate)
        self._rest = np.zeros(0, np.float32)
        self._energy: list[np.ndarray] = []
        self._peaks: list[np.ndarray] = []
        self.n_samples = 0

    def add(self, block: np.ndarray) -> None:
        hop = self._slicer.hop_samples
        samples = np.concatenate((self._rest, block))
        whole = samples[: len(samples) // hop * hop].reshape(-1, hop)
        self._rest = samples[whole.size :]
        self._append(whole)
        self.n_samples += len(block)

    def _append(self, hops: np.ndarray) -> None:
        wide = hops.astype(np.float64)
        self._energy.append(np.einsum("ij,ij->i", wide, wide))
        self._peaks.append(np.abs(hops).max(axis=1, initial=0.0))

    def finished(self) -> tuple[np.ndarray, np.ndarray]:
        """The RMS that ``Slicer.rms`` would give, and the peak of every hop, the last one partial."""
        self._append(self._rest[None])
        energy = np.concatenate((np.zeros(2), *self._energy, np.zeros(1)))
        self._rest = np.zeros(0, np.float32)
        rms = np.sqrt((energy[:-3] + energy[1:-2] + energy[2:-1] + energy[3:]) / (4 * self._slicer.hop_samples))
        return rms, np.concatenate(self._peaks)


class Spectrum:
    """How loud every band of 200 Hz gets over time, as a histogram of decibels per band. 0 dB is a sine of full scale."""

    def __init__(self, sample_rate: int) -> None:
        self.nyquist_hz = sample_rate / 2
        self._window = windows.blackmanharris(_FRAME).astype(np.float32)  # its side lobes lie 92 dB below
        bins_hz = np.arange(_FRAME // 2 + 1) * sample_rate / _FRAME
        self._starts = np.searchsorted(bins_hz, np.arange(0.0, self.nyquist_hz, _BAND_HZ))
        self._sizes = np.diff(np.append(self._starts, len(bins_hz)))
        self._counts = np.zeros((len(self._starts), 1 - _LOWEST_DB), np.int64)

    def add(self, block: np.ndarray) -> None:
        """Frames reach over no border of a block: of ten seconds a few hundredths are not looked at."""
        if len(block) < _FRAME:
            block = np.pad(block, (0, _FRAME - len(block)))
        frames = block[: len(block) // _FRAME * _FRAME].reshape(-1, _FRAME) * self._window
        power = np.abs(np.fft.rfft(frames)) ** 2 * (4 / self._window.sum() ** 2)
        level = 10 * np.log10(np.add.reduceat(power, self._starts, axis=1) / self._sizes + 1e-20)
        place = np.clip(np.rint(level), _LOWEST_DB, 0).astype(np.int64) - _LOWEST_DB + np.arange(len(self._starts)) * self._counts.shape[1]
        self._counts += np.bincount(place.ravel(), minlength=self._counts.size).reshape(self._counts.shape)

    def bandwidth_hz(self) -> float:
        """Up to where there is sound: where it comes and goes over the noise, or where something was cut off sharply.

        Of sound that does neither, such as steady noise of the whole width, half the sample rate.
        """
        loud, quiet = self._percentile(_LOUD), self._percentile(_QUIET)
        above = np.minimum.accumulate(loud[::-1])[::-1]
        carries = (loud > _FAINTEST_DB) & ((loud - quiet >= _MODULATED_DB) | (loud - above >= _CLIFF_DB))
        per_khz = round(1000 / _BAND_HZ)
        for band in np.flatnonzero(carries)[::-1]:
            if carries[max(0, band - per_khz + 1) : band + 1].mean() >= _ALONE:
                return min((int(band) + 1) * _BAND_HZ, self.nyquist_hz)
        return self.nyquist_hz

    def _percentile(self, share: float) -> np.ndarray:
        """dB of every band"""
        reached = self._counts.cumsum(axis=1)
        return (reached < share * reached[:, -1:]).sum(axis=1) + float(_LOWEST_DB)


class Clipping:
    """How many samples lie at full scale in runs, fed in blocks."""

    def __init__(self) -> None:
        self._run = 0  # at the end of the block before
        self.clipped = 0

    def add(self, block: np.ndarray) -> None:
        flags = np.concatenate((np.ones(self._run, bool), np.abs(block) >= FULL_SCALE))
        edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
        lengths = edges[1::2] - edges[::2]
        open_run = int(lengths[-1]) if len(edges) and edges[-1] == len(flags) else 0
        closed = lengths[:-1] if open_run else lengths
        self.clipped += int(closed[closed >= CLIPPED_RUN].sum())
        self._run = open_run

    def finished(self) -> int:
        return self.clipped + (self._run if self._run >= CLIPPED_RUN else 0)


@dataclass(frozen=True)
class Measured:
    """What is known of a recording. ``left_out`` says why it gives no clips; of one that cannot be read nothing else is known."""

    seconds: float = 0.0
    usable_seconds: float = 0.0
    clips: int = 0
    left_out: str | None = None
    sound: str = ""  # equal for recordings that decode to equal samples
    n_samples: int = 0
    clipped: int = 0  # samples at full scale, in runs
    bandwidth_hz: float = 0.0
    levels_db: np.ndarray = field(default_factory=lambda: np.zeros(1 - _LOWEST_DB, np.int64))  # how often each short-time level occurs
    excerpts: tuple[Audio, ...] = ()  # at 16 kHz, to listen to the pitch of


def measured(
    recording: Recording, settings: DataSettings, excerpts: list[tuple[float, float]], reached: Callable[[float], None]
) -> Measured:
    """``recording``, heard once. ``excerpts``: start and end in seconds of what is kept of it; ``reached`` is told the seconds heard."""
    try:
        with as_recorded(recording.path) as (rate, blocks):
            listener = _Listener(rate, settings, excerpts, reached)
            for block in filtered(resampled_blocks(listener.heard(blocks), rate, settings.sample_rate), settings):
                listener.envelope.add(block)
            return listener.result()
    except AudioError as error:
        return Measured(left_out=str(error))


class _Listener:
    """Everything that looks at one recording, at its own rate and at the voice's."""

    def __init__(self, rate: int, settings: DataSettings, excerpts: list[tuple[float, float]], reached: Callable[[float], None]) -> None:
        self.envelope = Envelope(settings.sample_rate)
        self._rate, self._settings, self._reached = rate, settings, reached
        self._mark, self._clipping, self._spectrum = hashlib.sha256(), Clipping(), Spectrum(rate)
        self._wanted = [(round(start * rate), round(end * rate)) for start, end in excerpts]
        self._kept: list[list[np.ndarray]] = [[] for _ in excerpts]
        self._n_samples = 0

    def heard(self, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for block in marked(blocks, self._mark):
            self._clipping.add(block)
            self._spectrum.add(block)
            for (start, end), kept in zip(self._wanted, self._kept, strict=True):
                kept.append(block[max(0, start - self._n_samples) : max(0, end - self._n_samples)].copy())
            self._n_samples += len(block)
            self._reached(self._n_samples / self._rate)
            yield block

    def result(self) -> Measured:
        rms, peaks = self.envelope.finished()
        rate, n_samples = self._settings.sample_rate, self.envelope.n_samples
        spans, left_out = _usable(rms, peaks, n_samples, self._settings)
        levels = np.clip(np.rint(20 * np.log10(rms + 1e-20)), _LOWEST_DB, 0).astype(np.int64) - _LOWEST_DB
        excerpts = (Audio(np.concatenate(one), self._rate).resampled(CONTENT_RATE) for one in self._kept if one)
        return Measured(
            seconds=n_samples / rate,
            usable_seconds=(n_samples - sum(map(len, gaps(spans, Span(0, n_samples))))) / rate,
            clips=len(spans),
            left_out=left_out,
            sound=self._mark.hexdigest()[:16],
            n_samples=self._n_samples,
            clipped=self._clipping.finished(),
            bandwidth_hz=self._spectrum.bandwidth_hz(),
            levels_db=np.bincount(levels, minlength=1 - _LOWEST_DB),
            excerpts=tuple(one for one in excerpts if len(one)),
        )


def _usable(rms: np.ndarray, peaks: np.ndarray, n_samples: int, settings: DataSettings) -> tuple[list[Span], str | None]:
    """The clips that preprocessing would write, and when there are none the reason."""
    gain, hop = 1.0, Slicer.at(settings.sample_rate).hop_samples
    if settings.loudness == "file":
        if reason := unusable_peak(float(peaks.max(initial=0.0))):
            return [], reason
        gain = common_gain(float(peaks.max()))
    slicing = slices_of(rms * gain, n_samples, settings.sample_rate, settings)
    reasons = [unusable_peak(gain * float(peaks[one.start // hop : -(-one.stop // hop)].max())) for one in slicing.clips]
    spans = [one for one, reason in zip(slicing.clips, reasons, strict=True) if not reason]
    if spans:
        return spans, None
    first = next((one for one in (*reasons, *(one.reason for one in slicing.left_out)) if one), "")
    return [], f"nothing in it is above {SILENCE_DB:g} dB" if first == SILENT else first


def level_at(levels_db: np.ndarray, share: float, *, above_db: float = _LOWEST_DB) -> float | None:
    """The level in dB that ``share`` of what lies above ``above_db`` stays under; ``None`` when nothing does."""
    counts = levels_db[int(above_db) - _LOWEST_DB + 1 :]
    if not counts.sum():
        return None
    return above_db + 1 + float((counts.cumsum() < share * counts.sum()).sum())


def share_under(levels_db: np.ndarray, level_db: float) -> float:
    total = int(levels_db.sum())
    return float(levels_db[: int(level_db) - _LOWEST_DB].sum() / total) if total else 0.0
