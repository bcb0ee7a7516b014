"""Knobs of an optimizer as people write them: ``d_coef=0.5, beta1=0.9``. No torch here."""

import math

from rvc.errors import SettingsError


def parsed(text: str) -> dict[str, float]:
    """Numbers by name; ``SettingsError`` for what is not written that way. Whose they are is for ``checks`` to say."""
    found: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = (one.strip() for one in part.partition("="))
        number = _number(value)
        if not (name and equals) or number is None:
            raise SettingsError(f"{part!r} is no option of an optimizer.", fix="Write them as name=number, with commas between them.")
        if name in found:
            raise SettingsError(f"The option {name!r} is given twice.")
        found[name] = number
    return found


def written(knobs: dict[str, float]) -> str:
    """The inverse of ``parsed``."""
    return ", ".join(f"{name}={value:g}" for name, value in knobs.items())


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
