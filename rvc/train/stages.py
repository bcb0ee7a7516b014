"""The stages of a run, in order; what is up to date is skipped, what is stale is done again, nothing else.

Each stage has a fingerprint of everything it depends on. More epochs change only the fit's; another dataset changes all of them.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rvc import checkpoint
from rvc import device as devices
from rvc.embedders import registry as embedders
from rvc.errors import DatasetError, RunError
from rvc.events import Ended, Event, Note, Saved, Stage
from rvc.export import VoiceFacts, voice_from_checkpoint
from rvc.f0 import registry as f0
from rvc.index.build import build
from rvc.paths import Home
from rvc.train import base_weights, bases, disk
from rvc.train.aside import put_aside
from rvc.train.data.clips import ClipList
from rvc.train.data.extract import ExtractFolders, Extractor, ExtractReport
from rvc.train.data.preprocess import PreprocessReport, dataset_fingerprint, preprocess
from rvc.train.data.recordings import names_to_choose
from rvc.train.fit import Fit, FitReport
from rvc.train.processes.ranked import RankedFit
from rvc.train.run import TrainingRun, fingerprint

Stop = Callable[[], bool]
# Where and with how much memory it was computed, what was kept, what was heard: with others a finished fit stays finished.
NOT_LEARNT_FROM = {"device", "gpus", "cache_on_device", "compile", "accumulate", "activation_checkpointing", "keep_checkpoints",
                    "keep_every_epochs", "evaluate", "audition", "audition_pitch_shift"}


@dataclass(frozen=True)
class Plan:
    """Fingerprints of the stages, each built on the one before it."""

    preprocess: str
    extract: str
    fit: str
    index: str
    export: str

    @classmethod
    def of(cls, run: TrainingRun) -> "Plan":
        settings, resolved = run.settings, run.resolved
        data = settings.data.model_dump(exclude={"dataset"})
        clips = fingerprint(_dataset_mark(run), data)
        content = embedders.content(resolved.embedder)
        features = fingerprint(clips, content, resolved.f0_method, settings.model.version, settings.model.pitch_guidance)
        fit = fingerprint(features, settings.model.model_dump(), settings.fit.model_dump(exclude=NOT_LEARNT_FROM))
        return cls(clips, features, fit, fingerprint(features, settings.index.model_dump()), fingerprint(fit, "export"))


def run_stages(run: TrainingRun, home: Home, stop: Stop, *, until: str | None = None) -> Iterator[Event]:
    """What happens, stage by stage; the last event is ``Ended`` with *finished* or *stopped*. Failures are raised.

    until: the stage before which it ends as finished.
    """
    for sentence in run.resolved.sentences(run.settings):
        yield Note(message=sentence)
    if not _dataset_there(run):
        yield Note(level="warning", message=f"The dataset {run.settings.data.dataset} is not there any more; going on with its clips.")
    _refuse_unfit_base(run, home)
    disk.check(run.folder, disk.estimate(run.settings, 0.0))  # not even a checkpoint fits: refused before the data is prepared
    plan = Plan.of(run)
    for name, work, outputs in (
        ("preprocess", _preprocess, [run.clips, run.clips_16k]),
        ("extract", _extract, [run.filelist, run.held_out_list]),
        ("fit", _fit, []),
        ("index", _index, [run.index_path]),
        ("export", _export, []),
    ):
        if name == until:
            break
        wanted, record = getattr(plan, name), run.records().get(name)
        if record and record.fingerprint == wanted and all(path.exists() for path in outputs) and _still_whole(name, run):
            yield Stage(stage=name, status="skipped", summary=record.summary)
            continue
        if stop():
            yield Ended(outcome="stopped", message=f"Stopped before the stage {name}.")
            return
        yield Stage(stage=name, status="started")
        run.forget(name)
        summary: dict[str, Any] | None = None
        for item in work(run, home, plan, stop):
            if isinstance(item, dict):
                summary = item
            else:
                yield item
        if summary is None:
            yield Ended(outcome="stopped", message=f"Stopped in the stage {name}. Resume goes on from there.")
            return
        run.record(name, wanted, summary)
        yield Stage(stage=name, status="finished", summary=summary)
    yield Ended(outcome="finished", message=_last_words(run))


# Each stage yields events and, when it was finished, a summary (a dict) as the last item.


def _preprocess(run: TrainingRun, home: Home, plan: Plan, stop: Stop) -> Iterator[Event | dict]:
    if not run.settings.data.dataset:
        raise DatasetError("The run has no dataset.", fix="Give a folder of recordings with --dataset.")
    for item in preprocess(Path(run.settings.data.dataset), run.clips, run.clips_16k, run.settings.data, stop):
        if isinstance(item, PreprocessReport):
            yield {**asdict(item), "dataset_mark": _dataset_mark(run)}
        else:
            yield item


def _extract(run: TrainingRun, home: Home, plan: Plan, stop: Stop) -> Iterator[Event | dict]:
    for file in (run.filelist, run.held_out_list):
        file.unlink(missing_ok=True)
    for folder in (run.f0, run.features):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    device = devices.resolve(run.settings.fit.device)
    detector = f0.load(run.resolved.f0_method, device, home) if run.settings.model.pitch_guidance else None
    embedder = embedders.load(run.resolved.embedder, run.settings.model.version, device, home)
    extractor = Extractor(detector, embedder, device)
    for item in extractor.run(ExtractFolders(run.clips_16k, run.f0, run.features), stop):
        if isinstance(item, ExtractReport):
            held = set(run.records()["preprocess"].summary.get("held_out", {}).values())  # earlier versions held nothing out
            clips, held_out = ClipList.from_folder(run.clips, leave_out=item.left_out).parted(held)
            held_out.write(run.held_out_list)
            clips.write(run.filelist)
            yield {**asdict(item), "clips": len(clips), "seconds": clips.seconds, "speakers": len(clips.speaker_ids),
                   "held_out_clips": len(held_out), "held_out_seconds": held_out.seconds}
        else:
            yield item
    del extractor, detector, embedder
    devices.release_memory(device)


def _fit(run: TrainingRun, home: Home, plan: Plan, stop: Stop) -> Iterator[Event | dict]:
    """The fit belongs to the features it was made from: with others it begins anew, and what there was is put aside."""
    begun = run.records().get("fit_data")
    if begun and begun.fingerprint != plan.extract and run.checkpoint_steps():
        aside = put_aside(run)
        yield Note(level="warning", message="The data changed, so the fit begins anew. Its earlier checkpoints and voices are in "
                                            f"{aside.name}.")
    run.record("fit_data", plan.extract, {})
    if warning := disk.check(run.folder, disk.estimate(run.settings, ClipList.read(run.filelist).seconds)):
        yield Note(level="warning", message=warning)
    several = len(run.settings.fit.devices) > 1
    for item in (RankedFit(run, stop) if several else Fit(run, home, stop)).events():
        if not isinstance(item, FitReport):
            yield item
        elif not item.stopped:
            yield asdict(item)


def _index(run: TrainingRun, home: Home, plan: Plan, stop: Stop) -> Iterator[Event | dict]:
    clips = ClipList.read(run.filelist)
    files = [run.features / f"{clip.name}.npy" for clip in clips]
    summary = build(files, run.index_path, algorithm=run.settings.index.index_algorithm, seed=run.settings.fit.seed)
    yield Saved(what="index", path=run.index_path.name)
    yield asdict(summary)


def _export(run: TrainingRun, home: Home, plan: Plan, stop: Stop) -> Iterator[Event | dict]:
    """The voice of the last epoch, unless the fit has just exported it."""
    before = run.voices()
    path, step = export_run(run)
    if path not in before:
        yield Saved(what="voice", path=path.name, step=step)
    yield {"voice": path.name, "step": step}


def export_run(run: TrainingRun, step: int | None = None, *, output: Path | None = None) -> tuple[Path, int]:
    """The voice of the checkpoint at ``step`` (``None``: the newest) and that step.

    Written to ``output``, or into the run folder if it is not there yet.
    """
    steps = run.checkpoint_steps()
    if not steps:
        raise RunError(f"{run.name!r} has no checkpoint to export.", fix="Train it first.")
    step = steps[-1] if step is None else step
    if step not in steps:
        raise RunError(f"{run.name!r} has no checkpoint of step {step}.", fix=f"There are: {', '.join(map(str, steps))}.")
    state = checkpoint.read(run.checkpoint("state", step))
    epoch = state["epoch"]
    path = output or run.voice_path(epoch, step)
    if output or not path.exists():
        clips = ClipList.read(run.filelist)
        facts = VoiceFacts(name=run.name, epoch=epoch, step=step, embedder=run.resolved.embedder,
                           n_speakers=clips.n_speakers, speakers=names_to_choose(run), dataset_seconds=clips.seconds,
                           weights=state.get("voice_weights", VoiceFacts.weights))
        voice_from_checkpoint(run.checkpoint("G", step), path, facts, sample_rate=run.settings.data.sample_rate, weights=state.get("ema"))
    return path, step


def _refuse_unfit_base(run: TrainingRun, home: Home) -> None:
    """Now, and not after hours of preparing the data."""
    resolved = run.resolved
    if resolved.base_model != bases.SCRATCH and not run.checkpoint_steps():
        base_weights.refuse_unfit(bases.named(resolved.base_model, home), bases.network_of(run.settings, resolved.embedder))


def _still_whole(stage: str, run: TrainingRun) -> bool:
    """A finished fit has a checkpoint, a finished export its voice: a person may have removed them."""
    if stage == "fit":
        return bool(run.checkpoint_steps())
    if stage == "export":
        return (run.folder / str(run.records()["export"].summary.get("voice"))).exists()
    return True


def _dataset_there(run: TrainingRun) -> bool:
    """Also true before the clips exist: then the missing dataset is an error of the first stage."""
    return Path(run.settings.data.dataset).exists() or "preprocess" not in run.records()


def _dataset_mark(run: TrainingRun) -> str:
    """Of the recordings as they are now; of a dataset that is gone, what it was when the clips were made."""
    path = Path(run.settings.data.dataset)
    if run.settings.data.dataset and path.exists():
        return dataset_fingerprint(path)
    record = run.records().get("preprocess")
    return record.summary.get("dataset_mark", "") if record else ""


def _last_words(run: TrainingRun) -> str:
    voices = run.voices()
    return f"The voice {voices[-1].name} is ready." if voices else "Finished."
