"""Scores on held-out clips: right numbers, the same noise at every epoch, nothing of the training changed, no failure that ends it."""

import json
import shutil

import numpy as np
import pytest
import torch

from rvc import checkpoint
from rvc.events import Note, Saved, Scored
from rvc.f0 import registry as f0
from rvc.f0.track import F0Track
from rvc.paths import Home
from rvc.train.data.clips import Clip, ClipList
from rvc.train.fit import Fit
from rvc.train.listening.evaluation import MOST_CLIPS, MOST_SECONDS, Evaluation, beginning, pitch_scores, spread
from rvc.train.listening.scores import EpochScores
from rvc.train.run import TrainingRun
from tests.train.conftest import SAMPLE_RATE
from tests.train.listening import CPU, Constant, config_of, hold_out, mark, random_network

pytestmark = pytest.mark.usefixtures("thin")


@pytest.fixture
def heard(monkeypatch) -> list[str]:
    """Names of the detectors that were loaded; each hears 150 Hz, the pitch that the test clips say they have."""
    loaded: list[str] = []
    monkeypatch.setattr(f0, "load", lambda name, device, home: loaded.append(name) or Constant(150.0))
    return loaded


@pytest.fixture
def run(tiny_run) -> TrainingRun:
    found = tiny_run()
    hold_out(found, 2)
    return found


def evaluation_of(run: TrainingRun) -> Evaluation | None:
    return Evaluation.of(run, Home(run.folder.parent.parent), config_of(run), CPU)


def scores_of(run: TrainingRun, epoch: int, step: int) -> EpochScores:
    return EpochScores.read(run.eval / f"{epoch}e_{step}s.json")


# -- the numbers -------------------------------------------------------------------------------------------------------------


def test_a_save_is_scored_on_every_held_out_clip(run, heard):
    events = list(evaluation_of(run).at(random_network(run), 4, 120))
    written = scores_of(run, 4, 120)
    assert [(type(one), one.epoch, one.step) for one in events] == [(Scored, 4, 120)]
    assert events[0].scores == written.means
    assert [one.clip for one in written.clips] == ["0_3_0", "0_4_0"]
    assert written.means["f0_error_cents"] == 0
    assert written.means["voiced_agreement"] == 1
    assert written.means["mel_distance"] > 0.5  # random weights


def test_the_detector_is_the_runs_own_and_is_loaded_once_and_late(run, heard):
    made = evaluation_of(run)
    assert heard == []
    for epoch in (1, 2):
        list(made.at(random_network(run), epoch, epoch))
    assert heard == ["fcpe"]


def test_the_recording_itself_has_a_mel_distance_of_zero_and_half_its_amplitude_of_ln_2(run, heard, monkeypatch):
    made, network = evaluation_of(run), random_network(run)
    for gain in (1.0, 0.5):
        sounds = iter([gain * made._dataset[number].audio for number in range(2)])
        monkeypatch.setattr(network, "infer", lambda *inputs, sounds=sounds: next(sounds))
        list(made.at(network, 1, 1))
        loud = scores_of(run, 1, 1).means["mel_distance"]
        assert loud == pytest.approx(-np.log(gain), abs=0.02)  # nearly: quiet bands are at the floor of the logarithm


def test_pitch_is_scored_in_cents_over_frames_voiced_in_both():
    asked, heard = np.array([100.0, 100, 100, 0, 0, 200]), F0Track(np.array([100.0, 200, 200, 0, 90, 0]))
    error, agreement = pitch_scores(asked, heard)
    assert error == pytest.approx(1200)  # the median of 0, 1200 and 1200
    assert agreement == pytest.approx(4 / 6)


def test_without_a_frame_voiced_in_both_there_is_no_pitch_error():
    assert pitch_scores(np.array([100.0, 0]), F0Track(np.array([0.0, 100]))) == (None, 0.0)


def test_the_real_detector_hears_the_pitch_of_a_recording(tiny_run, monkeypatch):
    run = tiny_run(f0_method="swift")
    hold_out(run, 1)
    made, network = evaluation_of(run), random_network(run)
    batch = made._dataset[0]
    time = torch.arange(batch.audio.shape[-1]) / SAMPLE_RATE
    tone = sum(torch.sin(2 * torch.pi * 150 * harmonic * time) / harmonic for harmonic in range(1, 6))[None, None] * 0.3
    monkeypatch.setattr(network, "infer", lambda *inputs: tone)
    list(made.at(network, 1, 1))
    assert scores_of(run, 1, 1).means["f0_error_cents"] < 10
    assert scores_of(run, 1, 1).means["voiced_agreement"] > 0.9


