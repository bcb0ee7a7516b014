"""From recordings to clips: the real files, what is left out and why, and what is on disk after a failure."""

import errno
import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rvc.audio import Audio, load, save
from rvc.errors import DatasetError, StorageError
from rvc.events import Note, Progress
from rvc.train.data import cutter, side_by_side
from rvc.train.data.clips import ClipList
from rvc.train.data.preprocess import PreprocessReport, preprocess
from rvc.train.data.slicer import Span, slices
from rvc.train.settings import DataSettings
from tests.sounds import singing, write_dataset

RATE = 24_000
PROJECT = Path(__file__).resolve().parent.parent.parent


def never() -> bool:
    return False


def prepared(dataset: Path, folder: Path, *, stop=never, workers: int | None = None, **settings) -> list:
    """Everything that the stage says, the report last."""
    asked = DataSettings(**{"sample_rate": RATE, **settings})
    return list(preprocess(dataset, folder / "clips", folder / "clips_16k", asked, stop, workers=workers))


def report_of(items: list) -> PreprocessReport:
    assert isinstance(items[-1], PreprocessReport)
    return items[-1]


def written(folder: Path) -> dict[str, str]:
    """Names of the files that the stage left, and their contents."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for part in ("clips", "clips_16k") for path in sorted((folder / part).iterdir())}


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def warnings(items: list) -> list[str]:
    return [one.message for one in items if isinstance(one, Note) and one.level == "warning"]


def test_clips_are_the_slices_of_the_filtered_recording_brought_to_a_common_peak(tmp_path):
    path = write(tmp_path / "data" / "take.wav", 0.3 * singing(7.0, 44_100), 44_100)
    report = report_of(prepared(path.parent, tmp_path))
    samples = load(path, RATE).high_passed().samples
    spans = slices(samples, RATE, DataSettings()).clips
    assert report.clips == len(spans) > 2
    for number, span in enumerate(spans):
        expected = samples[span.start : span.stop]
        expected = expected * (0.9 * 0.75 / np.abs(expected).max()) + 0.25 * expected
        header = soundfile.info(tmp_path / "clips" / f"0_0_{number}.wav")
        assert (header.samplerate, header.channels, header.subtype) == (RATE, 1, "FLOAT")
        clip = soundfile.read(tmp_path / "clips" / f"0_0_{number}.wav", dtype="float32")[0]
        np.testing.assert_allclose(clip, expected, atol=1e-5)
        low, rate = soundfile.read(tmp_path / "clips_16k" / f"0_0_{number}.wav", dtype="float32")
        assert rate == 16_000
        np.testing.assert_array_equal(low, Audio(clip, RATE).resampled(16_000).samples)


def test_the_loudness_of_a_file_keeps_the_balance_of_its_clips(tmp_path):
    loud, soft = singing(2.0, RATE), 0.2 * singing(2.0, RATE)
    dataset = write(tmp_path / "data" / "take.wav", np.concatenate((loud, soft))).parent
    peaks = {}
    for loudness in ("none", "file", "clip"):
        prepared(dataset, tmp_path / loudness, loudness=loudness, slicing="simple", slice_seconds=2.0, overlap_seconds=0.0, high_pass=False)
        clips = [soundfile.read(tmp_path / loudness / "clips" / f"0_0_{i}.wav")[0] for i in range(2)]
        peaks[loudness] = [float(np.abs(clip).max()) for clip in clips]
    ratio = peaks["none"][1] / peaks["none"][0]
    assert peaks["none"][0] == pytest.approx(0.5, abs=1e-4)
    assert peaks["file"][0] == pytest.approx(0.675 + 0.25 * peaks["none"][0], abs=1e-4)
    assert peaks["file"][1] / peaks["file"][0] == pytest.approx(ratio, abs=1e-4)
    assert peaks["clip"] == pytest.approx([0.675 + 0.25 * one for one in peaks["none"]], abs=1e-4)


def test_the_high_pass_removes_rumble_and_can_be_switched_off(tmp_path):
    time = np.arange(3 * RATE) / RATE
    rumble = 0.3 * np.sin(2 * np.pi * 15 * time)
    dataset = write(tmp_path / "data" / "take.wav", (rumble + 0.1 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)).parent
    power = {}
    for high_pass in (True, False):
        prepared(dataset, tmp_path / str(high_pass), high_pass=high_pass, loudness="none", slicing="whole")
        clip = soundfile.read(tmp_path / str(high_pass) / "clips" / "0_0_0.wav")[0][RATE:]
        power[high_pass] = np.abs(np.fft.rfft(clip))[30]  # 15 Hz of two seconds
    assert power[True] < 0.01 * power[False]


def test_the_seconds_of_the_report_add_up_and_nothing_loud_is_missing(tmp_path):
    parts = [singing(4.1, RATE), np.zeros(3 * RATE, np.float32), singing(0.7, RATE, seed=1), np.zeros(2 * RATE, np.float32)]
    samples = np.concatenate(parts)
    report = report_of(prepared(write(tmp_path / "data" / "take.wav", samples).parent, tmp_path))
    assert report.seconds_read == pytest.approx(len(samples) / RATE)
    assert report.seconds_read == pytest.approx(report.seconds_used + report.seconds_silent + report.seconds_left_out)
    assert report.seconds_left_out == 0
    assert 4.8 <= report.seconds_used <= 4.8 + 4 * 0.5
    as_json = json.loads(json.dumps(asdict(report)))
    assert as_json["speakers"] == {"0": {"name": "data", "clips": report.clips, "seconds": report.seconds_used}}


def test_files_are_numbered_in_sorted_order_and_speakers_by_their_folders(tmp_path):
    for i, name in enumerate(("b.wav", "a.wav", "3/x.wav", "3/session one/y.wav")):
        write(tmp_path / "data" / name, singing(1.0, RATE, seed=i))
    items = prepared(tmp_path / "data", tmp_path)
    assert [path.stem for path in sorted((tmp_path / "clips").iterdir())] == ["0_2_0", "0_3_0", "3_0_0", "3_1_0"]
    report = report_of(items)
    assert {key: (one.name, one.clips) for key, one in report.speakers.items()} == {0: ("data", 2), 3: ("3", 2)}
    assert ["belong to speaker 0: a.wav, b.wav" in one for one in warnings(items)] == [True]
    assert ClipList.from_folder(tmp_path / "clips").speaker_ids == (0, 3)


def test_speakers_and_files_that_are_not_audio_are_mentioned_without_alarm(tmp_path):
    write(tmp_path / "data" / "ben" / "b.wav", singing(1.0, RATE))
    write(tmp_path / "data" / "ana" / "a.wav", singing(1.0, RATE, seed=1))
    (tmp_path / "data" / "cover.jpg").write_bytes(b"picture")
    items = prepared(tmp_path / "data", tmp_path)
    notes = [one.message for one in items if isinstance(one, Note)]
    assert {key: (one.name, one.clips) for key, one in report_of(items).speakers.items()} == {0: ("ana", 1), 1: ("ben", 1)}
    assert not warnings(items)
    assert "2 speakers, by their folders: 0 is ana, 1 is ben." in notes
    assert any("cover.jpg" in one for one in notes)


def test_progress_counts_the_seconds_of_the_recordings(tmp_path):
    write_dataset(tmp_path / "data", files=3, seconds=1.0)
    steps = [one for one in prepared(tmp_path / "data", tmp_path) if isinstance(one, Progress)]
    assert {(one.stage, one.total, one.unit) for one in steps} == {("preprocess", 3, "seconds")}
    assert [one.message for one in steps] == [f"take {i}.wav" for i in range(3)]
    done = [one.done for one in steps]  # workers may be ahead of the recording that is told of
    assert done == sorted(done)
    assert (done[0] >= 1, done[-1]) == (True, 3)


def test_progress_counts_files_when_no_header_tells_a_length(tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "quick_seconds", lambda path: 0.0)
    write_dataset(tmp_path / "data", files=3, seconds=1.0)
    steps = [one for one in prepared(tmp_path / "data", tmp_path) if isinstance(one, Progress)]
    assert [(one.done, one.total, one.unit) for one in steps] == [(1, 3, "files"), (2, 3, "files"), (3, 3, "files")]


def test_a_long_recording_shows_progress_within_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(side_by_side, "ASK_SECONDS", 0.002)
    write_dataset(tmp_path / "data", files=1, seconds=60.0)
    done = [one.done for one in prepared(tmp_path / "data", tmp_path) if isinstance(one, Progress)]
    assert done == sorted(done)
    assert len({one for one in done if 30 < one < 60}) > 3, "while clips are written"
    assert done[-1] == 60


def test_one_recording_is_a_dataset(tmp_path):
    path = save(tmp_path / "data" / "söng.m4a", Audio(singing(2.0, 48_000), 48_000))
    report = report_of(prepared(path, tmp_path))
    assert (report.files_used, report.clips) == (1, 1)
    assert report.speakers[0].name == "söng"


@pytest.mark.parametrize("settings", [{}, {"slicing": "simple", "slice_seconds": 1.0}, {"slicing": "whole", "loudness": "file"}])
def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path, settings):
    dataset = write_dataset(tmp_path / "data", files=7, seconds=2.5)
    write(dataset / "4" / "more.wav", singing(4.0, 32_000, seed=9), 32_000)
    (dataset / "broken.wav").write_bytes(b"RIFF")
    results = []
    for workers in (1, 2, 5):
        items = prepared(dataset, tmp_path / str(workers), workers=workers, **settings)
        said = [one.message if isinstance(one, Note) else one for one in items if not isinstance(one, Progress)]
        results.append((said, written(tmp_path / str(workers))))
    assert results[0] == results[1] == results[2]


def test_a_long_recording_is_cut_from_a_temporary_file_to_the_same_clips(tmp_path, monkeypatch):
    dataset = write_dataset(tmp_path / "data", files=1, seconds=25.0)
    prepared(dataset, tmp_path / "memory")
    monkeypatch.setattr(cutter, "_IN_MEMORY_SECONDS", 3)
    prepared(dataset, tmp_path / "file")
    prepared(dataset, tmp_path / "whole", slicing="whole")
    assert written(tmp_path / "memory") == written(tmp_path / "file")
    assert soundfile.info(tmp_path / "whole" / "clips" / "0_0_0.wav").frames == 25 * RATE


# ---- what is left out


def test_a_bad_file_among_good_ones_is_left_out_with_its_reason(tmp_path):
    dataset = write_dataset(tmp_path / "data", files=2, seconds=1.5)
    (dataset / "empty.wav").touch()
    (dataset / "picture.mp3").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    broken = singing(1.0, RATE)
    broken[100] = np.nan
    write(dataset / "nan.wav", broken)
    (dataset / "gone.flac").symlink_to(dataset / "nowhere.flac")
    write(dataset / "click.wav", singing(0.1, RATE))
    write(dataset / "silent.wav", np.zeros(2 * RATE, np.float32))
    write(dataset / "integers.wav", 32_768 * singing(1.0, RATE))
    items = prepared(dataset, tmp_path)
    report = report_of(items)
    reasons = {"empty.wav": "empty file", "picture.mp3": "not an audio file", "nan.wav": "not numbers", "gone.flac": "no file",
               "click.wav": "shorter than 0.4 s", "silent.wav": "nothing in it is above -42 dB", "integers.wav": "a peak above 2.5"}
    assert report.files_left_out.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert reason in report.files_left_out[name]
        assert any(name in one and reason in one for one in warnings(items))
    assert report.files_used == 2
    assert {path.stem.split("_")[1] for path in (tmp_path / "clips").iterdir()} == {"7", "8"}, "the two takes, and nothing else"


@pytest.mark.parametrize("slicing", ["automatic", "simple", "whole"])
@pytest.mark.parametrize("loudness", ["clip", "file", "none"])
def test_digital_silence_is_never_divided_by(tmp_path, slicing, loudness):
    dataset = write(tmp_path / "data" / "silent.wav", np.zeros(2 * RATE, np.float32)).parent
    write(dataset / "voice.wav", np.concatenate((np.zeros(3 * RATE, np.float32), singing(1.0, RATE))))
    report = report_of(prepared(dataset, tmp_path, slicing=slicing, loudness=loudness, slice_seconds=2.0))
    assert list(report.files_left_out) == ["silent.wav"]
    for path in (tmp_path / "clips").iterdir():
        samples = soundfile.read(path)[0]
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() > 0.01


def test_clips_that_are_left_out_are_counted_by_reason(tmp_path):
    samples = np.concatenate((singing(3.0, RATE), 20 * singing(3.0, RATE), np.zeros(3 * RATE), singing(3.0, RATE))).astype(np.float32)
    dataset = write(tmp_path / "data" / "take.wav", samples).parent
    items = prepared(dataset, tmp_path, slicing="simple", overlap_seconds=0.0, high_pass=False)
    report = report_of(items)
    assert report.clips == 2
    assert report.clips_left_out == {"a peak above 2.5": 1, "silence (a peak under 0.0001)": 1}
    assert (report.seconds_read, report.seconds_used, report.seconds_left_out) == pytest.approx((12.0, 6.0, 6.0))
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == ["0_0_0.wav", "0_0_1.wav"], "numbered without a gap"
    assert sum("1 clips are left out" in one for one in warnings(items)) == 2


def test_a_speaker_without_a_usable_recording_is_mentioned(tmp_path):
    dataset = write_dataset(tmp_path / "data", files=1, seconds=1.0)
    write(dataset / "2" / "silent.wav", np.zeros(RATE, np.float32))
    items = prepared(dataset, tmp_path)
    assert report_of(items).speakers[2].clips == 0
    assert any("Speaker 2" in one for one in warnings(items))


def test_many_bad_files_do_not_flood_the_log(tmp_path):
    dataset = write_dataset(tmp_path / "data", files=1, seconds=1.0)
    for i in range(30):
        (dataset / f"{i}.wav").write_bytes(b"no sound")
    items = prepared(dataset, tmp_path)
    assert len(report_of(items).files_left_out) == 30
    assert len(warnings(items)) == 21
    assert "30 recordings" in warnings(items)[-1]


# ---- failures, and the files after them


@pytest.mark.parametrize("make", [
    lambda folder: folder / "nowhere",
    lambda folder: (folder / "empty").mkdir() or folder / "empty",
])
def test_without_a_dataset_the_clips_of_before_stay(tmp_path, make):
    prepared(write_dataset(tmp_path / "data", files=1, seconds=1.0), tmp_path)
    before = written(tmp_path)
    with pytest.raises(DatasetError):
        prepared(make(tmp_path), tmp_path)
    assert written(tmp_path) == before


def test_a_dataset_without_one_usable_recording_says_why(tmp_path):
    dataset = write(tmp_path / "data" / "silent.wav", np.zeros(RATE, np.float32)).parent
    (dataset / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(DatasetError, match=r"Not one clip .*broken\.wav: .*silent\.wav: nothing in it is above"):
        prepared(dataset, tmp_path)
    assert not written(tmp_path)


def test_the_clips_of_before_are_replaced_and_other_files_stay(tmp_path):
    prepared(write_dataset(tmp_path / "first", files=3, seconds=4.0), tmp_path)
    (tmp_path / "clips" / "notes.txt").write_text("mine")
    (tmp_path / "clips" / "reference take.wav").write_bytes(b"mine too")
    second = write_dataset(tmp_path / "second", files=1, seconds=1.0)
    prepared(second, tmp_path)
    prepared(second, tmp_path / "fresh")
    after = written(tmp_path)
    assert after.pop("clips/notes.txt")
    assert after.pop("clips/reference take.wav")
    assert after == written(tmp_path / "fresh")


@pytest.mark.parametrize("where", ["clips", "clips_16k", "clips/inside", "."])
def test_a_dataset_among_the_clips_is_refused_and_left_alone(tmp_path, where):
    dataset = write_dataset(tmp_path / "run" / where, files=1, seconds=1.0)
    source = dataset / "take 0.wav"
    source = source.rename(dataset / "0_0_0.wav")  # even under the name of a clip
    before = source.read_bytes()
    with pytest.raises(DatasetError, match="inside one another"):
        prepared(dataset, tmp_path / "run")
    assert source.read_bytes() == before


def test_stopping_ends_the_stage_without_a_report(tmp_path):
    dataset = write_dataset(tmp_path / "data", files=12, seconds=1.0)
    answers = iter([False, False, True])
    items = prepared(dataset, tmp_path, workers=1, stop=lambda: next(answers, True))
    assert not any(isinstance(one, PreprocessReport) for one in items)
    assert 1 <= sum(isinstance(one, Progress) for one in items) < 12
    assert not [one for one in threading.enumerate() if one.name.startswith("recordings")], "no thread goes on working"


def test_stopping_does_not_wait_for_a_long_recording(tmp_path, monkeypatch):
    dataset = write_dataset(tmp_path / "data", files=1, seconds=1.0)
    decoded = []

    def endless(path: Path, rate: int):
        while True:
            decoded.append(np.zeros(rate, np.float32))
            yield decoded[-1]

    monkeypatch.setattr(cutter, "blocks", endless)
    assert not prepared(dataset, tmp_path, stop=lambda: len(decoded) > 3)
    assert not [one for one in threading.enumerate() if one.name.startswith("recordings")]


def test_closing_the_generator_ends_its_threads(tmp_path):
    dataset = write_dataset(tmp_path / "data", files=12, seconds=1.0)
    events = preprocess(dataset, tmp_path / "clips", tmp_path / "clips_16k", DataSettings(sample_rate=RATE), never, workers=2)
    next(events)
    events.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("recordings")]


def test_a_full_disk_is_a_storage_error_and_leaves_no_half_clip(tmp_path, monkeypatch):
    dataset = write_dataset(tmp_path / "data", files=1, seconds=4.0)
    real_write = cutter.wavfile.write

    def full_after_one(file, rate, samples):
        if file.name.endswith("0_0_1.wav"):
            file.write(b"RIFF")
            raise OSError(errno.ENOSPC, "No space left on device")
        real_write(file, rate, samples)

    monkeypatch.setattr(cutter.wavfile, "write", full_after_one)
    with pytest.raises(StorageError, match="disk is full"):
        prepared(dataset, tmp_path)
    assert set(written(tmp_path)) == {"clips/0_0_0.wav", "clips_16k/0_0_0.wav"}


def test_the_systems_own_refusal_to_write_is_a_storage_error(tmp_path):
    """With a limit on file sizes set by the system, in a process of its own."""
    write_dataset(tmp_path / "data", files=1, seconds=4.0)
    program = f"""
