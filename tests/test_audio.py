"""Reading, writing, resampling and filtering of sound, against numpy, librosa, scipy and libsndfile."""

import errno
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import soundfile
from PIL import Image
from scipy import signal

from rvc import audio, audio_writer
from rvc.audio import Audio, AudioWriter
from rvc.errors import AudioError, StorageError
from rvc.paths import PROJECT


def tone(seconds: float = 1.5, sample_rate: int = 48000, hz: float = 440.0) -> np.ndarray:
    """A sine that swells and fades, so that a shift in time shows."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * t) * np.sin(2 * np.pi * 0.7 * t)).astype(np.float32)


def encode(path: Path, container: str, codec: str, samples: np.ndarray, sample_rate: int = 48000) -> Path:
    """``samples`` [n] or [n, 2] through FFmpeg, as a stranger's program would write them."""
    frames = np.atleast_2d(samples.T).astype(np.float32)
    layout = "mono" if len(frames) == 1 else "stereo"
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=sample_rate, layout=layout)
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(frames), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def error_of(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        audio.load(path, 16000)
    with pytest.raises(AudioError):
        list(audio.blocks(path, 16000))
    return str(caught.value)


# ---- values

def test_an_audio_never_shares_a_writable_array_and_leaves_its_source_writable():
    source = np.zeros(4, np.float32)
    sound = Audio(source, 16000)
    with pytest.raises(ValueError, match="read-only"):
        sound.samples[0] = 1.0
    source[0] = 0.5
    assert (len(sound), sound.seconds, sound.peak) == (4, 4 / 16000, 0.5)
    assert sound.scaled(-2.0).peak == 1.0
    assert sound.peak == 0.5


def test_an_audio_of_no_samples_has_peak_zero_and_can_be_filtered():
    empty = Audio(np.zeros(0, np.float32), 16000)
    assert empty.peak == 0.0
    assert len(empty.high_passed_zero_phase()) == 0


@pytest.mark.parametrize(("old", "new"), [(44100, 16000), (16000, 40000), (48000, 44100), (40000, 16000)])
def test_resampling_equals_librosa_with_soxr_vhq(old, new):
    noise = np.random.default_rng(0).standard_normal(old // 2 + 7).astype(np.float32)
    ours = Audio(noise, old).resampled(new)
    theirs = librosa.resample(noise, orig_sr=old, target_sr=new, res_type="soxr_vhq")
    assert abs(len(ours) - len(noise) * new / old) <= 0.5
    shared = min(len(ours), len(theirs))
    np.testing.assert_allclose(ours.samples[:shared], theirs[:shared], atol=1e-5)


def test_resampling_keeps_a_tone_where_it_is():
    ours = Audio(tone(sample_rate=44100), 44100).resampled(16000)
    middle = slice(1600, -1600)
    np.testing.assert_allclose(ours.samples[middle], tone(sample_rate=16000)[middle], atol=1e-4)


def test_the_causal_high_pass_equals_scipy_lfilter():
    noise = np.random.default_rng(1).standard_normal(20000).astype(np.float32)
    b, a = signal.butter(5, 48, "highpass", fs=40000)
    np.testing.assert_allclose(Audio(noise, 40000).high_passed().samples, signal.lfilter(b, a, noise), atol=1e-4)


def test_the_zero_phase_high_pass_equals_scipy_filtfilt():
    noise = np.random.default_rng(2).standard_normal(20000).astype(np.float32)
    b, a = signal.butter(5, 48, "highpass", fs=16000)
    np.testing.assert_allclose(Audio(noise, 16000).high_passed_zero_phase().samples, signal.filtfilt(b, a, noise), atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 18, 19, 40])
def test_the_zero_phase_high_pass_takes_the_shortest_sounds(count):
    filtered = Audio(np.ones(count, np.float32), 16000).high_passed_zero_phase()
    assert len(filtered) == count
    assert np.isfinite(filtered.samples).all()


# ---- reading

@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("FLOAT", 1e-7), ("DOUBLE", 1e-7)])
def test_every_sample_format_of_wav_is_read_to_its_own_precision(tmp_path, subtype, step):
    soundfile.write(tmp_path / "a.wav", tone(), 48000, subtype=subtype)
    np.testing.assert_allclose(audio.load(tmp_path / "a.wav").samples, tone(), atol=1.5 * step)


def test_channels_are_mixed_by_their_mean(tmp_path):
    left, right = tone(), tone(hz=300)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 48000, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(tmp_path / "a.wav").samples, (left + right) / 2, atol=1e-7)
    assert audio.probe(tmp_path / "a.wav").channels == 2


