"""Which optimizer each network gets, with its rate and its knobs. No torch: asked by the form and before a run is made."""

from dataclasses import dataclass
from typing import Literal

from rvc.optimizers import options
from rvc.optimizers.checks import check
from rvc.optimizers.registry import for_discriminator, named
from rvc.optimizers.spec import OptimizerSpec
from rvc.train.settings import FitSettings

Role = Literal["g", "d"]


@dataclass(frozen=True)
class Chosen:
    """An optimizer as it was asked for; ``learning_rate`` is never left open."""

    spec: OptimizerSpec
    learning_rate: float
    knobs: dict[str, float]


def chosen(fit: FitSettings, role: Role, *, fine_tune: bool) -> Chosen:
    """``SettingsError`` or ``MissingAssetError`` when it cannot be had.

    The discriminator takes what the generator has unless it is told otherwise: its name, its knobs and its rate, and where that name is
    meant for generators only, what goes with it and the rate of that. One that is named for it has the knobs that are named for it.
    """
    if role == "g":
        spec, knobs, rate = named(fit.optimizer), options.parsed(fit.optimizer_options), fit.learning_rate
    else:
        spec = named(fit.optimizer_d) if fit.optimizer_d else for_discriminator(fit.optimizer)
        same = spec.name == named(fit.optimizer).name
        follows = same and not fit.optimizer_d
        knobs = options.parsed(fit.optimizer_options_d or (fit.optimizer_options if follows else ""))
        rate = fit.learning_rate if fit.learning_rate_d is None and same else fit.learning_rate_d
    found = Chosen(spec, spec.rate(role, fine_tune=fine_tune) if rate is None else rate, knobs)
    check(found.spec, found.learning_rate, found.knobs)
    return found


def remarks(fit: FitSettings, *, fine_tune: bool) -> list[str]:
    """What a person should know of the choice, in sentences. Nothing of the one that everybody has."""
    both = [chosen(fit, role, fine_tune=fine_tune) for role in ("g", "d")]
    said = []
    for letter, one in zip("GD", both, strict=True):
        if one.spec.clip_norm and not (fit.clip_generator if letter == "G" else fit.clip_discriminator):
            said.append(f"{one.spec.name}: the gradient of {letter} is limited to a norm of {one.spec.clip_norm:g}.")
    if not fit.optimizer_d and both[0].spec.discriminator:
        said.append(f"The discriminator gets {both[1].spec.name}: {both[0].spec.discriminator_reason}.")
    if not both[0].spec.scheduled and (fit.schedule != "exponential" or fit.lr_decay != FitSettings().lr_decay):
        said.append(f"{both[0].spec.name} {both[0].spec.schedule_says}: the schedule is not used.")
    return said
