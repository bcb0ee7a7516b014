"""A run's checkpoint as a pretrain that others can start from: a G and a D like the public ones, and a JSON that says what they are.

Public pretrains are ``{"model": state}`` in half precision, weight norm in the old spelling; so are these.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rvc import checkpoint
from rvc.download import pairs, sidecar
from rvc.download.pairs import BasePair
from rvc.download.sidecar import Sidecar
from rvc.errors import FormatError, RunError
from rvc.paths import Home, write_text_whole, written_whole
from rvc.train.bases import SCRATCH, network_of
from rvc.train.data.clips import ClipList
from rvc.train.run import TrainingRun

# Below these a pretrain knows too few voices and sounds: what the guides of the field advise.
HOURS_FROM_SCRATCH = 50
HOURS_OF_FINE_TUNE = 10


@dataclass(frozen=True)
class MadePretrain:
    """The pair and what is to be said about it. ``warnings`` are sentences; with them it was made all the same."""

    name: str
    g_path: Path
    d_path: Path
    about: Sidecar
    warnings: tuple[str, ...]


def make_pretrain(run: TrainingRun, home: Home, name: str, step: int | None = None) -> MadePretrain:
    """``G_<name>.pth``, ``D_<name>.pth`` and ``<name>.json`` in the user's own folder, from the checkpoint at ``step`` (``None``: newest).

    Of a run with EMA the G is the mean. ``SettingsError`` for a name that cannot be or is taken, ``RunError`` without that checkpoint,
    ``FormatError`` when it is damaged or a weight is too large for half precision. Then there is no new file.
    """
    pair = pairs.new_pair(home, name)
    step = _checked_step(run, step)
    state = checkpoint.read(run.checkpoint("state", step))
    weights = {letter: _weights(run.checkpoint(letter, step)) for letter in "GD"}
    weights["G"] |= state.get("ema") or {}
    clips = ClipList.read(run.filelist)
    # They are renamed in reverse order, G last: what is cut off in between is no pair.
    with written_whole(pair.g_path) as g, written_whole(pair.sidecar_path) as text, written_whole(pair.d_path) as d:
        for path, letter in ((g, "G"), (d, "D")):
            checkpoint.write(path, {"model": checkpoint.halved(weights[letter], what=f"The pretrain's {letter}")})
        about = _about(run, pair, clips, state, {"G": sidecar.digest(g), "D": sidecar.digest(d)})
        write_text_whole(text, about.text())
    return MadePretrain(pair.name, pair.g_path, pair.d_path, about, tuple(_warnings(about)))


def _checked_step(run: TrainingRun, step: int | None) -> int:
    steps = run.checkpoint_steps()
    if not steps:
        raise RunError(f"{run.name!r} has no checkpoint to make a pretrain of.", fix="Train it first.")
    if step is not None and step not in steps:
        raise RunError(f"{run.name!r} has no checkpoint of step {step}.", fix=f"There are: {', '.join(map(str, steps))}.")
    return steps[-1] if step is None else step


def _weights(path: Path) -> dict[str, Any]:
    model = checkpoint.read(path).get("model")
    if not isinstance(model, dict):
        raise FormatError(f"{path.name} has no 'model': it is not a training checkpoint.")
    return checkpoint.old_names(model)


def _about(run: TrainingRun, pair: BasePair, clips: ClipList, state: dict[str, Any], sha256: dict[str, str]) -> Sidecar:
    network = network_of(run.settings, run.resolved.embedder)
    return Sidecar(
        name=pair.name, **vars(network),
        hours=round(clips.seconds / 3600, 3), speakers=len(clips.speaker_ids), steps=state["step"], epochs=state["epoch"],
        started_from=run.resolved.base_model, datasets=(_dataset_name(run),),
        weights="mean of the trained ones (EMA)" if state.get("ema") else "as trained",
        created=datetime.now(UTC).isoformat(timespec="seconds"), sha256=sha256)


def _dataset_name(run: TrainingRun) -> str:
    """Its path is nobody else's business. Recordings that came in through the page have no name but the run's."""
    dataset = Path(run.settings.data.dataset)
    return run.name if dataset.parent == run.folder else dataset.name


def _warnings(about: Sidecar) -> list[str]:
    heard = f"{about.hours:.1f} hours" if about.hours >= 0.1 else f"{60 * about.hours:.1f} minutes"
    if about.started_from == SCRATCH and about.hours < HOURS_FROM_SCRATCH:
        return [f"It was trained from scratch on {heard} of speech; a good pretrain from scratch hears {HOURS_FROM_SCRATCH} hours or more, "
                "of many voices. Expect rough voices from this one."]
    if about.started_from != SCRATCH and about.hours < HOURS_OF_FINE_TUNE:
        return [f"It was fine-tuned on {heard} of speech; a pretrain made by fine-tuning hears {HOURS_OF_FINE_TUNE} hours or more. Expect "
                "voices that take after the ones it heard."]
    return []
