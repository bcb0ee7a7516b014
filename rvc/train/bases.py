"""What a run starts from: a pair of base models ("pretrain"), a checkpoint of another run, or nothing. No torch here.

What can be told without opening the weights is compared here, before a run is made; ``base_weights.py`` looks at the tensors.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rvc.download import starter
from rvc.download.pairs import BasePair, Half, base_pairs, halves
from rvc.download.sidecar import Network
from rvc.errors import EmbedderMismatchError, MissingAssetError, RunError, SettingsError
from rvc.paths import Home, checked_name, restored_by
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings

SCRATCH = "scratch"
RUN = "run:"  # before the name of a run, and after it perhaps @ and a step
# What a base is said to be, and what one would say to make a run fit it.
_IS = {
    "sample_rate": lambda rate: f"is for {rate} Hz",
    "version": lambda version: f"is for {version} voices",
    "pitch_guidance": lambda pitch: f"was trained {'with' if pitch else 'without'} pitch guidance",
    "vocoder": lambda vocoder: f"has the vocoder {vocoder}",
    "embedder": lambda embedder: f"was trained with the embedder {embedder}",
    "model_size": lambda size: f"is of the {size} size",
}
_RUN_HAS = {"sample_rate": lambda rate: f"{rate} Hz", "pitch_guidance": lambda pitch: "with" if pitch else "without"}
_FLAGS = {"pitch_guidance": lambda pitch: "--pitch-guidance" if pitch else "--no-pitch-guidance"}


@dataclass(frozen=True)
class Base:
    """Two files of weights to start from, and what is known of them.

    ``name`` is what ``base_model`` calls it, of a run always with the step. ``sha256`` of the files by their letter, where it is known.
    """

    name: str
    kind: Literal["official", "starter", "custom", "run"]
    g_path: Path
    d_path: Path
    network: Network
    sha256: dict[str, str]

    @classmethod
    def of_pair(cls, pair: BasePair) -> "Base":
        return cls(pair.name, pair.source, pair.g_path, pair.d_path, pair.network, dict(pair.sidecar.sha256) if pair.sidecar else {})

    @classmethod
    def of_run(cls, run: TrainingRun, step: int) -> "Base":
        return cls(f"{RUN}{run.name}@{step}", "run", run.checkpoint("G", step), run.checkpoint("D", step),
                   network_of(run.settings, run.resolved.embedder), {})

    @property
    def title(self) -> str:
        """For sentences."""
        if self.kind == "run":
            return "the run {!r} at step {}".format(*self.name.removeprefix(RUN).rsplit("@", 1))
        return f"the pretrain {self.name}"

    @property
    def restoring(self) -> str | None:
        """How to bring its files back, if they came with the studio."""
        return restored_by(self.g_path.parent) if self.kind == "starter" else None


def network_of(settings: TrainingSettings, embedder: str) -> Network:
    """What a run with these settings trains; ``embedder`` as it was settled."""
    model = settings.model
    return Network(settings.data.sample_rate, model.version, model.pitch_guidance, model.vocoder, Path(embedder).name, model.model_size)


def resolve(settings: TrainingSettings, embedder: str, home: Home) -> str:
    """``auto`` settled: the official pair for these settings when it is installed and fits, else the one that comes with the studio when
    it fits, else ``scratch``; any other name checked. A damaged starter pair that would be taken is an error, not a reason for scratch.

    A run without a step stays one: its newest checkpoint is taken when the fit begins, for by then this one may be gone.
    """
    asked, wanted = settings.model.base_model, network_of(settings, embedder)
    if asked == SCRATCH:
        return SCRATCH
    if asked != "auto":
        refuse_misfit(named(asked, home), wanted)
        return asked
    ours = (pair for pair in base_pairs(home) if pair.source != "custom")
    if fitting := next((pair.name for pair in ours if not pair.network.differences(wanted)), None):
        return fitting
    if not starter.NETWORK.differences(wanted):
        starter.read(home)
    return SCRATCH


def named(name: str, home: Home) -> Base:
    """The files behind a name: of a pair, or ``run:NAME`` (its newest checkpoint) or ``run:NAME@STEP``."""
    if name.startswith(RUN):
        return _of_run(name.removeprefix(RUN), home)
    pairs = base_pairs(home)
    for pair in pairs:
        if pair.name == name:
            return Base.of_pair(pair)
    if name == starter.NAME:
        starter.read(home)
    _refuse_half(name, halves(home))
    known = ", ".join(pair.name for pair in pairs) or "none is installed"
    raise MissingAssetError(f"There is no pretrain {name!r} ({known}).",
                            fix="Download one, or put its G and D files into pretraineds/pretraineds_custom.")


def offered(settings: TrainingSettings, embedder: str, home: Home) -> Iterator[Base]:
    """Everything a run with these settings can start from, as far as is known: pairs, then other runs (their newest checkpoint)."""
    wanted = network_of(settings, embedder)
    return (base for base in _all(home) if not base.network.differences(wanted))


def misfit(settings: TrainingSettings, embedder: str, home: Home) -> str:
    """Why a run with these settings cannot start from what they name; empty when it can, and for what is not here at all."""
    asked, wanted = settings.model.base_model, network_of(settings, embedder)
    base = next((one for one in _all(home) if asked in (one.name, one.name.rpartition("@")[0])), None)
    return _misfit(base, wanted) if base else ""


def refuse_itself(settings: TrainingSettings, name: str) -> None:
    """A run named ``name`` whose base would be one of its own checkpoints."""
    asked = settings.model.base_model
    if asked == f"{RUN}{name}" or re.fullmatch(re.escape(f"{RUN}{name}@") + r"\d+", asked):
        raise SettingsError(f"The run {name!r} cannot start from itself.", fix="`resume` goes on with it, also from an earlier step.")


def refuse_misfit(base: Base, wanted: Network) -> None:
    """All that is known to be different, in one sentence, with what to say instead."""
    differences = base.network.differences(wanted)
    if not differences:
        return
    flags = [_FLAGS.get(name, lambda has, name=name: f"--{name.replace('_', '-')} {_quoted(has)}")(has)
             for name, (has, _) in differences.items()]
    kind = EmbedderMismatchError if list(differences) == ["embedder"] else SettingsError
    raise kind(_misfit(base, wanted), fix=f"Use {' '.join(flags)}, another pretrain, or --base-model scratch.")


def _misfit(base: Base, wanted: Network) -> str:
    """Empty when nothing is known to be different."""
    said = [f"{_IS[name](has)} (this run: {_RUN_HAS.get(name, str)(asked)})"
            for name, (has, asked) in base.network.differences(wanted).items()]
    return f"{base.title[0].upper()}{base.title[1:]} does not fit: it {', '.join(said)}." if said else ""


def _all(home: Home) -> Iterator[Base]:
    yield from map(Base.of_pair, base_pairs(home))
    for manifest in sorted(home.logs.glob("*/run.json")):
        try:
            run = TrainingRun.open(manifest.parent)
        except RunError:  # it is told where the runs are shown
            continue
        yield from (Base.of_run(run, step) for step in _whole_steps(run)[-1:])


def _of_run(asked: str, home: Home) -> Base:
    name, _, step = asked.rpartition("@")
    if not name or not step.isdecimal() or (home.logs / checked_name(asked) / "run.json").exists():  # an @ may belong to the name
        name, step = asked, ""
    run = TrainingRun.named(home, name)
    steps, whole = run.checkpoint_steps(), _whole_steps(run)
    there = f"There are: {', '.join(map(str, whole))}."
    if not whole:
        raise RunError(f"The run {run.name!r} has no checkpoint to start from.", fix="Train it first, or start from something else.")
    if step and int(step) not in steps:
        raise RunError(f"The run {run.name!r} has no checkpoint of step {step}.", fix=there)
    if step and int(step) not in whole:
        raise RunError(f"The checkpoint of step {step} of {run.name!r} is being removed, or files of it are gone.", fix=there)
    return Base.of_run(run, int(step) if step else whole[-1])


def _whole_steps(run: TrainingRun) -> list[int]:
    """Without one whose files are on their way out: its run may be training meanwhile, and keeps the newest only."""
    return [step for step in run.checkpoint_steps() if all(run.checkpoint(kind, step).exists() for kind in "GD")]


def _refuse_half(name: str, found: list[Half]) -> None:
    for half in found:
        if half.lacking and name in (half.name, half.path.stem, half.path.name):
            raise MissingAssetError(half.sentence, fix=f"Put {half.lacking.name} beside it: a pretrain is a G and a D.")


def _quoted(value: object) -> str:
    return f'"{value}"' if " " in str(value) else str(value)
