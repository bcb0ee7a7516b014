"""Command line flags from a settings model: the fields are the flags."""

from typing import Any, TypeVar

from pydantic import BaseModel, Field, create_model

from rvc.settings import Option, Settings, from_flat, options

S = TypeVar("S", bound=Settings)


def flags(model: type[Settings]) -> type[BaseModel]:
    """A flat model with one optional field per choice. ``None`` means that the flag was not given.

    Ranges are checked by the settings model itself, so that a wrong value is refused in the same words everywhere.
    """
    fields = {one.name: (one.kind | None, Field(None, description=_help(one))) for one in options(model)}
    return create_model(f"{model.__name__}Flags", **fields)


def given(values: BaseModel | None) -> dict[str, Any]:
    """What was said on the command line, by flat name."""
    return {name: value for name, value in values.model_dump().items() if value is not None} if values else {}


def settings_from(model: type[S], values: BaseModel | None, base: dict[str, Any] | None = None) -> S:
    """``base`` (default: the model's defaults) with the given flags over it."""
    return from_flat(model, {**(base or {}), **given(values)})


def _help(one: Option) -> str:
    bounds = f"{one.low:g} to {one.high:g}" if one.low is not None and one.high is not None else ""
    choices = ", ".join(map(str, one.choices)) if one.choices else ""
    default = "" if one.default in ("", None) else f"default {one.default}"
    details = "; ".join(part for part in (bounds or choices, default) if part)
    return f"{one.help} [{details}]" if details else one.help
