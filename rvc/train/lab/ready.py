"""Whether optimizers can be compared on a run at all: told before its data is prepared, where that can be told. No torch here."""

from rvc.errors import RunError
from rvc.train.data.clips import ClipList
from rvc.train.data.heldout import FEWEST_RECORDINGS
from rvc.train.run import TrainingRun


def held_out_clips(run: TrainingRun) -> ClipList:
    """What a run whose data is prepared is judged by; ``RunError`` without any."""
    clips = ClipList.read(run.held_out_list) if run.held_out_list.exists() else ClipList(())
    if not len(clips):
        _refuse(run)
    return clips


def refuse_unready(run: TrainingRun) -> None:
    """``RunError`` when nothing is held out, ``TrainingError`` for a batch larger than the clips, as far as that is known by now."""
    if not run.settings.data.held_out_percent:
        _refuse(run)
    if "extract" in run.records():
        held_out_clips(run)
        ClipList.read(run.filelist).refuse_larger_batch(run.settings.fit.batch_size)


def _refuse(run: TrainingRun) -> None:
    raise RunError(f"No recording of {run.name!r} is held out, so there is nothing to judge optimizers by.",
                   fix=f"Set held_out_percent above 0. Of fewer than {FEWEST_RECORDINGS} recordings none is held out: cut a long one up.")