import resource, signal
from pathlib import Path
from rvc.errors import StorageError
from rvc.train.data.preprocess import preprocess
from rvc.train.settings import DataSettings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
here = Path({str(tmp_path)!r})
try:
    list(preprocess(here / "data", here / "clips", here / "clips_16k", DataSettings(sample_rate=24000), lambda: False))
except StorageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "0_0_0.wav was not written: File too large" in done.stdout
    assert not written(tmp_path)


def test_the_stage_needs_no_torch(tmp_path):
    program = "import sys, rvc.train.data.preprocess; print([one for one in ('torch', 'librosa', 'faiss') if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_sample_of_a_voice_without_pauses_is_in_a_clip(tmp_path):
    time = np.arange(round(11.37 * RATE)) / RATE
    dataset = write(tmp_path / "data" / "take.wav", (0.4 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)).parent
    report = report_of(prepared(dataset, tmp_path))
    assert report.seconds_used == pytest.approx(len(time) / RATE)
    lengths = [soundfile.info(tmp_path / "clips" / f"0_0_{i}.wav").frames for i in range(report.clips)]
    assert lengths == [len(one) for one in slices(np.ones(len(time)), RATE, DataSettings()).clips]
    assert sum(lengths) - (report.clips - 1) * round(0.3 * RATE) == len(Span(0, len(time)))
