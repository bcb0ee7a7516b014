"""Audio files as they are written: in blocks, at a rate the codec has, whole or not at all.

libsndfile writes wav, flac, mp3 and ogg; m4a is AAC from FFmpeg's libraries, inside PyAV.
"""

import io
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import soundfile
import soxr

from rvc.errors import AudioError
from rvc.paths import storage_error, written_whole

FORMATS = ("wav", "flac", "mp3", "ogg", "m4a")

_LIBSNDFILE = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", None), "ogg": ("OGG", "VORBIS")}
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_RATES = {"mp3": _MP3_RATES, "m4a": (*_MP3_RATES, 64000, 88200, 96000)}  # 40 kHz, a usual rate of voices, is in neither
_AAC_BITS_PER_SECOND = 128_000
_MP3_COMPRESSION = 0.2  # about 115 kbit/s for mono, beyond which ears hear no difference
_WAV_LIMIT_BYTES = 2**32 - 2**16  # the sizes inside a WAV file are 32-bit numbers
_WRITE_BLOCK = 1 << 15  # samples; libvorbis overflows its stack on very long blocks


def written_rate(format: str, sample_rate: int) -> int:
    """The rate in Hz at which ``format`` holds sound of ``sample_rate``: the same, or the next one that its codec has."""
    allowed = _RATES.get(format, (sample_rate,))
    return min((one for one in allowed if one >= sample_rate), default=max(allowed))


class AudioWriter:
    """Writes mono blocks to a file that appears whole when the ``with`` block ends well, and not at all otherwise.

    mp3 and m4a exist at certain rates only: other sound is resampled to the next higher one, and ``sample_rate`` tells
    which was taken (40 kHz becomes 44.1 kHz). Samples beyond ±1 are clipped by the integer formats; NaN is refused.
    ``float_samples`` writes a float32 WAV instead of a 16-bit one. ``AudioError`` for what cannot be written,
    ``StorageError`` when the disk refuses; what was at ``path`` before is intact then.
    """

    def __init__(self, path: Path, sample_rate: int, format: str | None = None, *, float_samples: bool = False) -> None:
        self.path = Path(path)
        self.format = (format or self.path.suffix[1:]).lower()
        if self.format not in FORMATS:
            raise AudioError(f"{self.format or 'a file without suffix'} is not a format that can be written.",
                             fix=f"Choose one of {', '.join(FORMATS)}.")
        assert not float_samples or self.format == "wav", "only WAV keeps float samples here"
        self.source_rate = sample_rate
        self.sample_rate = written_rate(self.format, sample_rate)
        self.float_samples = float_samples
        self._resampler = (None if self.sample_rate == sample_rate
                           else soxr.ResampleStream(sample_rate, self.sample_rate, 1, dtype="float32", quality="VHQ"))
        self._samples_written = 0

    def __enter__(self) -> "AudioWriter":
        if self.path.is_dir():
            raise AudioError(f"{self.path} is a folder; the name of a file is needed.")
        with ExitStack() as stack:
            try:
                temporary = stack.enter_context(written_whole(self.path))
            except OSError as error:  # the folder cannot be made or written to
                raise storage_error(self.path, error) from error
            self._sink = stack.enter_context(_Sink(temporary, "wb+"))
            self._encoder = stack.enter_context(closing(self._new_encoder()))
            self._stack = stack.pop_all()
        return self

    def _new_encoder(self) -> "soundfile.SoundFile | _AacEncoder":
        if self.format == "m4a":
            return _AacEncoder(self._sink, self.sample_rate)
        container, subtype = _LIBSNDFILE[self.format]
        quality = {"bitrate_mode": "VARIABLE", "compression_level": _MP3_COMPRESSION} if self.format == "mp3" else {}
        return soundfile.SoundFile(self._sink, "w", samplerate=self.sample_rate, channels=1, format=container,
                                   subtype="FLOAT" if self.float_samples else subtype, **quality)

    def write(self, block: np.ndarray) -> None:
        """Append float32 samples at ``source_rate``."""
        if not np.isfinite(block).all():
            raise AudioError(f"{self.path.name} was not written: the sound contains samples that are not numbers.")
        block = np.asarray(block, np.float32)
        self._encode(block if self._resampler is None else self._resampler.resample_chunk(block))

    def _encode(self, samples: np.ndarray) -> None:
        self._samples_written += len(samples)
        if self.format == "wav" and self._samples_written * (4 if self.float_samples else 2) > _WAV_LIMIT_BYTES:
            raise AudioError(f"{self.path.name} was not written: a WAV file cannot be larger than 4 GB.", fix="Choose flac.")
        if not self.float_samples:
            samples = np.clip(samples, -1.0, 1.0)
        for start in range(0, len(samples), _WRITE_BLOCK):
            self._encoder.write(np.ascontiguousarray(samples[start:start + _WRITE_BLOCK]))
            self._sink.check()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        if error is not None:
            return self._stack.__exit__(kind, error, trace)
        with self._stack:
            if self._resampler is not None:
                self._encode(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
            if not self._samples_written:
                raise AudioError(f"{self.path.name} was not written: there are no samples.")
            self._encoder.close()
            self._sink.check()
        return None


class _Sink(io.FileIO):
    """The file under an encoder. C code calls ``write`` and cannot pass an exception on: it is kept for ``check``."""

    _failure: OSError | None = None

    def write(self, data: bytes) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while written < len(view) and self._failure is None:  # a disk that is nearly full takes a part first
                written += self._put(view[written:])
        except OSError as error:
            self._failure = error
        return len(view)

    def _put(self, view: memoryview) -> int:
        return super().write(view)

    def check(self) -> None:
        """Raise what a write since the start met."""
        if self._failure is not None:
            raise self._failure


class _AacEncoder:
    """AAC in an MPEG-4 file, mono. Its last frame is filled up with silence: up to 1023 samples more may be decoded."""

    def __init__(self, sink: io.FileIO, sample_rate: int) -> None:
        self._container = av.open(sink, "w", format="ipod",
                                  options={"movie_timescale": str(sample_rate)})  # so that the length is told to the sample
        self._stream = self._container.add_stream("aac", rate=sample_rate, layout="mono")
        self._stream.bit_rate = min(_AAC_BITS_PER_SECOND, 6 * sample_rate)  # the most that a frame of AAC can hold
        self._position = 0
        self._open = True

    def write(self, samples: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
        frame.sample_rate = self._stream.rate
        frame.time_base = Fraction(1, self._stream.rate)
        frame.pts = self._position
        self._position += len(samples)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        if self._open:
            self._open = False
            self._container.mux(self._stream.encode(None))
            self._container.close()