def test_a_voice_without_pitch_guidance_is_scored_by_mel_alone(tiny_run, heard):
    run = tiny_run(pitch_guidance=False)
    shutil.rmtree(run.f0)
    hold_out(run, 1)
    (scored,) = evaluation_of(run).at(random_network(run), 1, 3)
    assert scored.scores.keys() == {"mel_distance"}
    assert heard == []


# -- which clips -------------------------------------------------------------------------------------------------------------


def clip(speaker: int, recording: int, number: int, seconds: float = 2.0) -> Clip:
    return Clip(f"{speaker}_{recording}_{number}", speaker, seconds, round(seconds * 100))


def test_speakers_and_recordings_are_scored_in_turns():
    clips = [clip(0, recording, number) for recording in (1, 2, 3) for number in range(9)] + [clip(1, 1, number) for number in range(4)]
    chosen = [one.name for one in spread(clips)]
    assert chosen[:6] == ["0_1_0", "1_1_0", "0_2_0", "1_1_1", "0_3_0", "1_1_2"]
    assert len(chosen) == MOST_CLIPS
    assert chosen == [one.name for one in spread(reversed(clips))]


def test_no_more_is_scored_than_a_save_may_take():
    assert sum(one.seconds for one in spread(clip(0, number, 0, 8.0) for number in range(20))) == MOST_SECONDS


