"""lab."""

import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from rvc import jobs
from rvc.cli.following import follow
from rvc.cli.output import print_json, print_table
from rvc.errors import SettingsError
from rvc.events import JobState
from rvc.interval import Interval
from rvc.paths import Home
from rvc.train.lab.apply import applied, winner_of
from rvc.train.lab.asked import Asked
from rvc.train.lab.ranking import Standing
from rvc.train.lab.record import LabFolder, Record
from rvc.train.lab.trial import Trial
from rvc.train.run import TrainingRun

_EXIT = {"finished": 0, "stopped": 130}
_HEAD = ("RANK", "OPTIMIZER", "RATE", "MEL DISTANCE", "BEHIND", "S A STEP", "BYTES A WEIGHT", "")


def register(app: App) -> None:
    app.command(lab)


_Names = Annotated[list[str] | None, Parameter(consume_multiple=True)]
_Numbers = Annotated[list[float] | None, Parameter(consume_multiple=True)]


def lab(run: str, /, *, optimizers: _Names = None, steps: int | None = None, seeds: int | None = None, factors: _Numbers = None,
        resume: bool = False, show: bool = False, apply: bool = False, detach: bool = False, json: bool = False) -> int:
    """Compare optimizers on the recordings of a run, from the weights it would go on from. The run itself is not changed.

    Parameters
    ----------
    run
        Name of the run. What is not prepared of its data is prepared first.
    optimizers
        Names to compare; a short list by default.
    steps
        Training steps of all trials together, 2000 by default: what the lab costs.
    seeds
        Trials of each of the last candidates, 3 by default.
    factors
        Multiples of each learning rate to try first, 0.3 1 3 by default; 1 alone tries none.
    resume
        Go on with the lab that was stopped.
    show
        Only tell what the lab has found so far.
    apply
        Make the winner the run's setting. Without other choices it takes the winner of the lab that is finished.
    detach
        Return at once; the lab goes on in the background.
    json
        Print one JSON document.
    """
    home = Home.here()
    found = TrainingRun.named(home, run)
    place = LabFolder.of(found)
    choices = {"optimizers": optimizers, "steps": steps, "seeds": seeds, "factors": factors}
    asked = {name: value for name, value in choices.items() if value is not None}
    if asked and (resume or show):
        raise SettingsError("A lab goes on as it was begun: --resume and --show go without --optimizers, --steps, --seeds, --factors.")
    status = 0
    if not show and (asked or resume or not apply):
        if not resume:
            place.begin(Asked.of(**asked))
        status = _work_on(place, detach=detach)
    record, state = place.found(), jobs.state(place.folder)
    if json:
        print_json(document(found, record, state))
    else:
        _tell(record, state)
    if apply and not detach and not status:
        winner = winner_of(record)
        applied(found, home, winner)
        print(f"{found.name} trains with {winner.optimizer} from now on, at a rate of {winner.learning_rate:g}.", file=sys.stderr)
    return status


def _work_on(place: LabFolder, *, detach: bool) -> int:
    start = place.events.end_position()
    place.found()  # whatever is wrong with it is told here, not by the worker
    jobs.launch_lab(place.run)
    if detach:
        print(f"The lab of {place.run.name} works in the background; --show tells what it has found.", file=sys.stderr)
        return 0
    follow(place, start)
    now = jobs.state(place.folder)
    if now.status == "died":
        print(f"The lab's worker died without a word; --resume goes on.\n{jobs.log_tail(place.folder, 15)}", file=sys.stderr)
    return _EXIT.get(now.status, 1)


def document(run: TrainingRun, record: Record, state: JobState) -> dict[str, Any]:
    """Everything that is known; distances of what broke are null."""
    verdict = record.verdict
    return {"run": run.name, "status": state.status, "message": state.message, "asked": record.asked, "device": record.device,
            "before": record.before, "seconds": record.seconds, "steps": record.steps_done, "steps_planned": record.steps_planned,
            "verdict": verdict and {"kind": verdict.kind, "sentence": verdict.sentence, "winner": verdict.winner},
            "standings": [_standing(one) for one in record.standings],
            "others": [{"round": place + 1, **_candidate(one), "failure": one.failure} for place, one in record.others()],
            "failures": record.failures, "rounds": [[one.as_json() for one in trials] for trials in record.rounds]}


def _standing(one: Standing) -> dict[str, Any]:
    return {**_candidate(one.trials[0]), **_interval("mel_distance", one.interval), **_interval("behind", one.behind),
            "failures": one.failures}


def _interval(name: str, one: Interval | None) -> dict[str, float | None]:
    """The mean, and half the width of its interval; of one seed that is null."""
    return {name: one and one.mean, f"{name}_half_interval": one and one.half}


def _candidate(one: Trial) -> dict[str, Any]:
    return {"candidate": one.candidate.title, **one.candidate.settings, "mel_distance": one.held_out}


def _tell(record: Record, state: JobState) -> None:
    if record.verdict is None:
        print(f"Not finished ({state.status}): {record.steps_done} of {record.steps_planned} steps.", file=sys.stderr)
    rows = [(str(rank), *_name(one.trials[0]), str(one.interval or "broke"), str(one.behind or ""), *_costs(one.trials[0], record),
             next(iter(one.failures), "")) for rank, one in enumerate(record.standings, start=1)]
    rows += [(f"round {place + 1}", *_name(one), "broke" if one.failure else f"{one.held_out:.3f}", "", *_costs(one, record), one.failure)
             for place, one in record.others()]
    print_table([_HEAD, *rows])
    if record.verdict:
        print(f"\n{record.verdict.sentence}")


def _name(one: Trial) -> tuple[str, str]:
    return one.candidate.optimizer, f"{one.candidate.learning_rate:g}"


def _costs(one: Trial, record: Record) -> tuple[str, str]:
    if one.failure:
        return "", ""
    return f"{one.seconds_per_step:.3g}", f"{one.state_bytes / record.weights:.1f}"
