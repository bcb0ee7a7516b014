"""Which recordings are held out: whole ones, about as much as was asked for, and never a copy of one that is trained on."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from rvc.audio import Audio, save
from rvc.events import Note
from rvc.paths import Home
from rvc.settings import from_flat
from rvc.train import new_run, stages
from rvc.train.data.clips import ClipList
from rvc.train.data.heldout import HeldOut, Take
from rvc.train.data.preprocess import PreprocessReport, preprocess
from rvc.train.run import TrainingRun
from rvc.train.settings import DataSettings, TrainingSettings
from tests.sounds import write_dataset

RATE = 24_000


def takes(lengths: list[float], speaker_id: int = 0, folder: str = "") -> list[Take]:
    """One take for each of ``lengths`` in seconds."""
    return [Take(f"{folder}take {i}.wav", 1000 * speaker_id + i, speaker_id, seconds, min(seconds, 3.0), f"{speaker_id}-{i}")
            for i, seconds in enumerate(lengths)]


def seconds_of(all_takes: list[Take], held: HeldOut) -> float:
    return sum(one.seconds for one in all_takes if one.name in held.takes)


@pytest.mark.parametrize("percent", [1.0, 4.0, 20.0])
@pytest.mark.parametrize("seed", range(5))
def test_about_the_asked_part_of_the_seconds_is_held_out(percent, seed):
    given = takes(np.random.default_rng(seed).uniform(2, 12, 200).tolist())
    total = sum(one.seconds for one in given)
    assert seconds_of(given, HeldOut.of(given, percent)) == pytest.approx(percent / 100 * total, abs=6.0)


def test_of_few_recordings_one_is_held_out_and_of_fewer_than_eight_none():
    assert len(HeldOut.of(takes([5.0] * 8), 1.0).takes) == 1
    assert HeldOut.of(takes([5.0] * 7), 20.0) == HeldOut({}, (0,))
    assert HeldOut.of(takes([5.0] * 100), 0.0) == HeldOut({}, ())
    assert HeldOut.of([], 4.0) == HeldOut({}, ())


def test_one_long_recording_among_short_ones_is_never_the_one():
    given = takes([3600.0, *[10.0] * 9])
    held = HeldOut.of(given, 4.0)
    assert held.takes
    assert "take 0.wav" not in held.takes


def test_recordings_with_a_clip_of_a_second_go_before_shorter_ones():
    given = takes([0.6] * 50 + [5.0] * 8)
    held = HeldOut.of(given, 4.0)
    assert all(one.longest_clip_seconds >= 1 for one in given if one.name in held.takes)
    assert held.takes


@pytest.mark.parametrize("percent", [2.0, 10.0, 20.0])
def test_equal_sounds_are_on_the_same_side(percent):
    given = [replace(one, sound=f"sound {one.number // 3}") for one in takes([4.0] * 60)]
    held = HeldOut.of(given, percent)
    within = {one.sound for one in given if one.name in held.takes}
    assert within.isdisjoint(one.sound for one in given if one.name not in held.takes)
    assert within
    assert HeldOut.of(given[:21], percent).too_few == (0,), "copies do not count as recordings"


def test_a_sound_that_two_speakers_have_is_trained_on_in_both():
    given = [replace(one, sound=one.name[-10:]) for one in takes([4.0] * 9, 0, "a/") + takes([4.0] * 9, 1, "b/")]
    assert HeldOut.of(given, 4.0) == HeldOut({}, (0, 1))


def test_every_speaker_has_a_part_of_its_own():
    given = takes([4.0] * 40, 0, "ana/") + takes([2.0] * 10, 1, "ben/") + takes([9.0] * 3, 2, "cleo/")
    held = HeldOut.of(given, 5.0)
    assert {name.split("/")[0] for name in held.takes} == {"ana", "ben"}
    assert held.too_few == (2,)


def test_the_choice_is_stable_and_hardly_moves_when_recordings_come():
    given = takes([4.0] * 200)
    held = HeldOut.of(given, 5.0)
    assert HeldOut.of(given[::-1], 5.0) == held
    more = HeldOut.of(given + takes([4.0] * 20, 0, "new/"), 5.0)
    assert len(held.takes.keys() & more.takes.keys()) >= 8 <= len(held.takes)


# -- in the stages of a run ----------------------------------------------------------------------------------------------------


def report_of(dataset, folder, **settings) -> tuple[PreprocessReport, list[str]]:
    items = list(preprocess(dataset, folder / "clips", folder / "clips_16k", DataSettings(sample_rate=RATE, **settings), lambda: False))
    return items[-1], [one.message for one in items if isinstance(one, Note)]


def test_copies_of_a_recording_in_another_format_stay_with_it(tmp_path):
    dataset = write_dataset(tmp_path / "data", files=9, seconds=1.5)
    for i in range(9):
        sound = soundfile.read(dataset / f"take {i}.wav", dtype="float32")[0]
        save(dataset / f"copy of {i}.flac", Audio(sound, RATE))
    report, notes = report_of(dataset, tmp_path, held_out_percent=10.0)
    numbers = {name.removeprefix("take ").removeprefix("copy of ").split(".")[0] for name in report.held_out}
    assert len(report.held_out) == 2
    assert len(numbers) == 1
    assert any("Held out" in one and "copy of" in one for one in notes)


def test_with_one_long_recording_a_note_says_why_nothing_is_held_out(tmp_path):
    report, notes = report_of(write_dataset(tmp_path / "data", files=1, seconds=3.0), tmp_path)
    assert report.held_out == {}
    assert any("Nothing is held out" in one and "split" in one for one in notes)
    assert not any("held out" in one for one in report_of(tmp_path / "data", tmp_path, held_out_percent=0.0)[1])


class _Mean:
    """An embedder that is quick: 50 frames a second of 8 channels."""

    name = "mean"

    def extract(self, samples):
        return [np.zeros((samples.shape[1] // 320, 8), np.float32) for _ in samples]


@pytest.fixture
def prepared_run(tmp_path, monkeypatch) -> TrainingRun:
    """A run after its first two stages, the embedder being a stand-in."""
    monkeypatch.setattr(stages.embedders, "load", lambda *_: _Mean())
    home = Home(tmp_path)
    dataset = write_dataset(tmp_path / "data", files=10, seconds=2.0)
    asked = {"dataset": str(dataset), "sample_rate": RATE, "embedder": "builtin", "f0_method": "swift", "pitch_guidance": False,
             "model_size": "tiny", "base_model": "scratch", "device": "cpu"}
    run = new_run.create(home, "demo", from_flat(TrainingSettings, asked))
    plan = stages.Plan.of(run)
    for name, stage in (("preprocess", stages._preprocess), ("extract", stages._extract)):
        *_, summary = stage(run, home, plan, lambda: False)
        run.record(name, getattr(plan, name), summary)
    return run


def test_held_out_clips_have_features_and_are_in_a_list_of_their_own(prepared_run):
    trained, held = ClipList.read(prepared_run.filelist), ClipList.read(prepared_run.held_out_list)
    assert held
    assert len(trained) > 5 * len(held)
    assert {one.recording for one in held}.isdisjoint(one.recording for one in trained)
    assert {one.name for one in [*trained, *held]} == {path.stem for path in prepared_run.clips.iterdir()}
    assert all((prepared_run.features / f"{one.name}.npy").exists() for one in held)
    summary = prepared_run.records()["extract"].summary
    assert (summary["clips"], summary["held_out_clips"]) == (len(trained), len(held))
    assert summary["held_out_seconds"] == pytest.approx(held.seconds)


def test_a_lost_list_is_made_again(prepared_run, tmp_path):
    prepared_run.held_out_list.unlink()
    for event in stages.run_stages(prepared_run, Home(tmp_path), lambda: False):
        if getattr(event, "stage", "") == "extract" and getattr(event, "status", "") == "finished":
            break
    assert prepared_run.held_out_list.exists()
