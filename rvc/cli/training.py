"""train, runs, stop, resume, export."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from rvc import jobs
from rvc.cli.flags import flags, given, settings_from
from rvc.cli.following import follow
from rvc.cli.output import print_json, print_table
from rvc.errors import RunError
from rvc.events import JobState
from rvc.paths import Home, checked_name
from rvc.settings import flat
from rvc.train import new_run, starter
from rvc.train.rewind import rewind
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings

_Flags = Annotated[flags(TrainingSettings) | None, Parameter(name="*", show_default=False)]
_EXIT = {"finished": 0, "stopped": 130}


def register(app: App) -> None:
    for command in (train, runs, stop, resume, export):
        app.command(command)


def train(run: str, /, *, settings: _Flags = None, detach: bool = False, json: bool = False) -> int:
    """Train a voice: all stages that are stale, then the fit. A run that exists keeps its settings but for the flags given.

    Parameters
    ----------
    run
        Name of the run: a folder in logs/.
    detach
        Return at once; the training goes on in the background.
    json
        Print one JSON document about the run when it ends.
    """
    home = Home.here()
    before = TrainingRun.named(home, run) if (home.logs / checked_name(run) / "run.json").exists() else None
    base = flat(before.settings) if before else starter.taken(home, given(settings))
    made = new_run.create(home, run, settings_from(TrainingSettings, settings, base))
    if base and not before:
        print(starter.SENTENCE, file=sys.stderr)
    return _work_on(made, detach=detach, json=json)


def resume(run: str, /, *, from_step: int | None = None, detach: bool = False, json: bool = False) -> int:
    """Go on with a run that was stopped, failed or died, from its last checkpoint.

    Parameters
    ----------
    run
        Name of the run.
    from_step
        Go on from this earlier checkpoint instead. What came after it is put aside in the run folder, not deleted.
    detach
        Return at once; the training goes on in the background.
    json
        Print one JSON document about the run when it ends.
    """
    found = TrainingRun.named(Home.here(), run)
    if from_step is not None:
        print(rewind(found, from_step).sentence, file=sys.stderr)
    return _work_on(found, detach=detach, json=json)


def runs(*, json: bool = False) -> int:
    """List the runs and where they stand.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    folders = jobs.runs(Home.here())
    if json:
        print_json([_about_or_why_not(folder) for folder in folders])
    else:
        print_table([("RUN", "STATUS", "STAGE", "EPOCH", "STEP"), *map(_row, folders)])
    return 0


def stop(run: str, /, *, kill: bool = False, wait_seconds: float = 60.0, json: bool = False) -> int:
    """Ask a run, or the optimizer lab that is at work on it, to finish its step, save and end; wait for it.

    Parameters
    ----------
    run
        Name of the run.
    kill
        Kill it when it has not ended after --wait-seconds. What it did since its last checkpoint is lost.
    wait_seconds
        How long to wait.
    json
        Print one JSON document.
    """
    found = TrainingRun.named(Home.here(), run)
    folder = found.lab if jobs.state(found.lab).active else found.folder
    if not jobs.state(folder).active:
        raise RunError(f"{found.name!r} is not being trained.", fix="`runs` shows where the runs stand.")
    if not jobs.stop(folder, wait_seconds=wait_seconds, kill=kill):
        raise RunError(f"{found.name!r} has not ended within {wait_seconds:g} seconds; it was asked to.", fix="Wait, or use --kill.")
    now = jobs.state(folder)
    if json:
        print_json(_about(found))
    else:
        print(f"{found.name}: {now.status}. {now.message}".rstrip())
    return 0


def export(run: str, /, *, step: int | None = None, output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
           json: bool = False) -> int:
    """Export a checkpoint as a voice that Applio and RVC load.

    Parameters
    ----------
    run
        Name of the run.
    step
        Which checkpoint; the newest by default.
    output
        Where to write the voice; into the run folder by default.
    json
        Print one JSON document.
    """
    from rvc.train.stages import export_run

    found = TrainingRun.named(Home.here(), run)
    path, exported = export_run(found, step, output=output)
    if json:
        print_json({"run": found.name, "step": exported, "voice": path})
    else:
        print(path)
    return 0


def _work_on(run: TrainingRun, *, detach: bool, json: bool) -> int:
    start = run.events.end_position()
    jobs.launch(run)
    if not detach:
        follow(run, start)
    now = jobs.state(run.folder)
    if json:
        print_json(_about(run))
    if detach:
        print(f"{run.name} is being trained in the background; `runs` shows how far it is.", file=sys.stderr)
        return 0
    if now.status == "died":
        print(f"{now.message}\n{jobs.log_tail(run.folder, 15)}", file=sys.stderr)
    return _EXIT.get(now.status, 1)


def _row(folder: Path) -> tuple[str, ...]:
    """A line of the list. A damaged run is one line of it and keeps none of the others from being shown."""
    try:
        one = jobs.state(folder)
    except RunError as error:
        print(error, file=sys.stderr)
        return folder.name, "damaged", "", "", ""
    return folder.name, one.status, one.stage, f"{one.epoch}/{one.epochs}", f"{one.step}/{one.total_steps}"


def _about_or_why_not(folder: Path) -> dict[str, Any]:
    try:
        return _about(TrainingRun.open(folder))
    except RunError as error:
        return {"run": folder.name, "folder": folder, "status": "damaged", "message": error.message, "fix": error.fix}


def _about(run: TrainingRun) -> dict[str, Any]:
    state: JobState = jobs.state(run.folder)
    voices = run.voices()
    return {"run": run.name, "folder": run.folder, **asdict(state), "eta_seconds": state.eta_seconds,
            "voice": voices[-1] if voices else None, "index": run.index_path if run.index_path.exists() else None,
            "resolved": asdict(run.resolved), "settings": flat(run.settings)}
