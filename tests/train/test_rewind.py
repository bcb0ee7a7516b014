"""Going on from an earlier checkpoint: what came after it is put aside whole, and the run continues exactly from there."""

import pytest

from rvc.errors import RunBusyError, RunError
from rvc.events import Metrics
from rvc.train.rewind import rewind
from rvc.train.run import TrainingRun
from tests.train.test_fit import copied_run, finished, fit, losses, weights_hash  # noqa: F401

RECORDS = ("preprocess", "extract", "fit_data", "fit", "index", "export")


@pytest.fixture
def run(tiny_run) -> TrainingRun:
    """Files as three saves leave them, and records as a finished run has them."""
    run = tiny_run()
    run.eval.mkdir(exist_ok=True)
    for epoch, step in ((1, 30), (2, 60), (3, 90)):
        for kind in ("G", "D", "state"):
            run.checkpoint(kind, step).write_text(f"{kind} {step}")
        run.voice_path(epoch, step).write_text(f"voice {step}")
        for suffix in ("json", "flac"):
            (run.eval / f"{epoch}e_{step}s.{suffix}").write_text(f"{suffix} {step}")
    (run.eval / "audition.npz").write_text("prepared")
    for stage in RECORDS:
        run.record(stage, "x", {})
    return run


def contents(folder) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in (".pth", ".pt", ".json", ".flac", ".npz") and path.name not in ("run.json", "stages.json")}


def test_what_came_after_is_put_aside_and_what_was_before_stays(run):
    before = contents(run.folder)
    done = rewind(run, 30)
    assert (done.step, done.aside) == (30, run.folder / "earlier_1")
    assert run.checkpoint_steps() == [30]
    aside = contents(done.aside)
    assert set(aside) == {f"{kind}_{step}.{'pt' if kind == 'state' else 'pth'}" for kind in ("G", "D", "state") for step in (60, 90)} | {
        f"demo_{epoch}e_{step}s.pth" for epoch, step in ((2, 60), (3, 90))} | {
        f"eval/{epoch}e_{step}s.{suffix}" for epoch, step in ((2, 60), (3, 90)) for suffix in ("json", "flac")}
    stayed = {name: text for name, text in contents(run.folder).items() if not name.startswith("earlier_")}
    assert {**stayed, **aside} == before


def test_only_the_stages_from_the_fit_on_are_done_again(run):
    rewind(run, 60)
    assert set(run.records()) == set(RECORDS) - {"fit", "export"}


def test_each_time_has_a_folder_of_its_own(run):
    assert rewind(run, 60).aside.name == "earlier_1"
    assert rewind(run, 30).aside.name == "earlier_2"
    assert (run.folder / "earlier_1" / "G_90.pth").exists()
    assert (run.folder / "earlier_2" / "G_60.pth").exists()


def test_after_the_newest_there_is_nothing_to_put_aside(run):
    done = rewind(run, 90)
    assert done.aside is None
    assert "nothing came after it" in done.sentence
    assert not list(run.folder.glob("earlier_*"))


def test_a_step_without_checkpoint_is_refused_with_those_there_are(run):
    before = contents(run.folder)
    with pytest.raises(RunError, match="no checkpoint of step 45") as raised:
        rewind(run, 45)
    assert raised.value.fix == "There are: 30, 60, 90."
    run.checkpoint("D", 30).unlink()
    with pytest.raises(RunError, match=r"step 30 of 'demo' is not whole: D_30\.pth is missing"):
        rewind(run, 30)
    assert contents(run.folder) == {name: text for name, text in before.items() if name != "D_30.pth"}
    assert set(run.records()) == set(RECORDS)


def test_a_run_that_is_being_trained_is_refused(run):
    before = contents(run.folder)
    with run.lock.acquire(timeout=0), pytest.raises(RunBusyError, match="'demo' is being trained"):
        rewind(TrainingRun.open(run.folder), 30)
    assert contents(run.folder) == before
    assert set(run.records()) == set(RECORDS)


@pytest.mark.parametrize("moves", range(7))
def test_cut_off_anywhere_it_leaves_a_run_with_a_whole_newest_checkpoint_and_can_be_done_again(run, monkeypatch, moves):
    from pathlib import Path

    before, real, left = contents(run.folder), Path.rename, [moves]

    def cut_off(path, target):
        if path.suffix in (".pt", ".pth") and not left[0]:
            raise KeyboardInterrupt
        left[0] -= path.suffix in (".pt", ".pth")
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", cut_off)
        with pytest.raises(KeyboardInterrupt):
            rewind(run, 30)
    newest = run.checkpoint_steps()[-1]
    assert all(run.checkpoint(kind, newest).exists() for kind in "GD")
    rewind(run, 30)
    assert run.checkpoint_steps() == [30]
    assert sorted(contents(run.folder).values()) == sorted(before.values())


def test_the_fit_goes_on_from_that_step_as_it_did_the_first_time(copied_run):  # noqa: F811
    wanted = weights_hash(copied_run, 6)
    rewind(copied_run, 3)
    assert copied_run.checkpoint_steps() == [3]
    items = fit(copied_run)
    assert [one.step for one in items if isinstance(one, Metrics)] == [4, 5, 6]
    assert weights_hash(copied_run, 6) == wanted
