"""The base of every settings model: a choice is one field, written once.

The form, the command line flag, the preset and the run's manifest all come from the field. Ground floor: pydantic only.
"""

import difflib
import types
import typing
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvc.errors import SettingsError


class Settings(BaseModel):
    """Frozen values with defaults, ranges and help. Unknown names, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=Settings)


def option(
    default: Any,
    *,
    help: str,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    label: str | None = None,
    advanced: bool = False,
) -> Any:
    """One choice a person can make. ``low`` and ``high`` are inclusive; ``advanced`` ones are folded away in the form."""
    extra = {"step": step, "label": label, "advanced": advanced}
    return Field(default, ge=low, le=high, description=help, json_schema_extra=extra)


@dataclass(frozen=True)
class Option:
    """A field as the form and the help see it."""

    name: str
    section: str  # "" at the top level, else the name of the nested model's field
    kind: type  # bool, int, float or str
    default: Any
    help: str
    label: str
    low: float | None
    high: float | None
    step: float | None
    choices: tuple[Any, ...] | None
    advanced: bool
    optional: bool  # None is a value it takes


def options(model: type[Settings]) -> list[Option]:
    """Every choice of ``model``, nested models flattened, in the order in which they are written."""
    found: list[Option] = []
    for name, field in model.model_fields.items():
        if _is_settings(field.annotation):
            found += [replace(inner, section=name) for inner in options(field.annotation)]
        else:
            found.append(_option(name, field))
    names = [one.name for one in found]
    assert len(names) == len(set(names)), f"{model.__name__}: two sections share a field name"
    return found


def from_flat(model: type[S], values: dict[str, Any]) -> S:
    """A settings value from flat names; a ``SettingsError`` names the first one that is wrong and what it may be."""
    known = {one.name: one for one in options(model)}
    nested: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(f"There is no setting {name!r}.", fix=f"Did you mean {close[0]!r}?" if close else None)
        section = known[name].section
        (nested.setdefault(section, {}) if section else nested)[name] = value
    try:
        return model.model_validate(nested)
    except ValidationError as error:
        raise SettingsError(sentence(error, model)) from error


def flat(settings: Settings) -> dict[str, Any]:
    """The values of ``settings`` by flat name: the inverse of ``from_flat``."""
    values: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        values.update(flat(value) if isinstance(value, Settings) else {name: value})
    return values


def sentence(error: ValidationError, model: type[Settings]) -> str:
    """The first thing that is wrong, by the name of its setting, and what it may be."""
    known = {one.name: one for one in options(model)}
    first = error.errors()[0]
    if first["type"] == "value_error":  # a validator's own sentence
        return str(first["ctx"]["error"])
    name = str(first["loc"][-1]) if first["loc"] else "the whole"
    shown, one = repr(first.get("input")), known.get(name)
    shown = shown if len(shown) <= 60 else shown[:60] + "…"
    if first["type"] == "missing":
        return f"{name} is missing."
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(name, known, n=1)
        return f"there is no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ".")
    if first["type"] in ("model_type", "dataclass_type"):
        return f"{name} holds {shown} in place of its entries."
    if one is None:
        return f"{name}: {first['msg']}."
    if one.choices:
        return f"{name} must be one of {', '.join(map(str, one.choices))}; {shown} is not."
    if first["type"] in ("greater_than_equal", "less_than_equal") and one.low is not None and one.high is not None:
        return f"{name} must be between {one.low:g} and {one.high:g}; {shown} is not."
    return f"{name}: {first['msg'].lower()}; {shown} was given."


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def _option(name: str, field: Any) -> Option:
    kind, choices, optional = _shape(field.annotation)
    extra = field.json_schema_extra or {}
    bounds = {type(item).__name__: item for item in field.metadata}
    return Option(
        name=name,
        section="",
        kind=kind,
        default=field.default,
        help=field.description or "",
        label=extra.get("label") or name.replace("_", " ").capitalize(),
        low=getattr(bounds.get("Ge"), "ge", None),
        high=getattr(bounds.get("Le"), "le", None),
        step=extra.get("step"),
        choices=choices,
        advanced=bool(extra.get("advanced")),
        optional=optional,
    )


def _shape(annotation: Any) -> tuple[type, tuple[Any, ...] | None, bool]:
    """The plain type, the fixed choices, and whether ``None`` is allowed."""
    if typing.get_origin(annotation) is Literal:
        choices = typing.get_args(annotation)
        return type(choices[0]), choices, False
    if isinstance(annotation, types.UnionType):
        inner = [one for one in typing.get_args(annotation) if one is not types.NoneType]
        kind, choices, _ = _shape(inner[0])
        return kind, choices, True
    return annotation, None, False
