"""epochs."""

from cyclopts import App

from rvc.cli.output import print_json, print_table
from rvc.paths import Home
from rvc.train.listening.epochs import EpochRow
from rvc.train.listening.epochs import epochs as saved_epochs
from rvc.train.run import TrainingRun


def register(app: App) -> None:
    app.command(epochs)


def epochs(run: str, /, *, json: bool = False) -> int:
    """List the saved epochs of a run with their scores, newest first. The lowest score is not necessarily the best voice: listen.

    Parameters
    ----------
    run
        Name of the run.
    json
        Print one JSON document.
    """
    rows = saved_epochs(TrainingRun.named(Home.here(), run))
    if json:
        print_json(rows)
    else:
        print_table([("EPOCH", "STEP", "MEL", "CENTS", "VOICED", "LISTEN", "VOICE", "CHECKPOINT", ""), *map(_cells, rows)])
    return 0


def _cells(row: EpochRow) -> tuple[str, ...]:
    scores = {} if row.scores is None else row.scores
    numbers = [form.format(scores[name]) if name in scores else "-"
               for name, form in (("mel_distance", "{:.3f}"), ("f0_error_cents", "{:.1f}"), ("voiced_agreement", "{:.0%}"))]
    audition = f"{row.audition.parent.name}/{row.audition.name}" if row.audition else "-"
    return ("-" if row.epoch is None else str(row.epoch), str(row.step), *numbers, audition, row.voice.name if row.voice else "-",
            "yes" if row.has_checkpoint else "-", row.trouble)
