"""Where a recording is cut: at its silences first, then into clips of a few seconds.

The silence rules are those of openvpi's audio-slicer with the constants that Applio and RVC use, so the same recording gives the
same pieces everywhere. What is ours: nothing audible is lost. A tail, or a piece too short to train on, is widened into what
surrounds it, and what does end up in no clip is listed with a reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rvc.train.settings import DataSettings

SILENCE_DB = -42.0
SHORTEST_SECONDS = 0.4  # under this a clip is shorter than the segment a generator is trained on, at every sample rate
SILENT = f"silence (under {SILENCE_DB:g} dB)"
TOO_SHORT = f"shorter than {SHORTEST_SECONDS:g} s"

_HOPS_AT_ONCE = 4096


@dataclass(frozen=True)
class Span:
    """Samples ``start`` to ``stop`` (exclusive) of a recording."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class LeftOut:
    """A span that is in no clip, and why."""

    span: Span
    reason: str


@dataclass(frozen=True)
class Slicing:
    """The clips of a recording, which may overlap, and what is in none of them. Together they cover the recording."""

    clips: tuple[Span, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Slicer:
    """The silence rules at one sample rate. Lengths are in hops of 15 ms."""

    hop_samples: int
    min_length: int  # a cut is made only when the piece before it is at least this long
    min_interval: int  # the shortest silence at which a cut is made
    max_kept: int  # how much of a silence stays on either side of a cut
    threshold: float = 10 ** (SILENCE_DB / 20)

    @classmethod
    def at(cls, sample_rate: int) -> "Slicer":
        hop = round(sample_rate * 0.015)
        return cls(hop, *(round(sample_rate * seconds / hop) for seconds in (1.5, 0.4, 0.5)))

    def rms(self, samples: np.ndarray) -> np.ndarray:
        """RMS of windows of four hops, centred at every hop: ``len(samples) // hop + 1`` values.

        Four hops are the window the rules ask for, so a window is a sum of four hop energies and the squares of a long
        recording are never all in memory.
        """
        hop = self.hop_samples
        energy = np.zeros(len(samples) // hop + 4)  # two hops of zeros before, the last hop partial, one of zeros after
        for first in range(0, len(samples), hop * _HOPS_AT_ONCE):
            block = np.asarray(samples[first : first + hop * _HOPS_AT_ONCE], dtype=np.float64)
            at = first // hop + 2
            whole = block[: len(block) // hop * hop].reshape(-1, hop)
            energy[at : at + len(whole)] = np.einsum("ij,ij->i", whole, whole)
            rest = block[whole.size :]
            if rest.size:
                energy[at + len(whole)] = rest @ rest
        return np.sqrt((energy[:-3] + energy[1:-2] + energy[2:-1] + energy[3:]) / (4 * hop))

    def pieces(self, samples: np.ndarray, gain: float = 1.0) -> list[Span]:
        """What lies between the long silences of ``gain * samples``, in order. A recording that is all silence gives little or nothing."""
        return self.pieces_of(self.rms(samples) * gain, len(samples))

    def pieces_of(self, rms: np.ndarray, n_samples: int) -> list[Span]:
        """``pieces`` of a recording of which ``rms`` is known."""
        if n_samples <= self.min_length:  # the reference compares samples with hops here; kept, for equal results
            return [Span(0, n_samples)]
        tags = list(self._silences(rms))
        if not tags:
            return [Span(0, n_samples)]
        edges = [0, *(edge for tag in tags for edge in tag), len(rms)]  # begin and end of the pieces, by turns
        hops = [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin < end]
        spans = [Span(begin * self.hop_samples, min(end * self.hop_samples, n_samples)) for begin, end in hops]
        return [one for one in spans if one.start < one.stop]

    def _silences(self, rms: np.ndarray) -> Iterator[tuple[int, int]]:
        """What is cut away: (begin, end) in hops, in order. ``begin == end`` is a cut that takes nothing away."""

        def quietest(first: int, last: int) -> int:
            return first + int(np.argmin(rms[first : last + 1]))

        kept, previous_cut = self.max_kept, 0
        for start, loud in _runs(rms < self.threshold):
            length = loud - start
            if loud == len(rms):
                if length >= self.min_interval:
                    yield quietest(start, min(loud, start + kept)), loud + 1
                return
            leading = start == 0 and loud > kept
            inside = length >= self.min_interval and loud - previous_cut >= self.min_length
            if not (leading or inside):
                continue
            if length <= kept:
                middle = quietest(start, loud)
                begin, end = middle, middle
            else:
                begin, end = quietest(start, start + kept), quietest(loud - kept, loud)
                if length <= 2 * kept and start > 0:
                    middle = quietest(loud - kept, start + kept)
                    begin, end = min(begin, middle), max(end, middle)
            previous_cut = end
            yield (0 if start == 0 else begin), end


def slices(samples: np.ndarray, sample_rate: int, settings: DataSettings, gain: float = 1.0) -> Slicing:
    """The clips of a recording: ``samples`` is 1-D and may be a memory map; ``gain`` is what it will be multiplied by.

    ``automatic`` cuts at silences and then into slices, ``simple`` into slices only, ``whole`` not at all. A slice is
    ``slice_seconds`` long and shares ``overlap_seconds`` with the next; the last of a piece takes what remains, up to
    ``slice_seconds + overlap_seconds`` and at least 0.4 s. A recording under 0.4 s is left out.
    """
    rms = Slicer.at(sample_rate).rms(samples) * gain if settings.slicing == "automatic" else np.zeros(0)
    return slices_of(rms, len(samples), sample_rate, settings)


def slices_of(rms: np.ndarray, n_samples: int, sample_rate: int, settings: DataSettings) -> Slicing:
    """``slices`` of a recording of which ``rms``, the gain in it, is known; only ``automatic`` looks at it."""
    everything = Span(0, n_samples)
    shortest = round(SHORTEST_SECONDS * sample_rate)
    if len(everything) < shortest:
        return Slicing((), (LeftOut(everything, TOO_SHORT),))
    if settings.slicing == "whole":
        return Slicing((everything,), ())
    length, overlap = round(settings.slice_seconds * sample_rate), round(settings.overlap_seconds * sample_rate)
    if settings.slicing == "simple":
        return Slicing(tuple(_windows(everything, length, overlap, shortest)), ())
    slicer = Slicer.at(sample_rate)
    pieces = [_widened(one, shortest, n_samples) for one in slicer.pieces_of(rms, n_samples)]
    cut = [window for piece in pieces for window in _windows(piece, length, overlap, shortest)]
    # A tail can be nothing but the silence kept before a cut; brought to full level it would be a clip of noise.
    heard = [one for one in cut if rms[one.start // slicer.hop_samples : one.stop // slicer.hop_samples + 1].max() >= slicer.threshold]
    return Slicing(tuple(heard), tuple(LeftOut(one, SILENT) for one in gaps(heard, everything)))


def _windows(piece: Span, length: int, overlap: int, shortest: int) -> Iterator[Span]:
    """``length`` samples every ``length - overlap`` while more than ``length + overlap`` remain, then the rest."""
    start = piece.start
    while piece.stop - start > length + overlap:
        yield Span(start, start + length)
        start += length - overlap
    yield Span(max(piece.start, min(start, piece.stop - shortest)), piece.stop)


def _widened(piece: Span, shortest: int, n_samples: int) -> Span:
    """A short piece takes from both sides what it lacks: silence, because that is where it was cut out."""
    missing = shortest - len(piece)
    if missing <= 0:
        return piece
    start = min(max(piece.start - missing // 2, 0), n_samples - shortest)
    return Span(start, start + shortest)


def gaps(clips: list[Span], within: Span) -> Iterator[Span]:
    """What of ``within`` no clip covers. ``clips`` are in order of their starts."""
    reached = within.start
    for one in (*clips, Span(within.stop, within.stop)):
        if one.start > reached:
            yield Span(reached, one.start)
        reached = max(reached, one.stop)


def _runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, stop) of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
