"""What is refused before an optimizer is built, and why."""

import difflib
import math
from importlib.metadata import PackageNotFoundError, version

from rvc.errors import MissingAssetError, SettingsError
from rvc.optimizers.registry import OPTIMIZERS
from rvc.optimizers.spec import STRONGEST, WEAKEST, OptimizerSpec, Source


def check(spec: OptimizerSpec, learning_rate: float, knobs: dict[str, float]) -> None:
    """``SettingsError`` for a rate or knob that cannot be, ``MissingAssetError`` for a library that is not there as tested."""
    check_rate(spec, learning_rate)
    for name, value in knobs.items():
        check_knob(spec, name, value)
    check_library(spec.source)


def check_rate(spec: OptimizerSpec, rate: float) -> None:
    low, high = spec.sensible()
    default = spec.rates.generator
    if not math.isfinite(rate) or not default * WEAKEST <= rate <= default * STRONGEST:
        raise SettingsError(f"{rate:g} is no learning rate for {spec.name}.",
                            fix=f"Its default is {default:g}; between {low:.1g} and {high:.1g} is worth trying.")


def check_knob(spec: OptimizerSpec, name: str, value: float) -> None:
    own = {one.name: one for one in spec.knobs}
    if name not in own:
        raise SettingsError(f"{spec.name} has no option {name!r}.", fix=_whose(spec, name))
    one = own[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not one.low <= value <= one.high:
        raise SettingsError(f"{name} of {spec.name} must be between {one.low:g} and {one.high:g}; {value!r} is not.")
    if one.whole and value != int(value):
        raise SettingsError(f"{name} of {spec.name} must be a whole number; {value!r} is not.")


def check_library(source: Source) -> None:
    if source.tested is None:
        return
    fix = f"Install it: pip install {source.library}=={source.tested}"
    try:
        found = version(source.library)
    except PackageNotFoundError as error:
        raise MissingAssetError(f"The library {source.library} is not installed.", fix=fix) from error
    if found.split("+")[0] != source.tested:
        raise MissingAssetError(f"The library {source.library} is here in version {found}; {source.path} was tested with "
                                f"{source.tested} only.", fix=fix)


def _whose(spec: OptimizerSpec, name: str) -> str:
    owners = [other.name for other in OPTIMIZERS.values() if name in {one.name for one in other.knobs}]
    mine = [one.name for one in spec.knobs]
    offers = f"{spec.name} has {', '.join(mine)}." if mine else f"{spec.name} has none."
    if owners:
        return f"It is an option of {', '.join(owners[:4])}{' and others' if len(owners) > 4 else ''}; {offers}"
    close = difflib.get_close_matches(name, mine, n=1)
    return f"Did you mean {close[0]!r}?" if close else offers


