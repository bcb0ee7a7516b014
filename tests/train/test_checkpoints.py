"""Which checkpoints are kept, and that a whole one is always there, wherever a save is cut off."""

from pathlib import Path

import pytest
import torch

from rvc import checkpoint
from rvc.errors import StorageError
from rvc.train import new_run
from rvc.train.fitting import checkpoints
from rvc.train.fitting.checkpoints import Snapshot
from rvc.train.run import TrainingRun


def snapshot(epoch: int, batch: int = 0) -> Snapshot:
    """Ten steps an epoch."""
    step = 10 * epoch + batch
    network = {"model": {"w": torch.full((4,), float(step))}, "iteration": epoch}
    return Snapshot(step, network, network, {"step": step, "epoch": epoch, "batch": batch, "ema": {"w": torch.ones(4)}})


def save(run: TrainingRun, *epochs: int | tuple[int, int]) -> None:
    for one in epochs:
        list(checkpoints.save(run, snapshot(*one) if isinstance(one, tuple) else snapshot(one)))


def newest(run: TrainingRun) -> int:
    return next(item.step for item in checkpoints.newest(run) if isinstance(item, Snapshot))


def files(run: TrainingRun) -> set[str]:
    return {path.name for path in run.folder.glob("*_*.p*")}


def test_only_the_newest_stay(tiny_run):
    run = tiny_run(keep_checkpoints=3)
    save(run, *range(1, 8))
    assert run.checkpoint_steps() == [50, 60, 70]
    assert len(files(run)) == 9


def test_every_so_many_epochs_one_stays_for_good(tiny_run):
    run = tiny_run(keep_checkpoints=2, keep_every_epochs=3)
    save(run, *range(1, 9))
    assert run.checkpoint_steps() == [30, 60, 70, 80]


def test_what_a_stop_inside_an_epoch_saved_is_not_kept_for_good(tiny_run):
    run = tiny_run(keep_checkpoints=2, keep_every_epochs=3)
    save(run, (0, 4), (3, 5), 4, 5, 6, 7, 8)
    assert run.checkpoint_steps() == [60, 70, 80]


def test_another_policy_later_keeps_what_is_still_there(tiny_run, home):
    run = tiny_run(keep_checkpoints=5, keep_every_epochs=0)
    save(run, 1, 2, 3, 4, 5)
    fit = run.settings.fit.model_copy(update={"keep_checkpoints": 2, "keep_every_epochs": 2})
    changed = new_run.create(home, "demo", run.settings.model_copy(update={"fit": fit}))
    save(changed, 6)
    assert changed.checkpoint_steps() == [20, 40, 50, 60]


def test_one_that_cannot_be_read_is_not_removed_while_some_are_kept_for_good(tiny_run):
    run = tiny_run(keep_checkpoints=2, keep_every_epochs=3)
    save(run, 1, 2)
    run.checkpoint("state", 10).write_bytes(b"PK\x03\x04 damaged")
    save(run, 3, 4)
    assert run.checkpoint_steps() == [10, 30, 40]


def test_to_know_the_epoch_no_weights_are_read(tiny_run, monkeypatch):
    run = tiny_run(keep_checkpoints=2, keep_every_epochs=1)
    save(run, 1, 2)
    real, seen = checkpoint.read, []
    monkeypatch.setattr(checkpoint, "read", lambda path, *, mmap=False: seen.append((path.name, mmap)) or real(path, mmap=mmap))
    save(run, 3)
    assert seen == [("state_10.pt", True)]


# -- cut off in between ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files_written", range(4))
def test_a_save_that_is_cut_off_leaves_the_checkpoints_before_it(tiny_run, monkeypatch, files_written):
    """A disk that is full after so many files."""
    run = tiny_run(keep_checkpoints=2)
    save(run, 1, 2)
    before, real, left = files(run), checkpoint.write, [files_written]

    def write(path, content):
        if not left[0]:
            raise StorageError("The disk is full.")
        left[0] -= 1
        real(path, content)

    monkeypatch.setattr(checkpoint, "write", write)
    if files_written < 3:
        with pytest.raises(StorageError):
            save(run, 3)
        assert before <= files(run)
        assert newest(run) == 20
    else:
        save(run, 3)
        assert newest(run) == 30
    monkeypatch.setattr(checkpoint, "write", real)
    save(run, 3)
    assert run.checkpoint_steps() == [20, 30]
    assert newest(run) == 30


@pytest.mark.parametrize("removed", range(6))
def test_a_removal_that_is_cut_off_leaves_whole_checkpoints_only(tiny_run, monkeypatch, removed):
    run = tiny_run(keep_checkpoints=4)
    save(run, 1, 2, 3, 4)
    fit = run.settings.fit.model_copy(update={"keep_checkpoints": 2})
    run = TrainingRun(run.folder, run.settings.model_copy(update={"fit": fit}), run.resolved, run.created)
    real, left = Path.unlink, [removed]

    def unlink(path, missing_ok=False):
        if path.suffix in (".pt", ".pth") and path.name[0] in "GDs":
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        real(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            save(run, 5)
    steps = run.checkpoint_steps()
    assert steps[-2:] == [40, 50]
    assert all(run.checkpoint(kind, step).exists() for kind in "GD" for step in steps)
    assert newest(run) == 50