def test_of_a_long_clip_the_beginning_is_scored(run):
    batch = evaluation_of(run)._dataset[0]
    cut = beginning(batch, 0.5)
    assert (int(cut.lengths), cut.content.shape[1], cut.coarse.shape[1], cut.f0_hz.shape[1], cut.spec.shape[2]) == (50,) * 5
    assert torch.equal(cut.audio, batch.audio[..., : SAMPLE_RATE // 2])
    assert torch.equal(beginning(batch, 99.0).spec, batch.spec)


def test_nothing_is_scored_when_nothing_is_held_out_or_no_scores_are_wanted(tiny_run):
    assert evaluation_of(tiny_run()) is None
    empty = tiny_run("empty")
    ClipList(()).write(empty.held_out_list)
    assert evaluation_of(empty) is None
    unwanted = tiny_run("unwanted", evaluate=False)
    hold_out(unwanted, 1)
    assert evaluation_of(unwanted) is None


# -- what it leaves behind ---------------------------------------------------------------------------------------------------


def test_scoring_changes_no_weight_no_mode_no_gradient_flag_and_no_random_state(run, heard):
    network = random_network(run)
    next(iter(network.parameters())).requires_grad_(False)
    made, before = evaluation_of(run), mark(network)
    list(made.at(network, 1, 3))
    assert mark(network) == before
    assert torch.is_grad_enabled()


def test_two_epochs_are_scored_with_the_same_noise(run, heard):
    network = random_network(run)
    (first,) = evaluation_of(run).at(network, 1, 3)
    torch.randn(17)
    (second,) = evaluation_of(run).at(network, 2, 6)
    assert second.scores == first.scores


def test_a_result_that_is_not_a_number_is_a_warning_and_the_other_clips_are_scored(run, heard, monkeypatch):
    network = random_network(run)
    whole, calls = network.infer, []

    def sometimes(*inputs):
        calls.append(1)
        return whole(*inputs) * (float("nan") if len(calls) == 1 else 1)

    monkeypatch.setattr(network, "infer", sometimes)
    note, scored = evaluation_of(run).at(network, 1, 3)
    assert isinstance(note, Note)
    assert note.level == "warning"
    assert "0_3_0" in note.message
    assert isinstance(scored, Scored)
    assert [one.clip for one in scores_of(run, 1, 3).clips] == ["0_4_0"]


def test_when_no_clip_can_be_scored_there_are_no_scores(run, heard, monkeypatch):
    network = random_network(run)
    monkeypatch.setattr(network, "infer", lambda *inputs: torch.full((1, 1, 9600), float("inf")))
    assert [type(one) for one in evaluation_of(run).at(network, 1, 3)] == [Note, Note]
    assert not run.eval.exists()


def test_a_failure_is_a_warning_with_its_reason_and_leaves_everything_as_it_was(run, heard, monkeypatch, caplog):
    def broken(self, batch, audio):
        raise RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB")

    monkeypatch.setattr(Evaluation, "_mel_distance", broken)
    network = random_network(run)
    before = mark(network)
    (note,) = evaluation_of(run).at(network, 7, 30)
    assert note.level == "warning"
    assert note.message == "Scoring epoch 7 failed, and the training goes on: RuntimeError: CUDA out of memory."
    assert "Traceback" in caplog.text
    assert mark(network) == before


def test_a_disk_that_is_full_costs_the_scores_and_nothing_else(run, heard, monkeypatch):
    from rvc.errors import StorageError

    def full(path, text):
        raise StorageError("The disk is full.", fix="Free space.")

    monkeypatch.setattr("rvc.train.listening.scores.write_text_whole", full)
    (note,) = evaluation_of(run).at(random_network(run), 1, 3)
    assert note.message.endswith("The disk is full. Free space.")


def test_the_file_says_what_was_scored(run, heard):
    list(evaluation_of(run).at(random_network(run), 2, 6))
    content = json.loads((run.eval / "2e_6s.json").read_text())
    assert content.keys() == {"format", "epoch", "step", "scores", "clips"}
    assert content["clips"][0].keys() == {"clip", "speaker_id", "seconds", "mel_distance", "f0_error_cents", "voiced_agreement"}


# -- in a fit ----------------------------------------------------------------------------------------------------------------


def fitted(run: TrainingRun) -> list:
    return list(Fit(run, Home(run.folder.parent.parent), lambda: False).events())


def all_tensors(run: TrainingRun) -> dict[str, dict]:
    """Weights and optimizer states of the last checkpoint."""
    return {kind: checkpoint.read(run.checkpoint(kind, run.checkpoint_steps()[-1])) for kind in ("G", "D")}


@pytest.fixture
def listened_to(tiny_run, heard):
    """Makes a run of two saves of which some clips are held out, and fits it."""

    def make(name: str, **values) -> tuple[TrainingRun, list]:
        run = tiny_run(name, save_every_epochs=1, **values)
        hold_out(run, 2)
        return run, fitted(run)

    return make


def test_a_run_with_scores_and_one_without_give_identical_weights_and_optimizers(listened_to):
    (scored, events), (unscored, quiet) = listened_to("scored"), listened_to("unscored", evaluate=False)
    assert [(one.epoch, one.step) for one in events if isinstance(one, Scored)] == [(1, 2), (2, 4)]
    assert not [one for one in quiet if isinstance(one, Scored)]
    one, other = all_tensors(scored), all_tensors(unscored)
    for kind in ("G", "D"):
        assert one[kind]["model"].keys() == other[kind]["model"].keys()
        assert all(torch.equal(tensor, other[kind]["model"][name]) for name, tensor in one[kind]["model"].items())
        for number, values in one[kind]["optimizer"]["state"].items():
            assert all(torch.equal(torch.as_tensor(value), torch.as_tensor(other[kind]["optimizer"]["state"][number][name]))
                       for name, value in values.items())


def test_scores_that_always_fail_cost_neither_a_step_nor_a_checkpoint_nor_a_voice(listened_to, monkeypatch):
    monkeypatch.setattr(f0, "load", lambda *_: 1 / 0)
    run, events = listened_to("unlucky")
    assert run.checkpoint_steps() == [2, 4]
    assert len(run.voices()) == 2
    warnings = [one.message for one in events if isinstance(one, Note) and one.level == "warning" and "Scoring" in one.message]
    assert warnings == [f"Scoring epoch {epoch} failed, and the training goes on: ZeroDivisionError: division by zero" for epoch in (1, 2)]


def test_scores_come_after_the_checkpoint_is_on_disk(listened_to):
    _, events = listened_to("ordered")
    kinds = [getattr(one, "what", "scores") for one in events if isinstance(one, (Saved, Scored))]
    assert kinds == ["checkpoint", "voice", "scores", "audition"] * 2