def test_96_khz_is_brought_to_16_khz(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(sample_rate=96000), 96000, subtype="PCM_24")
    sound = audio.load(tmp_path / "a.wav", 16000)
    assert (sound.sample_rate, len(sound)) == (16000, 24000)
    np.testing.assert_allclose(sound.samples[1600:-1600], tone(sample_rate=16000)[1600:-1600], atol=1e-4)


CODECS = [("webm", "webm", "libopus", 0.99), ("mka", "matroska", "flac", 0.9999), ("mov", "mov", "alac", 0.9999),
          ("mp4", "mp4", "aac", 0.99), ("m4a", "ipod", "aac", 0.99), ("opus", "ogg", "libopus", 0.99),
          ("mp3", "mp3", "libmp3lame", 0.99)]


@pytest.mark.parametrize(("suffix", "container", "codec", "likeness"), CODECS)
def test_files_of_other_programs_are_read_in_time_and_in_full(tmp_path, suffix, container, codec, likeness):
    path = encode(tmp_path / f"a.{suffix}", container, codec, np.stack([tone(), tone()], 1))
    sound, info = audio.load(path), audio.probe(path)
    assert (sound.sample_rate, info.sample_rate, info.channels) == (48000, 48000, 2)
    assert 0 <= len(sound) - len(tone()) < 2048, "a codec may fill up its last frame and no more"
    assert abs(info.seconds - 1.5) < 0.05
    assert np.corrcoef(sound.samples[:len(tone())], tone())[0, 1] > likeness


@pytest.mark.parametrize(("suffix", "container", "codec"), [("aac", "adts", "aac"), ("ac3", "ac3", "ac3"), ("wma", "asf", "wmav2")])
def test_formats_without_a_note_on_the_codecs_delay_are_read_with_that_delay(tmp_path, suffix, container, codec):
    path = encode(tmp_path / f"a.{suffix}", container, codec, np.stack([tone(), tone()], 1))
    sound = audio.load(path).samples
    assert abs(audio.probe(path).seconds - len(sound) / 48000) < 0.1
    lags = range(0, 4096, 32)
    best = max(np.corrcoef(sound[lag:lag + 60000], tone()[:60000])[0, 1] for lag in lags)
    assert len(sound) >= len(tone()) - 2048
    assert best > 0.9


