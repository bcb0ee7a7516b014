"""pretrain, pretrains."""

import sys
from dataclasses import asdict
from typing import Any

from cyclopts import App

from rvc.cli.output import print_json, print_table
from rvc.download import starter
from rvc.download.pairs import BasePair, base_pairs, halves
from rvc.paths import Home
from rvc.train.run import TrainingRun


def register(app: App) -> None:
    for command in (pretrain, pretrains):
        app.command(command)


def pretrain(run: str, /, *, name: str | None = None, step: int | None = None, json: bool = False) -> int:
    """Make a pretrain of a run: a G/D pair in pretraineds/pretraineds_custom that other runs can start from.

    Parameters
    ----------
    run
        Name of the run.
    name
        What the pretrain is called; like the run by default.
    step
        Which checkpoint; the newest by default.
    json
        Print one JSON document.
    """
    from rvc.train.make_pretrain import make_pretrain

    home = Home.here()
    found = TrainingRun.named(home, run)
    made = make_pretrain(found, home, name or found.name, step)
    for warning in made.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    if json:
        print_json({"name": made.name, "g": made.g_path, "d": made.d_path, "about": made.about.model_dump(), "warnings": made.warnings})
    else:
        print(f"{made.g_path.name} and {made.d_path.name} are ready. Start from them with --base-model {made.name!r}.")
    return 0


def pretrains(*, json: bool = False) -> int:
    """List the pretrains that are here, with what is known of them.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    home = Home.here()
    pairs = base_pairs(home)
    if json:
        print_json([_about(pair) for pair in pairs])
    else:
        print_table([("NAME", "RATE", "VERSION", "PITCH", "VOCODER", "EMBEDDER", "SIZE", "HOURS", "SOURCE"), *map(_cells, pairs)])
    damaged = starter.fault(home)
    for complaint in (*(pair.complaint for pair in pairs if pair.complaint), *(half.sentence for half in halves(home)),
                      *([str(damaged)] if damaged else [])):
        print(f"Warning: {complaint}", file=sys.stderr)
    return 0


def _about(pair: BasePair) -> dict[str, Any]:
    return {"name": pair.name, "source": pair.source, "g": pair.g_path, "d": pair.d_path, **asdict(pair.network),
            "about": pair.sidecar.model_dump() if pair.sidecar else None, "complaint": pair.complaint or None}


def _cells(pair: BasePair) -> tuple[str, ...]:
    """What is not known is a dash."""
    network = pair.network
    pitch = {True: "yes", False: "no", None: "-"}[network.pitch_guidance]
    hours = f"{pair.sidecar.hours:g}" if pair.sidecar else "-"
    known = (network.sample_rate, network.version, pitch, network.vocoder, network.embedder, network.model_size, hours)
    return (pair.name, *(str(one or "-") for one in known), pair.source)
