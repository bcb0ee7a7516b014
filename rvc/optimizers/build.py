"""An optimizer for a network, from its name. Everything that can be refused is refused before anything is made."""

import inspect
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Literal

import torch
from torch import nn
from torch.utils._foreach_utils import _get_fused_kernels_supported_devices

from rvc.errors import FormatError
from rvc.optimizers.checks import check
from rvc.optimizers.composite import Composite
from rvc.optimizers.grouping import Grouped, grouped
from rvc.optimizers.registry import DEFAULT, OPTIMIZERS, named
from rvc.optimizers.spec import OptimizerSpec

# On every device with fused kernels. Adagrad has them on the CPU only; and fused SGD, when its first step is skipped for a gradient that is
# not finite, goes on from a momentum that was never written.
_FUSED = {"AdamW", "Adam"}


def build(
    name: str,
    named_parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    role: Literal["g", "d"],
    learning_rate: float | None = None,
    knobs: dict[str, float] | None = None,
    fine_tune: bool = True,
    total_steps: int,
    device: torch.device,
    batch_size: int = 1,
) -> Composite:
    """The optimizer ``name`` for the generator (``g``) or discriminator (``d``).

    learning_rate: ``None`` takes the default. total_steps: of the whole run. batch_size: clips of a step, by which Sophia's curvature is
    scaled.
    """
    spec, turned = named(name), knobs or {}
    rate = spec.rate(role, fine_tune=fine_tune) if learning_rate is None else learning_rate
    check(spec, rate, turned)
    groups = grouped(spec, named_parameters)
    keywords = _keywords(spec, role, turned, total_steps, batch_size)
    parts = _parts(spec, groups, rate, keywords, device)
    # t0 is not a number one chooses: it was settled when the run was as long as it was then.
    settings = frozenset(keywords) | {"lr", "initial_lr", "fused", "foreach"} | {one.argument for one in spec.knobs}
    warmup = 0 if spec.warmup_argument else spec.own_warmup(total_steps)
    return Composite(spec, parts, settings=settings - {"t0"}, warmup_steps=warmup)


def why_not(optimizer: Composite, state: dict[str, Any]) -> str | None:
    """Why ``optimizer`` cannot go on from ``state``, in a sentence; ``None`` when it can."""
    saved = state.get("name", DEFAULT)  # files of other programs have no name and are AdamW's
    if saved != optimizer.name:
        return f"the saved state is of {saved}, and this is {optimizer.name}"
    shapes = [list(one.shape) for one in optimizer.parameters]
    if len(_numbers(state)) != len(shapes):
        return f"the saved state is of {len(_numbers(state))} parameters, and the network has {len(shapes)}"
    for place, (old, new) in enumerate(zip(_shapes(state, len(shapes)), shapes, strict=True)):
        if old is not None and old != new:
            return f"parameter {place} had the shape {old}, and has {new} now"
    return None


def load_checked(optimizer: Composite, state: dict[str, Any]) -> None:
    """Go on from ``state``; ``FormatError`` when it is another optimizer's or of other shapes, and nothing was touched."""
    if reason := why_not(optimizer, state):
        raise FormatError(f"The optimizer cannot go on: {reason}.",
                          fix="Resume with the optimizer of before, or let the new one begin with an empty state.")
    optimizer.load_state_dict(state)


def _numbers(state: dict[str, Any]) -> list[int]:
    return [place for group in state["param_groups"] for place in group["params"]]


def _shapes(state: dict[str, Any], count: int) -> list[list[int] | None]:
    """As saved; of a file without them, those of Adam's first moment."""
    if "shapes" in state:
        return state["shapes"]
    moments = [state["state"].get(place, {}).get("exp_avg") for place in range(count)]
    return [None if one is None else list(one.shape) for one in moments]


def _keywords(spec: OptimizerSpec, role: Literal["g", "d"], turned: dict[str, float], total_steps: int, batch_size: int) -> dict[str, Any]:
    words = spec.keywords(role, turned)
    if spec.warmup_argument:
        words[spec.warmup_argument] = spec.own_warmup(total_steps)
    if spec.total_steps_argument:
        argument, share = spec.total_steps_argument
        words[argument] = max(1, int(share * total_steps))
    if spec.curvature_every:
        words["batch_size"] = batch_size
    return words


def _parts(spec: OptimizerSpec, groups: Grouped, rate: float, words: dict[str, Any], device: torch.device) -> list[torch.optim.Optimizer]:
    rest_rate = rate * spec.rest_rate
    if spec.grouping == "muon":
        plain = OPTIMIZERS[DEFAULT].keywords("g", {})
        described = [{"params": groups.main, "use_muon": True}, {"params": groups.rest, "use_muon": False, "lr": rest_rate}]
        adamw = {"adamw_betas": plain["betas"], "adamw_eps": plain["eps"], "adamw_wd": plain["weight_decay"]}
        return [_made(spec, [one for one in described if one["params"]], rate, {**words, **adamw}, device)]
    if spec.grouping == "layers":
        described = [{"params": groups.main}, {"params": groups.rest, "lr": rest_rate}]
        return [_made(spec, [one for one in described if one["params"]], rate, words, device)]
    parts = [_made(spec, groups.main, rate, words, device)]
    if groups.rest:
        default = OPTIMIZERS[DEFAULT]
        parts.append(_made(default, groups.rest, rest_rate, default.keywords("g", {}), device))
    return parts


def _made(spec: OptimizerSpec, params: list[Any], rate: float, words: dict[str, Any], device: torch.device) -> torch.optim.Optimizer:
    module, _, name = spec.source.builds.rpartition(".")
    made = getattr(import_module(module), name)
    known = inspect.signature(made).parameters
    if spec.source.adapter is None:  # the library takes any keyword without a word; an adapter hands on what it does not know itself
        assert not words.keys() - known.keys(), f"{spec.name} does not know {words.keys() - known.keys()}"
    if _is_fused(spec.name, device):
        words = {**words, "fused": True}
    return made(params, lr=rate, **words)


def _is_fused(name: str, device: torch.device) -> bool:
    return device.type in _get_fused_kernels_supported_devices() and (name in _FUSED or (name == "Adagrad" and device.type == "cpu"))