def test_the_sound_of_a_video_is_read(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        video, sound = file.add_stream("mpeg4", rate=25), file.add_stream("aac", rate=48000, layout="mono")
        video.width = video.height = 32
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        file.mux(video.encode(picture))
        frame = av.AudioFrame.from_ndarray(tone()[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        file.mux(sound.encode(frame))
        file.mux([*video.encode(None), *sound.encode(None)])
    assert np.corrcoef(audio.load(tmp_path / "a.mp4").samples[:len(tone())], tone())[0, 1] > 0.99


@pytest.mark.parametrize("sample_rate", [16000, 40000, 48000])
@pytest.mark.parametrize("block_seconds", [0.05, 0.7, 10.0])
def test_blocks_concatenate_to_what_load_gives(tmp_path, sample_rate, block_seconds):
    soundfile.write(tmp_path / "a.wav", tone(2.3), 48000, subtype="FLOAT")
    parts = list(audio.blocks(tmp_path / "a.wav", sample_rate, block_seconds))
    assert max(map(len, parts)) <= 2 * block_seconds * sample_rate + sample_rate
    np.testing.assert_allclose(np.concatenate(parts), audio.load(tmp_path / "a.wav", sample_rate).samples, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(parts), Audio(tone(2.3), 48000).resampled(sample_rate).samples, atol=1e-4)


def test_blocks_of_a_format_of_ffmpeg_concatenate_to_what_load_gives(tmp_path):
    path = encode(tmp_path / "a.webm", "webm", "libopus", tone(2.3))
    np.testing.assert_allclose(np.concatenate(list(audio.blocks(path, 16000, 0.2))), audio.load(path, 16000).samples, atol=1e-6)


def test_probe_tells_length_rate_channels_and_format(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros((4800, 2)), 48000)
    assert audio.probe(tmp_path / "a.flac") == audio.AudioInfo(0.1, 48000, 2, "flac")


def test_names_with_blanks_and_other_scripts_work_in_every_format(tmp_path):
    for format in audio.FORMATS:
        path = tmp_path / "Aufnähme 日本 голос" / f"ein Lied ñ.{format}"
        audio.save(path, Audio(tone(), 48000))
        assert audio.load(path, 16000).seconds == pytest.approx(1.5, abs=0.03)


# ---- what cannot be read

def test_a_missing_file_an_empty_file_and_a_folder_are_named(tmp_path):
    (tmp_path / "empty.wav").touch()
    assert "no file" in error_of(tmp_path / "missing.wav")
    assert "empty" in error_of(tmp_path / "empty.wav")
    assert "folder" in error_of(tmp_path)


@pytest.mark.parametrize("content", ["picture", "text", "noise", "playlist", "list of files"])
def test_what_is_not_audio_is_refused_whatever_its_name(tmp_path, content):
    soundfile.write(tmp_path / "other.wav", tone(), 48000)
    path = tmp_path / "a.wav"
    match content:
        case "picture":
            Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, format="png")
        case "text":
            path.write_text("hello\n" * 500)
        case "noise":
            path.write_bytes(np.random.default_rng(0).bytes(50_000))
        case "playlist":
            path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{tmp_path / 'other.wav'}\n")
        case "list of files":
            path.write_text("ffconcat version 1.0\nfile 'other.wav'\n")
    assert "not an audio file" in error_of(path)
    with pytest.raises(AudioError):
        audio.probe(path)


def test_a_video_without_sound_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    assert "no sound" in error_of(tmp_path / "a.mp4")


def test_headerless_samples_are_refused(tmp_path):
    (tmp_path / "a.raw").write_bytes(tone().tobytes())
    assert "not an audio file" in error_of(tmp_path / "a.raw")


def test_a_file_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    assert "no samples" in error_of(tmp_path / "a.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path, value):
    samples = tone()
    samples[1000] = value
    soundfile.write(tmp_path / "a.wav", samples, 48000, subtype="FLOAT")
    assert "not numbers" in error_of(tmp_path / "a.wav")


@pytest.mark.parametrize("format", audio.FORMATS)
def test_a_file_that_was_cut_off_is_refused(tmp_path, format):
    path = audio.save(tmp_path / f"a.{format}", Audio(tone(4.0), 48000))
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    assert any(word in error_of(path) for word in ("cut off", "damaged", "no samples"))


@pytest.mark.parametrize(("suffix", "container", "codec"), [("webm", "webm", "libopus"), ("mp4", "mp4", "aac"), ("aac", "adts", "aac")])
def test_a_file_of_ffmpeg_that_was_cut_off_is_refused(tmp_path, suffix, container, codec):
    path = encode(tmp_path / f"a.{suffix}", container, codec, tone(4.0))
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    assert any(word in error_of(path) for word in ("cut off", "damaged"))


def test_a_wav_written_to_a_pipe_whose_header_knows_no_length_is_read(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), 48000, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data")
    content[4:8] = content[at + 4:at + 8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(audio.load(path)) == len(tone())


# ---- writing

@pytest.mark.parametrize("format", audio.FORMATS)
@pytest.mark.parametrize("sample_rate", [24000, 32000, 48000])
def test_every_format_comes_back_in_time_at_the_rates_of_voices(tmp_path, format, sample_rate):
    samples = tone(1.5, sample_rate)
    back = audio.load(audio.save(tmp_path / f"a.{format}", Audio(samples, sample_rate)))
    assert back.sample_rate == sample_rate
    extra = len(back) - len(samples)
    assert 0 <= extra < 1024 if format == "m4a" else extra == 0
    lossless = format in ("wav", "flac")
    np.testing.assert_allclose(back.samples[:len(samples)], samples, atol=1e-4 if lossless else 0.05)
    assert np.corrcoef(back.samples[:len(samples)], samples)[0, 1] > 0.999


@pytest.mark.parametrize(("format", "written"), [("wav", 40000), ("flac", 40000), ("ogg", 40000), ("mp3", 44100), ("m4a", 44100)])
def test_40_khz_is_written_at_the_next_rate_where_a_codec_lacks_it_and_the_writer_says_so(tmp_path, format, written):
    samples = tone(1.5, 40000)
    with AudioWriter(tmp_path / f"a.{format}", 40000, format) as writer:
        writer.write(samples)
    assert writer.sample_rate == written
    info = audio.probe(tmp_path / f"a.{format}")
    assert info.sample_rate == written
    assert info.seconds == pytest.approx(1.5, abs=1 / 40000)
    back = audio.load(tmp_path / f"a.{format}", 40000).samples[:len(samples)]
    assert np.corrcoef(back, samples)[0, 1] > 0.999


def test_rates_above_and_between_those_of_a_codec():
    assert [audio.written_rate("mp3", rate) for rate in (7000, 16000, 40000, 48000, 96000)] == [8000, 16000, 44100, 48000, 48000]
    assert audio.written_rate("m4a", 50000) == 64000


def test_a_file_written_in_odd_blocks_equals_one_written_at_once(tmp_path):
    samples = tone(1.5, 40000)
    for format in audio.FORMATS:
        audio.save(tmp_path / f"whole.{format}", Audio(samples, 40000))
        with AudioWriter(tmp_path / f"parts.{format}", 40000) as writer:
            for start in range(0, len(samples), 777):
                writer.write(samples[start:start + 777])
        whole, parts = audio.load(tmp_path / f"whole.{format}"), audio.load(tmp_path / f"parts.{format}")
        np.testing.assert_allclose(parts.samples, whole.samples, atol=1e-5 if format in ("wav", "flac") else 2e-3)


def test_samples_beyond_full_scale_are_clipped_and_not_wrapped(tmp_path):
    back = audio.load(audio.save(tmp_path / "a.wav", Audio(np.array([2.0, -2.0, 0.5], np.float32), 16000)))
    np.testing.assert_allclose(back.samples, [1.0, -1.0, 0.5], atol=1e-4)


def test_a_float_wav_keeps_every_bit(tmp_path):
    samples = np.array([1e-7, 3.0, -0.123456789], np.float32)
    with AudioWriter(tmp_path / "a.wav", 16000, float_samples=True) as writer:
        writer.write(samples)
    np.testing.assert_array_equal(audio.load(tmp_path / "a.wav").samples, samples)


def test_an_unknown_format_is_refused_and_the_others_are_named(tmp_path):
    with pytest.raises(AudioError, match="wav, flac, mp3, ogg, m4a"):
        audio.save(tmp_path / "a.xyz", Audio(tone(), 48000))
    with pytest.raises(AudioError, match="without suffix"):
        audio.save(tmp_path / "a", Audio(tone(), 48000))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("format", audio.FORMATS)
def test_a_failure_while_writing_leaves_the_older_file_and_nothing_else(tmp_path, format):
    path = audio.save(tmp_path / f"a.{format}", Audio(tone(), 48000))
    before = files_of(tmp_path)
    with pytest.raises(RuntimeError, match="cancelled"), AudioWriter(path, 48000) as writer:
        writer.write(tone())
        raise RuntimeError("cancelled")
    with pytest.raises(AudioError, match="not numbers"), AudioWriter(path, 48000) as writer:
        writer.write(tone())
        writer.write(np.array([np.nan], np.float32))
    with pytest.raises(AudioError, match="no samples"), AudioWriter(path, 48000):
        pass
    assert files_of(tmp_path) == before


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    with pytest.raises(AudioError, match="folder"):
        audio.save(tmp_path, Audio(tone(), 48000), "wav")


def test_a_file_in_the_place_of_the_folder_is_a_storage_error(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(StorageError):
        audio.save(tmp_path / "taken" / "a.wav", Audio(tone(), 48000))


class FullDisk(audio_writer._Sink):
    """A file on a disk with room for 20,000 bytes more: what fits is taken, then the system says ENOSPC."""

    room = 20_000

    def _put(self, view):
        taken = min(len(view), self.room)
        if len(view) and not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= taken
        return super()._put(view[:taken])


@pytest.mark.parametrize("format", audio.FORMATS)
def test_a_full_disk_is_a_storage_error_and_leaves_the_older_file(tmp_path, format, monkeypatch):
    path = audio.save(tmp_path / f"a.{format}", Audio(tone(), 48000))
    before = files_of(tmp_path)
    monkeypatch.setattr(audio_writer, "_Sink", FullDisk)
    noise = 0.3 * np.random.default_rng(0).standard_normal(480_000).astype(np.float32)
    with pytest.raises(StorageError, match="disk is full"):
        audio.save(path, Audio(noise, 48000))
    assert files_of(tmp_path) == before


WRITE_UNDER_A_LIMIT = """
import resource, signal, sys
import numpy as np
from rvc import audio
from rvc.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
noise = (0.3 * np.random.default_rng(0).standard_normal(480_000)).astype(np.float32)
for name in sys.argv[1:]:
    try:
        audio.save(name, audio.Audio(noise, 48000))
    except StorageError as error:
        print("refused:", error)
"""


def test_a_write_that_the_system_itself_refuses_leaves_the_older_files(tmp_path):
    paths = [audio.save(tmp_path / f"a.{format}", Audio(tone(), 48000)) for format in audio.FORMATS]
    before = files_of(tmp_path)
    command = [sys.executable, "-c", WRITE_UNDER_A_LIMIT, *map(str, paths)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.count("refused:") == len(audio.FORMATS), done.stdout + done.stderr
    assert files_of(tmp_path) == before
