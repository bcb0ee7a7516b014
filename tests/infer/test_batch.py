"""Many recordings: one that fails does not stop the others, and no result replaces another."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rvc.errors import SettingsError
from rvc.events import EventLog, Progress
from rvc.infer.batch import BatchEnded, Failed, convert_many
from rvc.infer.converter import Converted
from rvc.infer.settings import ConversionSettings
from tests.sounds import singing


def settings(**values) -> ConversionSettings:
    return ConversionSettings(**({"index_rate": 0.0, "device": "cpu"} | values))


def recording(path: Path, seconds: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, singing(seconds, 16_000), 16_000)
    return path


def outputs(events) -> list[str]:
    return [Path(event.output).name for event in events if isinstance(event, Converted)]


def test_one_bad_recording_is_reported_and_the_others_are_converted(converter, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"not sound")
    sources = [recording(tmp_path / "a.wav"), tmp_path / "bad.wav", tmp_path / "missing.wav", recording(tmp_path / "c.flac")]
    events = list(convert_many(converter, sources, tmp_path / "out", "ada", settings()))
    assert outputs(events) == ["a_ada.wav", "c_ada.wav"]
    failed = [event for event in events if isinstance(event, Failed)]
    assert [Path(event.source).name for event in failed] == ["bad.wav", "missing.wav"]
    assert "not an audio file" in failed[0].message
    assert events[-1] == BatchEnded(time=events[-1].time, converted=2, failed=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_ada.wav", "c_ada.wav"]


def test_recordings_of_one_name_get_results_of_their_own(converter, tmp_path):
    sources = [recording(tmp_path / "one" / "take.wav", 0.2), recording(tmp_path / "two" / "take.wav", 0.3),
               recording(tmp_path / "three" / "TAKE.flac", 0.4)]
    events = list(convert_many(converter, sources, tmp_path / "out", "ada", settings(output_format="flac")))
    assert outputs(events) == ["take_ada.flac", "take_ada_2.flac", "TAKE_ada_3.flac"]
    lengths = [soundfile.info(tmp_path / "out" / name).duration for name in outputs(events)]
    np.testing.assert_allclose(lengths, [0.2, 0.3, 0.4], atol=1e-3)


def test_a_result_never_takes_the_name_of_a_recording_of_the_batch(converter, tmp_path):
    sources = [recording(tmp_path / "a.wav"), recording(tmp_path / "a_ada.wav")]
    before = [source.read_bytes() for source in sources]
    events = list(convert_many(converter, sources, tmp_path, "ada", settings()))
    assert outputs(events) == ["a_ada_2.wav", "a_ada_ada.wav"]
    assert [source.read_bytes() for source in sources] == before


def test_a_folder_stands_for_the_recordings_in_it(converter, tmp_path):
    for name in ("b.wav", "a.flac"):
        recording(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("x")
    assert outputs(convert_many(converter, [tmp_path / "in"], tmp_path / "out", "ada", settings())) == ["a_ada.wav", "b_ada.wav"]


def test_a_single_recording_may_be_given_a_file(converter, tmp_path):
    source = recording(tmp_path / "a.wav")
    assert outputs(convert_many(converter, [source], tmp_path / "named.flac", "ada", settings())) == ["named.flac"]
    assert outputs(convert_many(converter, [source], tmp_path / "out", "ada/ada.pth", settings())) == ["a_ada.wav"]


def test_what_concerns_all_recordings_is_raised_at_once(converter, tmp_path):
    sources = [recording(tmp_path / "a.wav"), recording(tmp_path / "b.wav")]
    with pytest.raises(SettingsError, match="no voice"):
        list(convert_many(converter, sources, tmp_path / "out", "nobody", settings()))
    with pytest.raises(SettingsError, match="nothing to convert"):
        list(convert_many(converter, [], tmp_path / "out", "ada", settings()))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="no recordings"):
        list(convert_many(converter, [tmp_path / "empty"], tmp_path / "out", "ada", settings()))
    with pytest.raises(SettingsError, match="need a folder"):
        list(convert_many(converter, sources, sources[0], "ada", settings()))


def test_progress_counts_files_and_a_log_holds_every_event(converter, tmp_path):
    sources = [recording(tmp_path / "a.wav"), tmp_path / "missing.wav"]
    events = list(convert_many(converter, sources, tmp_path / "out", "ada", settings()))
    files = [event for event in events if isinstance(event, Progress) and event.unit == "files"]
    assert [(event.done, event.total, event.message) for event in files] == [(0, 2, "a.wav"), (1, 2, "missing.wav")]
    log = EventLog(tmp_path / "events.jsonl")
    for event in events:
        log.append(event)
    assert log.read()[0] == events
