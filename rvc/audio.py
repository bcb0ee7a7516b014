"""Sound as values, and the files that hold it: read, resampled, filtered.

libsndfile reads and writes what it knows; FFmpeg's libraries, inside PyAV, do the rest (m4a, aac, webm, wma, mp4 ...).
No ffmpeg program is needed. Everything is mono float32; files with several channels are mixed by their mean.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from scipy import signal

from rvc.audio_writer import FORMATS, AudioWriter, written_rate
from rvc.errors import AudioError

__all__ = ["EXTENSIONS", "FORMATS", "Audio", "AudioInfo", "AudioWriter", "as_recorded", "blocks", "high_pass_sections", "load", "probe",
           "quick_seconds", "resampled_blocks", "save", "written_rate"]

EXTENSIONS = frozenset(
    [".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".alac", ".wma", ".aiff", ".aif", ".webm", ".ac3",
     ".mka", ".mkv", ".mov", ".caf", ".w64", ".au", ".amr"])

# Only containers that carry sound themselves: FFmpeg also knows playlists (hls, concat) that make it open other files and addresses.
_CONTAINERS = "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,loas,matroska,mov,mp3,mp4,mpeg,mpegts,ogg,tta,w64,wav,webm,wv"
_WITHOUT_LENGTH = ("aac", "ac3", "eac3", "amr", "dts", "loas", "mp3")  # bare frames: FFmpeg guesses their length from the bit rate
_LENGTH_TOLERANCE_SECONDS = 0.25  # headers count the codec's own padding


@dataclass(frozen=True, eq=False)
class Audio:
    """Mono sound: ``samples`` is a read-only float32 vector (full scale ±1), ``sample_rate`` is in Hz."""

    samples: np.ndarray
    sample_rate: int

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples, np.float32).view()
        assert samples.ndim == 1, f"mono samples expected, got shape {samples.shape}"
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate

    @property
    def peak(self) -> float:
        return float(np.abs(self.samples).max()) if len(self.samples) else 0.0

    def resampled(self, sample_rate: int) -> "Audio":
        """At another rate (soxr, very high quality); round(n · new / old) samples."""
        if sample_rate == self.sample_rate:
            return self
        return Audio(soxr.resample(self.samples, self.sample_rate, sample_rate, quality="VHQ"), sample_rate)

    def scaled(self, gain: float) -> "Audio":
        return Audio(self.samples * np.float32(gain), self.sample_rate)

    def high_passed(self, cutoff_hz: float = 48.0, order: int = 5) -> "Audio":
        """Without what lies below ``cutoff_hz``: a causal Butterworth filter, as training data of RVC has it."""
        return Audio(signal.sosfilt(high_pass_sections(self.sample_rate, cutoff_hz, order), self.samples), self.sample_rate)

    def high_passed_zero_phase(self, cutoff_hz: float = 48.0, order: int = 5) -> "Audio":
        """The same filter run forwards and backwards, as RVC does before conversion: twice the slope, no delay."""
        if not len(self.samples):
            return self
        sections = high_pass_sections(self.sample_rate, cutoff_hz, order)
        padding = min(3 * (order + 1), len(self.samples) - 1)  # scipy's usual padding, or what a very short sound allows
        return Audio(signal.sosfiltfilt(sections, self.samples, padlen=padding), self.sample_rate)


@dataclass(frozen=True)
class AudioInfo:
    """What a file says about itself. ``format`` is the container, in lower case; ``channels`` counts before mixing."""

    seconds: float
    sample_rate: int
    channels: int
    format: str


def high_pass_sections(sample_rate: int, cutoff_hz: float = 48.0, order: int = 5) -> np.ndarray:
    """The Butterworth high-pass as second-order sections, which stay exact in blocks (scipy's ``sosfilt`` with ``zi``)."""
    return signal.butter(order, cutoff_hz, "highpass", fs=sample_rate, output="sos")


# ---- reading

def probe(path: Path) -> AudioInfo:
    """Length, rate and channels of ``path``. ``AudioError`` when it is missing, empty or not audio."""
    with _opened(path) as source:
        seconds = source.seconds
        if seconds is None:  # some streams do not say: count
            seconds = sum(len(block) for block in source.read(source.sample_rate)) / source.sample_rate
        return AudioInfo(seconds, source.sample_rate, source.channels, source.format)


def quick_seconds(path: Path) -> float:
    """How long the header of ``path`` says it is; 0 when it does not say, or cannot be read. Nothing is decoded: for progress bars."""
    try:
        with _opened(path) as source:
            return source.seconds or 0.0
    except AudioError:
        return 0.0


def load(path: Path, sample_rate: int | None = None) -> Audio:
    """The whole of ``path``, at ``sample_rate`` Hz or its own.

    ``AudioError`` when the file is missing, empty, not audio, damaged or shorter than it says, has no samples, or has
    samples that are not numbers.
    """
    with _opened(path) as source:
        rate = sample_rate or source.sample_rate
        parts = list(resampled_blocks(source.read(10 * source.sample_rate), source.sample_rate, rate))
    return Audio(np.concatenate(parts), rate)


def blocks(path: Path, sample_rate: int, block_seconds: float = 10.0) -> Iterator[np.ndarray]:
    """``load(path, sample_rate).samples`` in float32 pieces of about ``block_seconds``, with no more than that in memory."""
    with _opened(path) as source:
        yield from resampled_blocks(source.read(max(1, int(block_seconds * source.sample_rate))), source.sample_rate, sample_rate)


@contextmanager
def as_recorded(path: Path, block_seconds: float = 10.0) -> Iterator[tuple[int, Iterator[np.ndarray]]]:
    """The sample rate of ``path`` and its samples at that rate, in mono float32 blocks of about ``block_seconds``."""
    with _opened(path) as source:
        yield source.sample_rate, source.read(max(1, int(block_seconds * source.sample_rate)))


@dataclass(frozen=True)
class _Source:
    """An open file: ``read(n)`` gives mono float32 blocks of about n samples until the end."""

    sample_rate: int
    channels: int
    format: str
    seconds: float | None
    read: Callable[[int], Iterator[np.ndarray]]


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    """``path`` through libsndfile, or through FFmpeg when libsndfile does not know it."""
    path = Path(path)
    _check_there(path)
    if path.suffix.lower() != ".raw":  # without a header libsndfile would have to be told what it is
        try:
            file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError:
            pass  # not a format of libsndfile: FFmpeg decides
        else:
            with file:
                yield _sndfile_source(file, path)
            return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
            container = stack.enter_context(av.open(file, options={"format_whitelist": _CONTAINERS}))
        except (av.FFmpegError, OSError) as error:
            raise AudioError(f"{path.name} is not an audio file, or is damaged.") from error
        if not container.streams.audio:
            raise AudioError(f"{path.name} holds no sound.")
        yield _ffmpeg_source(container, path)


def _check_there(path: Path) -> None:
    if not path.exists():
        raise AudioError(f"There is no file {path}.")
    if not path.is_file():
        raise AudioError(f"{path} is a folder, not an audio file.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path.name} is an empty file.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise AudioError(f"{path.name} cannot be read: {error.strerror}.") from error


def _sndfile_source(file: soundfile.SoundFile, path: Path) -> _Source:
    known = 0 < file.frames < 2**62  # a stream of unknown length says 2**63 - 1
    if cut := _missing_bytes(file.extra_info):
        raise AudioError(f"{path.name} is cut off: {cut} bytes of its sound are missing.", fix="Copy or export it again.")

    def read(size: int) -> Iterator[np.ndarray]:
        count = 0
        while True:
            try:
                block = file.read(size, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise AudioError(f"{path.name} is damaged after {count / file.samplerate:.1f} seconds.") from error
            if not len(block):
                break
            count += len(block)
            yield _mono(block, path)
        if not count:
            raise AudioError(f"{path.name} has no samples.")
        if known:
            _check_length(path, count / file.samplerate, file.frames / file.samplerate)

    return _Source(file.samplerate, file.channels, file.format.lower(), file.frames / file.samplerate if known else None, read)


def _missing_bytes(log: str) -> int:
    """How far a WAV or AIFF chunk reaches beyond the end of its file, as libsndfile's notes on the header tell it.

    Programs that write to a pipe put a size of 2 GiB or more there because they cannot know better: those count as whole.
    """
    for says, has in re.findall(r"^ *(?:data|SSND) : (\d+) \(should be (\d+)\)", log, re.MULTILINE):
        if int(has) < int(says) < 2**31 - 1:
            return int(says) - int(has)
    return 0


def _ffmpeg_source(container: av.container.InputContainer, path: Path) -> _Source:
    stream = container.streams.audio[0]
    rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    if not rate or not channels:
        raise AudioError(f"{path.name} holds sound that cannot be decoded.")
    format = container.format.name.split(",")[0]
    length = float(stream.duration * stream.time_base) if stream.duration else None
    if length is None and container.duration:
        length = container.duration / av.time_base
    if format in _WITHOUT_LENGTH:
        length = None

    def read(size: int) -> Iterator[np.ndarray]:
        to_float = av.AudioResampler(format="fltp", layout=stream.codec_context.layout, rate=rate)
        held: list[np.ndarray] = []
        count = 0
        try:
            for frame in container.decode(stream):
                held += [_mono(part.to_ndarray().T, path) for part in to_float.resample(frame)]
                if sum(map(len, held)) >= size:
                    count += sum(map(len, held))
                    yield np.concatenate(held)
                    held.clear()
            held += [_mono(part.to_ndarray().T, path) for part in to_float.resample(None)]
        except av.FFmpegError as error:
            at = (count + sum(map(len, held))) / rate
            raise AudioError(f"{path.name} is damaged or cut off after {at:.1f} seconds.") from error
        if held:
            count += sum(map(len, held))
            yield np.concatenate(held)
        if not count:
            raise AudioError(f"{path.name} has no samples.")
        if length is not None and format == "matroska" and not container.streams.video:  # other containers do not say, or fail above
            _check_length(path, count / rate, length)

    return _Source(rate, channels, format, length, read)


def _check_length(path: Path, seconds: float, says: float) -> None:
    if seconds < says - _LENGTH_TOLERANCE_SECONDS:
        raise AudioError(f"{path.name} is cut off: it ends after {seconds:.1f} of {says:.1f} seconds.", fix="Copy or export it again.")


def _mono(frames: np.ndarray, path: Path) -> np.ndarray:
    """The mean over the channels of ``frames`` [n, channels]."""
    mixed = frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mixed).all():
        raise AudioError(f"{path.name} contains samples that are not numbers (NaN or infinity).")
    return mixed


def resampled_blocks(parts: Iterator[np.ndarray], from_hz: int, to_hz: int) -> Iterator[np.ndarray]:
    """``parts`` of one sound at another rate, as ``Audio.resampled`` would give it whole."""
    if from_hz == to_hz:
        yield from parts
        return
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="VHQ")
    for part in parts:
        yield stream.resample_chunk(part)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def save(path: Path, audio: Audio, format: str | None = None) -> Path:
    """``audio`` as a file, whole or not at all; ``format`` is one of ``FORMATS`` or ``None`` for the suffix of ``path``."""
    with AudioWriter(path, audio.sample_rate, format) as writer:
        writer.write(audio.samples)
    return Path(path)
