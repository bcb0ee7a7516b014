"""A recording on disk: filtered windows equal to the filtered whole, mirrored ends."""


import numpy as np
import pytest
import soundfile

from rvc import audio
from rvc.audio import Audio
from rvc.audio_samples import SampleFile
from rvc.errors import AudioError
from rvc.infer import recording as module
from rvc.infer.recording import Recording, decoded


def finished(generator):
    """The value that a generator returns, after its events."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def recording_of(samples, folder, sample_rate=16_000) -> Recording:
    soundfile.write(folder / "in.wav", samples, sample_rate, subtype="FLOAT")
    return finished(decoded(folder / "in.wav", audio.probe(folder / "in.wav"), SampleFile(folder / "out.wav")))


def noise(count, seed=0, scale=0.2):
    return (scale * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
def test_windows_are_those_of_the_whole_recording_filtered_at_once(tmp_path, sample_rate):
    samples = noise(int(5.3 * sample_rate)) + 0.3  # with an offset, which the high-pass removes
    recording = recording_of(samples, tmp_path, sample_rate)
    whole = Audio(samples, sample_rate).resampled(16_000)
    whole = whole.scaled(min(1, 0.95 / whole.peak)).high_passed_zero_phase().samples
    assert len(recording) == len(whole)
    for start, stop in [(0, 16_000), (7, 40_000), (30_000, 30_160), (len(whole) - 500, len(whole)), (0, len(whole))]:
        np.testing.assert_allclose(recording.read(start, stop), whole[start:stop], atol=2e-6)
    assert abs(recording.read(16_000, 64_000).mean()) < 1e-3


def test_beyond_its_ends_a_recording_is_its_mirror_image(tmp_path):
    recording = recording_of(noise(20_000), tmp_path)
    whole = recording.read(0, 20_000)
    np.testing.assert_allclose(recording.window(-3000, 23_000), np.pad(whole, 3000, mode="reflect"), atol=1e-6)


@pytest.mark.parametrize("count", [160, 161, 700])
def test_a_recording_shorter_than_its_context_is_mirrored_again_and_again(tmp_path, count):
    recording = recording_of(noise(count), tmp_path)
    expected = np.pad(recording.read(0, count), 16_000, mode="reflect")
    np.testing.assert_allclose(recording.window(-16_000, count + 16_000), expected, atol=1e-6)


def test_a_loud_recording_is_brought_down_and_a_quiet_one_is_left(tmp_path):
    assert recording_of(np.array([2.0] * 400, np.float32), tmp_path).gain == pytest.approx(0.475)
    assert recording_of(np.array([0.5] * 400, np.float32), tmp_path).gain == 1.0
    assert recording_of(np.zeros(400, np.float32), tmp_path).gain == 1.0


@pytest.mark.parametrize(("count", "rate", "wanted"), [(44_101, 44_100, 40_001), (48_001, 48_000, 40_001), (1_000_003, 96_000, 416_668)])
def test_the_length_at_another_rate_is_rounded_once(tmp_path, count, rate, wanted):
    recording = recording_of(noise(count), tmp_path, rate)
    assert recording.length_at(40_000) == wanted == round(count * 40_000 / rate)
    assert recording.seconds == count / rate


def test_progress_counts_seconds_up_to_the_length(tmp_path):
    soundfile.write(tmp_path / "in.wav", noise(16_000 * 25), 16_000)
    events = list(decoded(tmp_path / "in.wav", audio.probe(tmp_path / "in.wav"), SampleFile(tmp_path / "out.wav")))
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert events[-1].done == events[-1].total == 25


@pytest.mark.parametrize(("count", "rate"), [(1, 48_000), (159, 16_000), (479, 48_000)])
def test_less_than_ten_milliseconds_are_refused(tmp_path, count, rate):
    with pytest.raises(AudioError, match="ms long"):
        recording_of(noise(count), tmp_path, rate)


def test_decoding_uses_what_audio_refuses(tmp_path):
    samples = noise(1000)
    samples[500] = np.nan
    with pytest.raises(AudioError, match="not numbers"):
        recording_of(samples, tmp_path)


def test_an_hour_is_decoded_a_block_at_a_time(tmp_path, monkeypatch):
    """Not an hour here: what matters is that nobody asks for more than a block."""
    soundfile.write(tmp_path / "in.wav", noise(16_000 * 60), 16_000)
    largest = 0
    append = SampleFile.append

    def watched(self, block):
        nonlocal largest
        largest = max(largest, len(block))
        append(self, block)

    monkeypatch.setattr(SampleFile, "append", watched)
    recording = finished(decoded(tmp_path / "in.wav", audio.probe(tmp_path / "in.wav"), SampleFile(tmp_path / "out.wav")))
    assert len(recording) == 16_000 * 60
    assert largest <= 16_000 * 11
    assert module.SAMPLE_RATE == 16_000
    assert audio.probe(tmp_path / "in.wav").seconds == 60
