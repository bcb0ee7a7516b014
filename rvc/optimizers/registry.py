"""The optimizers by name, in the order of the list that users know. No torch here.

A further one is an entry in a file of ``catalogue``, and its name in ``ORDER``.
"""

import difflib

from rvc.errors import SettingsError
from rvc.optimizers.catalogue import adaptive, builtin, layerwise, matrices, momentum, rate_free, small
from rvc.optimizers.spec import CATEGORIES, OptimizerSpec, Situation

DEFAULT = "AdamW"
ORDER = (
    "AdamW", "ScheduleFreeAdamW", "Muon", "Sophia", "Lion", "Prodigy", "NAdam", "RAdam", "Adan", "AnyPrecisionAdamW", "Ranger21",
    "AdaFactor", "DAdaptAdam", "Adam", "PAdam", "Apollo", "CAME", "NovoGrad", "ScheduleFreeAdam", "DAdaptAdaGrad", "SGD", "RMSprop",
    "AdaBelief", "AdaBeliefV2", "LAMB", "LARS", "Adagrad", "Adadelta", "Adamax", "ASGD", "DAdaptSGD", "QHAdam", "SWATS", "Shampoo",
    "SOAP", "A2Grad", "AggMo", "PID", "Yogi", "Fromage", "SM3", "ScheduleFreeSGD", "Nero")

_FOUND = {one.name: one for part in (builtin, rate_free, adaptive, matrices, small, layerwise, momentum) for one in part.SPECS}
OPTIMIZERS = {name: _FOUND[name] for name in ORDER}
assert len(_FOUND) == len(ORDER), "an entry of the catalogue is not in ORDER"
assert {one.category for one in _FOUND.values()} <= set(CATEGORIES), "a category that is none"


def named(name: str) -> OptimizerSpec:
    """The optimizer ``name``, in whatever case; ``SettingsError`` with the nearest names when there is none."""
    by_lower = {one.lower(): one for one in OPTIMIZERS}
    if name.lower() in by_lower:
        return OPTIMIZERS[by_lower[name.lower()]]
    close = [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    raise SettingsError(f"There is no optimizer {name!r}.",
                        fix=f"Did you mean {' or '.join(close)}?" if close else "`python -m rvc optimizers` lists them.")


def of_category(category: str) -> list[OptimizerSpec]:
    """Those on one shelf; ``SettingsError`` when there is no such shelf."""
    by_lower = {one.lower(): one for one in CATEGORIES}
    if category.lower() not in by_lower:
        close = difflib.get_close_matches(category.lower(), by_lower, n=1)
        raise SettingsError(f"There is no category {category!r}.",
                            fix=f"Did you mean {by_lower[close[0]]!r}?" if close else f"There are {', '.join(CATEGORIES)}.")
    return [one for one in OPTIMIZERS.values() if one.category == by_lower[category.lower()]]


def advised(situation: Situation) -> list[OptimizerSpec]:
    """Those to try first when ``situation`` is yours."""
    return [one for one in OPTIMIZERS.values() if situation in one.advice]


def for_discriminator(name: str) -> OptimizerSpec:
    """What the discriminator gets beside a generator that trains with ``name``, unless somebody chooses otherwise."""
    spec = named(name)
    return named(spec.discriminator) if spec.discriminator else spec
