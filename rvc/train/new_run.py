"""A run is made: the *auto* choices settled for good, and refused now what would fail after hours. No torch here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rvc import gpus
from rvc.embedders import registry as embedders
from rvc.errors import AudioError, DatasetError, RunError
from rvc.f0 import registry as f0
from rvc.paths import Home, checked_name
from rvc.train import bases
from rvc.train.chosen import chosen
from rvc.train.run import Resolved, TrainingRun, now
from rvc.train.settings import TrainingSettings


def create(home: Home, name: str, settings: TrainingSettings) -> TrainingRun:
    """A new run, or an existing one with new settings: what they make stale is done again, nothing else.

    Raises ``SettingsError`` for a name no folder can have, ``DatasetError`` when a new run has no dataset, ``RunBusyError`` while
    a worker is on it, ``MissingAssetError`` for what is asked for and not installed, ``DeviceError`` for GPUs that are not there, and
    ``RunError`` when the settings ask for another network than the one whose checkpoints the run holds, or when these are another
    program's.
    """
    folder = home.logs / checked_name(name)
    settings = _with_absolute_paths(settings)
    bases.refuse_itself(settings, folder.name)
    run = TrainingRun(folder, settings, settled(settings, home, TrainingRun.begun(folder)), now())
    if not (folder / "run.json").exists():
        _refuse_foreign_checkpoints(folder)
        _refuse_missing_dataset(settings)
    else:
        before = TrainingRun.open(folder)
        before.refuse_if_busy()
        run = replace(run, resolved=run.resolved.keeping(before.resolved, settings), created=before.created)
        if before.checkpoint_steps():
            _refuse_other_network(before, run)
    _refuse_missing_audition(run)
    folder.mkdir(parents=True, exist_ok=True)
    run.write()
    return run


def settled(settings: TrainingSettings, home: Home, begun: TrainingRun | None = None) -> Resolved:
    """The *auto* choices settled.

    Raises when something is asked for by name that this machine lacks: before a run is made, not in its second stage.

    begun: the same run as it is, if it has checkpoints: what it started from may be gone by now.
    """
    gpus.require(settings.fit.devices)
    embedder = embedders.resolve(settings.model.embedder, home)
    f0_method = f0.resolve(settings.model.f0_method, home)
    embedders.require(embedder, home)
    f0.require(f0_method, home)
    if begun and begun.settings.model.base_model == settings.model.base_model:
        base_model = begun.resolved.base_model
    else:
        base_model = bases.resolve(settings, embedder, home)
    for role in ("g", "d"):
        chosen(settings.fit, role, fine_tune=base_model != bases.SCRATCH)
    return Resolved(embedder=embedder, f0_method=f0_method, base_model=base_model)


def _refuse_missing_audition(run: TrainingRun) -> None:
    """Told now and not after hours of preparation. A run that has listened to its clip already does not need the file."""
    clip = run.settings.fit.audition
    if clip and not Path(clip).exists() and not (run.eval / "audition.npz").exists():
        raise AudioError(f"The clip to listen to, {clip}, does not exist.", fix="Choose another one, or none.")


def _with_absolute_paths(settings: TrainingSettings) -> TrainingSettings:
    """The worker has a working folder of its own."""
    data = settings.data.model_copy(update={"dataset": _absolute(settings.data.dataset)})
    fit = settings.fit.model_copy(update={"audition": _absolute(settings.fit.audition)})
    return settings.model_copy(update={"data": data, "fit": fit})


def _absolute(path: str) -> str:
    """Empty stays empty."""
    return str(Path(path.strip()).expanduser().resolve()) if path.strip() else ""


def _refuse_missing_dataset(settings: TrainingSettings) -> None:
    if not settings.data.dataset:
        raise DatasetError("A new run needs a dataset.", fix="Give a folder of recordings, or one recording.")
    if not Path(settings.data.dataset).exists():
        raise DatasetError(f"The dataset {settings.data.dataset} does not exist.")


def _refuse_foreign_checkpoints(folder: Path) -> None:
    """Checkpoints are named by their step, in every program of the family: ours could take the place of theirs."""
    if any(folder.glob("[GD]_*.pth")):
        raise RunError(f"{folder.name!r} holds training checkpoints of another program, which must not be overwritten.",
                       fix="Choose another run name; the voices in that folder can be used as they are.")


# What decides the shape and the meaning of the networks: a run with checkpoints cannot change it.
_NETWORK = ("sample_rate", "version", "pitch_guidance", "vocoder", "model_size", "embedder")


def _network(run: TrainingRun) -> dict[str, Any]:
    settings = run.settings
    return {"sample_rate": settings.data.sample_rate, **settings.model.model_dump(), "embedder": run.resolved.embedder}


def _refuse_other_network(before: TrainingRun, after: TrainingRun) -> None:
    old, new = _network(before), _network(after)
    changed = [f"{name} {old[name]} (now asked: {new[name]})" for name in _NETWORK if old[name] != new[name]]
    if changed:
        raise RunError(f"{before.name!r} has checkpoints made with {', '.join(changed)}.",
                       fix="Choose another run name, or ask for what the run was made with.")
