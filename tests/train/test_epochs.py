"""The saved epochs of a run as its folder tells: everything that belongs together in one row, damage told in its row."""

import json

import pytest

from rvc.cli import main
from rvc.errors import RunError
from rvc.train.aside import put_aside
from rvc.train.listening.epochs import EpochRow, epochs, row_at
from rvc.train.listening.scores import ClipScores, EpochScores
from rvc.train.run import TrainingRun


def save(run: TrainingRun, epoch: int, step: int, *, scores: bool = True, audition: bool = True, voice: bool = True,
         checkpoint: bool = True) -> None:
    run.eval.mkdir(exist_ok=True)
    if scores:
        clip = ClipScores(clip="0_1_0", speaker_id=0, seconds=1.0, mel_distance=1 / epoch, f0_error_cents=10.0, voiced_agreement=0.9)
        EpochScores(epoch, step, (clip,)).write(run.eval / f"{epoch}e_{step}s.json")
    if audition:
        (run.eval / f"{epoch}e_{step}s.flac").write_bytes(b"sound")
    if voice:
        run.voice_path(epoch, step).write_bytes(b"voice")
    if checkpoint:
        run.checkpoint("state", step).write_bytes(b"state")


@pytest.fixture
def run(tiny_run) -> TrainingRun:
    return tiny_run("my_1e_2s run")  # a name that looks like a save


def test_a_save_is_one_row_and_the_newest_comes_first(run):
    save(run, 2, 60)
    save(run, 10, 300)
    newest, oldest = epochs(run)
    assert newest == EpochRow(10, 300, {"mel_distance": 0.1, "f0_error_cents": 10.0, "voiced_agreement": 0.9},
                              run.eval / "10e_300s.flac", run.folder / "my_1e_2s run_10e_300s.pth", True)
    assert (oldest.epoch, oldest.step) == (2, 60)


@pytest.mark.parametrize("part", ["scores", "audition", "voice", "checkpoint"])
def test_a_save_shows_what_there_is_of_it(run, part):
    save(run, 3, 90, **{part: False})
    (row,) = epochs(run)
    there = {"scores": row.scores is not None, "audition": row.audition is not None, "voice": row.voice is not None,
             "checkpoint": row.has_checkpoint}
    assert there == {name: name != part for name in there}


def test_a_stop_inside_an_epoch_is_a_row_to_go_on_from(run):
    save(run, 3, 90)
    run.checkpoint("state", 95).write_bytes(b"state")
    assert epochs(run)[0] == EpochRow(None, 95, None, None, None, True)


@pytest.mark.parametrize("content", ["", "{", '{"epoch": 3, "step": 90}', "[1, 2]"])
def test_damaged_scores_are_told_in_their_row_and_hide_nothing(run, content):
    save(run, 2, 60)
    save(run, 3, 90)
    (run.eval / "3e_90s.json").write_text(content)
    damaged, whole = epochs(run)
    assert damaged.scores is None
    assert "3e_90s.json cannot be read" in damaged.trouble
    assert damaged.audition
    assert whole.scores
    assert not whole.trouble


def test_files_that_are_no_saves_are_passed_over(run):
    save(run, 2, 60)
    for name in ("audition.npz", "notes.json", "2e_60s.txt", "e_s.flac", ".2e_61s.flac.part.flac"):
        (run.eval / name).write_bytes(b"x")
    assert [row.step for row in epochs(run)] == [60]


def test_a_run_without_a_save_has_no_rows(run):
    assert epochs(run) == []


def test_what_is_put_aside_with_its_checkpoints_is_no_row_any_more(run):
    save(run, 2, 60)
    (run.eval / "audition.npz").write_bytes(b"prepared")
    aside = put_aside(run)
    assert epochs(run) == []
    assert sorted(path.name for path in (aside / "eval").iterdir()) == ["2e_60s.flac", "2e_60s.json"]
    assert (run.eval / "audition.npz").exists()


def test_one_row_is_found_by_its_step(run):
    save(run, 2, 60)
    assert row_at(run, 60).epoch == 2
    with pytest.raises(RunError, match="nothing saved at step 61"):
        row_at(run, 61)


# -- the command -------------------------------------------------------------------------------------------------------------


def test_the_command_lists_them(run, capsys):
    save(run, 2, 60)
    save(run, 3, 90, scores=False, audition=False)
    assert main(["epochs", run.name]) == 0
    head, newest, oldest = capsys.readouterr().out.splitlines()
    assert head.split() == ["EPOCH", "STEP", "MEL", "CENTS", "VOICED", "LISTEN", "VOICE", "CHECKPOINT"]
    assert newest.split()[:6] == ["3", "90", "-", "-", "-", "-"]
    assert oldest.split()[:6] == ["2", "60", "0.500", "10.0", "90%", "eval/2e_60s.flac"]


def test_the_command_speaks_json(run, capsys):
    save(run, 2, 60)
    assert main(["epochs", run.name, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"epoch": 2, "step": 60, "scores": {"mel_distance": 0.5, "f0_error_cents": 10.0, "voiced_agreement": 0.9},
                   "audition": str(run.eval / "2e_60s.flac"), "voice": str(run.voice_path(2, 60)), "has_checkpoint": True, "trouble": ""}


def test_the_command_tells_that_there_is_no_such_run(home, capsys):
    assert main(["epochs", "nobody"]) == 1
    assert "no run 'nobody'" in capsys.readouterr().err
