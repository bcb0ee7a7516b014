"""The report card of a dataset: every number against a sound that was made to have it."""

import json

import numpy as np
import pytest
import soundfile

from rvc.audio import Audio, save
from rvc.errors import DatasetError
from rvc.events import Progress
from rvc.f0.track import F0Track
from rvc.train.data import measures, report_card
from rvc.train.data.measures import Clipping, Envelope, Spectrum
from rvc.train.data.preprocess import PreprocessReport, preprocess
from rvc.train.data.report_card import ReportCard, suggested_batch_size, suggested_sample_rate
from rvc.train.data.slicer import Slicer
from rvc.train.settings import DataSettings
from tests.sounds import singing, write_dataset

RATE = 24_000


class Fixed:
    """A detector that counts what it is given: 200 Hz everywhere."""

    name = "fixed"

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def detect(self, samples: np.ndarray) -> F0Track:
        self.seconds.append(len(samples) / 16_000)
        return F0Track(np.full(len(samples) // 160 + 1, 200.0))


def card_of(dataset, *, detector=None, workers=None, **settings) -> ReportCard:
    asked = DataSettings(**{"sample_rate": RATE, **settings})
    *_, card = report_card.report_card(dataset, asked, detector=detector or Fixed(), workers=workers)
    assert isinstance(card, ReportCard)
    return card


def write(path, samples, rate=RATE, subtype="FLOAT"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def voice(rate: int, seconds: float = 5.0) -> np.ndarray:
    """Hiss of the whole width that comes and goes four times a second, over steady noise at -80 dB."""
    random, time = np.random.default_rng(0), np.arange(round(rate * seconds)) / rate
    loud = np.clip(np.sin(2 * np.pi * 2 * time), 0, 1) ** 2
    return (0.2 * random.standard_normal(len(time)) * loud + 1e-4 * random.standard_normal(len(time))).astype(np.float32)


# -- bandwidth -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])
@pytest.mark.parametrize(("stored", "subtype"), [(44_100, "PCM_16"), (48_000, "FLOAT")])
def test_the_bandwidth_is_that_of_the_first_sample_rate_whatever_the_file_says(tmp_path, recorded, stored, subtype):
    sound = Audio(voice(recorded), recorded).resampled(stored)
    write(tmp_path / "a.wav", sound.samples, stored, subtype)
    expected = min(recorded, stored) / 2
    assert card_of(tmp_path).bandwidth_hz == pytest.approx(expected, rel=0.03)


def test_steady_noise_is_no_bandwidth_and_speech_under_it_is_found(tmp_path):
    """Speech up to 4 kHz with microphone noise up to 22 kHz 50 dB below it."""
    speech = Audio(voice(8_000), 8_000).resampled(44_100).samples
    noise = 6e-4 * np.random.default_rng(1).standard_normal(len(speech))
    write(tmp_path / "a.wav", (speech + noise).astype(np.float32), 44_100)
    assert card_of(tmp_path).bandwidth_hz == pytest.approx(4_000, abs=250)


def test_a_whistle_and_noise_alone_do_not_mislead():
    time = np.arange(44_100 * 4) / 44_100
    spectrum = Spectrum(44_100)
    tone = 0.01 * np.sin(2 * np.pi * 15_734 * time) * np.sin(2 * np.pi * 0.5 * time) ** 2  # a television that comes and goes
    spectrum.add((Audio(voice(8_000, 4), 8_000).resampled(44_100).samples + tone).astype(np.float32))
    assert spectrum.bandwidth_hz() < 5_000
    steady = Spectrum(44_100)
    steady.add((0.1 * np.random.default_rng(0).standard_normal(44_100 * 4)).astype(np.float32))
    assert steady.bandwidth_hz() == 22_050


@pytest.mark.parametrize(("bandwidth", "rate"), [(4_000, 24_000), (11_025, 24_000), (12_000, 24_000), (15_900, 32_000), (16_000, 32_000),
                                                 (18_500, 40_000), (20_500, 40_000), (22_050, 48_000), (24_000, 48_000), (48_000, 48_000)])
def test_the_suggested_rate_is_the_lowest_that_keeps_everything(bandwidth, rate):
    assert suggested_sample_rate(bandwidth)[0] == rate
    assert f"{rate // 1000} kHz" in suggested_sample_rate(bandwidth)[1]
    assert suggested_sample_rate(None) == (None, "")


def test_recordings_much_duller_than_the_rest_are_named(tmp_path):
    for i in range(3):
        write(tmp_path / f"{i}.wav", np.roll(voice(32_000), i), 32_000)
    write(tmp_path / "phone.wav", Audio(voice(8_000), 8_000).resampled(32_000).samples, 32_000)
    card = card_of(tmp_path, sample_rate=40_000)
    assert card.bandwidth_hz == pytest.approx(16_000, rel=0.03)
    assert list(card.narrow_files) == ["phone.wav"]
    assert any("32 kHz is worth choosing" in one for one in card.advice)
    assert any("phone.wav (4 kHz)" in one for one in card.advice)


# -- loudness, noise, clipping -------------------------------------------------------------------------------------------------


def test_clipped_files_are_named_with_their_share(tmp_path):
    write(tmp_path / "clean.wav", singing(4.0, RATE))
    loud = np.clip(3 * singing(4.0, RATE, seed=1), -1, 1)
    write(tmp_path / "loud.wav", loud, subtype="PCM_16")
    card = card_of(tmp_path)
    assert list(card.clipped_files) == ["loud.wav"]
    assert card.clipped_files["loud.wav"] == pytest.approx((np.abs(loud) >= 0.9999).mean(), rel=0.1)
    assert card.clipped_share == pytest.approx(card.clipped_files["loud.wav"] / 2, rel=0.01)
    assert any("loud.wav" in one and "Clipped" in one for one in card.advice)


def test_clipping_does_not_depend_on_where_blocks_end_and_a_touch_is_none():
    samples = np.zeros(1000, np.float32)
    samples[[10, 20, 21]] = 1.0  # one and two samples: a peak that touches
    samples[100:103], samples[500:540] = -1.0, 1.0
    for size in (1, 2, 7, 102, 1000):
        clipping = Clipping()
        for start in range(0, 1000, size):
            clipping.add(samples[start : start + size])
        assert clipping.finished() == 43
    end = Clipping()
    end.add(samples[490:530])
    assert end.finished() == 30


@pytest.mark.parametrize("level_db", [-75, -60, -45])
def test_the_noise_floor_is_the_level_of_the_pauses(tmp_path, level_db):
    random = np.random.default_rng(0)
    sound = np.concatenate([part for i in range(4) for part in (singing(2.0, RATE, seed=i), np.zeros(RATE, np.float32))])
    noise = 10 ** (level_db / 20) * random.standard_normal(len(sound))
    clean = np.where(np.abs(sound) > 0.02, sound, 0)
    write(tmp_path / "a.wav", (clean + noise).astype(np.float32))
    card = card_of(tmp_path)
    assert card.noise_floor_db == pytest.approx(level_db, abs=2)
    assert any("not quiet" in one for one in card.advice) == (level_db > -50)


def test_silence_is_counted_and_digital_silence_is_no_noise_floor(tmp_path):
    write(tmp_path / "a.wav", np.concatenate((np.zeros(6 * RATE, np.float32), np.tile([0.3, -0.3], RATE).astype(np.float32))))
    card = card_of(tmp_path)
    assert card.silence_share == pytest.approx(0.75, abs=0.02)
    assert card.noise_floor_db > -20, "there is nothing between silence and the tone"
    assert any("silence" in one for one in card.advice)
    assert card_of(write(tmp_path / "zeros" / "z.wav", np.zeros(RATE, np.float32))).noise_floor_db is None


@pytest.mark.parametrize("size", [1, 359, 360, 361, 5000, 10**6])
def test_the_envelope_in_blocks_is_the_slicers(size):
    samples = singing(0.5, RATE) if size == 1 else singing(2.3, RATE)
    envelope = Envelope(RATE)
    for start in range(0, len(samples), size):
        envelope.add(samples[start : start + size])
    rms, peaks = envelope.finished()
    np.testing.assert_array_equal(rms, Slicer.at(RATE).rms(samples))
    assert peaks.max() == np.abs(samples).max()
    assert len(peaks) == len(samples) // 360 + 1


# -- what would become of it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"slicing": "simple", "high_pass": False}, {"slicing": "whole"}, {"loudness": "file"},
                                      {"loudness": "none", "slice_seconds": 1.5}])
def test_clips_minutes_and_reasons_are_those_of_preprocessing(tmp_path, settings):
    dataset = write_dataset(tmp_path / "data", files=3, seconds=5.3, sample_rate=44_100)
    write(dataset / "gap.wav", np.concatenate((singing(3.0, RATE), np.zeros(3 * RATE), singing(2.0, RATE, seed=4))))
    write(dataset / "short.wav", singing(0.2, RATE))
    write(dataset / "silent.wav", np.zeros(RATE))
    write(dataset / "integers.wav", 32_768 * singing(1.0, RATE))
    (dataset / "broken.wav").write_bytes(b"RIFF")
    *_, report = preprocess(dataset, tmp_path / "clips", tmp_path / "clips_16k", DataSettings(sample_rate=RATE, **settings), lambda: False)
    assert isinstance(report, PreprocessReport)
    card = card_of(dataset, **settings)
    assert card.clips == report.clips
    assert card.usable_minutes == pytest.approx(report.seconds_used / 60)
    assert card.minutes == pytest.approx(report.seconds_read / 60)
    assert card.left_out == report.files_left_out


def test_copies_are_found_under_other_names_and_formats(tmp_path):
    sound = Audio((np.round(singing(2.0, RATE) * 32_767) / 32_768).astype(np.float32), RATE)
    write(tmp_path / "a.wav", sound.samples, subtype="PCM_16")
    save(tmp_path / "sub.flac", sound)
    write(tmp_path / "float.wav", sound.samples)
    write(tmp_path / "other.wav", singing(2.0, RATE, seed=1))
    card = card_of(tmp_path)
    assert card.duplicates == (("a.wav", "float.wav", "sub.flac"),)
    assert any("a.wav = float.wav = sub.flac" in one for one in card.advice)


def test_speakers_have_their_minutes(tmp_path):
    write(tmp_path / "ben" / "b.wav", singing(4.0, RATE))
    write(tmp_path / "Ana" / "a.wav", singing(2.0, RATE, seed=2))
    write(tmp_path / "Ana" / "silent.wav", np.zeros(RATE))
    card = card_of(tmp_path)
    assert [(one.speaker_id, one.name, one.recordings) for one in card.speakers] == [(0, "Ana", 2), (1, "ben", 1)]
    assert [60 * one.minutes for one in card.speakers] == pytest.approx([2.0, 4.0], abs=0.6)
    assert any("2 speakers" in one for one in card.advice)


@pytest.mark.parametrize(("minutes", "batch"), [(0.0, 4), (12.0, 4), (29.9, 4), (30.0, 8), (500.0, 8)])
def test_the_batch_size_follows_the_minutes_with_its_reason(minutes, batch):
    size, reason = suggested_batch_size(minutes)
    assert size == batch
    assert "30 minutes" in reason


# -- pitch ---------------------------------------------------------------------------------------------------------------------


def test_the_pitch_is_that_of_the_recordings(tmp_path):
    pytest.importorskip("swift_f0")
    write_dataset(tmp_path, files=2, seconds=4.0)
    *_, card = report_card.report_card(tmp_path, DataSettings(sample_rate=RATE))
    assert card.f0_method == "swift"
    assert card.f0_median_hz == pytest.approx(140, rel=0.25)
    assert 100 < card.f0_low_hz < card.f0_median_hz < card.f0_high_hz < 200


@pytest.mark.parametrize("lengths", [[3600.0], [1.0] * 1000, [7200.0, 2.0, 0.0, 40.0], [0.0], [5.0, 100.0, 3.0], [0.5]])
def test_never_more_than_three_minutes_are_listened_to_and_they_are_spread(lengths):
    excerpts = report_card._excerpts(lengths)
    seconds = [end - start for one in excerpts for start, end in one]
    assert sum(seconds) <= 180 + 3
    assert sum(seconds) >= min(180, sum(lengths)) - 3
    ends = [start for one in excerpts[:1] for start, _ in one]
    assert max(ends) >= 0.9 * lengths[0] - 3, "up to the end"


def test_the_detector_hears_excerpts_of_a_long_dataset_only(tmp_path):
    write(tmp_path / "a.wav", np.tile(singing(10.0, 8_000), 30), 8_000)
    detector = Fixed()
    card = card_of(tmp_path, detector=detector)
    assert 170 <= sum(detector.seconds) <= 183
    assert (card.f0_median_hz, card.f0_low_hz, card.f0_high_hz, card.f0_method) == (200, 200, 200, "fixed")


# -- going on, stopping, failing -----------------------------------------------------------------------------------------------


def test_the_card_does_not_depend_on_the_number_of_workers_and_is_plain_json(tmp_path):
    write_dataset(tmp_path, files=5, seconds=2.0)
    one = card_of(tmp_path, workers=1)
    assert one == card_of(tmp_path, workers=4)
    assert json.loads(json.dumps(one.as_dict(), allow_nan=False))["clips"] == one.clips
    assert all(isinstance(text, str) and text for text in one.facts().values())


def test_progress_moves_through_the_seconds_and_stopping_gives_no_card(tmp_path):
    write_dataset(tmp_path, files=4, seconds=2.0)
    events = [one for one in report_card.report_card(tmp_path, DataSettings(), detector=Fixed()) if isinstance(one, Progress)]
    assert [one.done for one in events if one.stage == "listen"][-1] == 8
    stopped = list(report_card.report_card(tmp_path, DataSettings(), detector=Fixed(), stop=lambda: True))
    assert not any(isinstance(one, ReportCard) for one in stopped)


def test_a_dataset_of_nothing_usable_has_a_card_that_says_so(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    write(tmp_path / "silent.wav", np.zeros(RATE))
    write(tmp_path / "click.wav", singing(0.2, RATE))
    card = card_of(tmp_path)
    assert (card.clips, card.usable_minutes, card.bandwidth_hz, card.suggested_sample_rate) == (0, 0, None, None)
    assert card.left_out.keys() == {"broken.wav", "silent.wav", "click.wav"}
    assert "Nothing" in card.advice[0]
    json.dumps(card.as_dict(), allow_nan=False)


def test_only_broken_files_leave_every_number_defined(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    card = card_of(tmp_path)
    assert (card.f0_median_hz, card.noise_floor_db, card.clipped_share, card.silence_share) == (None, None, 0, 0)
    assert card.facts()["Noise floor"] == "unknown"


def test_a_dataset_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="There is no dataset"):
        card_of(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no audio files"):
        card_of(tmp_path)


def test_no_more_of_a_recording_is_kept_than_asked_for(tmp_path):
    write(tmp_path / "a.wav", np.tile(singing(10.0, 8_000), 30), 8_000)
    recording = report_card.Recordings.find(tmp_path).recordings[0]
    told = []
    one = measures.measured(recording, DataSettings(sample_rate=RATE), [(1.0, 2.0), (299.5, 301.0)], told.append)
    assert [excerpt.seconds for excerpt in one.excerpts] == pytest.approx([1.0, 0.5], abs=0.01)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(300)
