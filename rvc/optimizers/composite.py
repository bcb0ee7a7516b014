"""One optimizer to the outside, whatever it is made of.

It owns the optimizers that do the work and shows their parameter groups as its own, so that learning rates, gradient scaling and clipping
need not know. What all of them lack is here: a warm-up of their own, weights to show that are not those being trained, and a state that
says whose it is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from rvc.optimizers.evaluation import weights_to_show
from rvc.optimizers.spec import OptimizerSpec

_SCALING = ("grad_scale", "found_inf")  # how torch tells a fused optimizer, on the GPU, to leave the weights alone


class Composite(torch.optim.Optimizer):
    """parts: what does the work. settings: names of the numbers that come from the user and not from a checkpoint.

    The base class's own ``__init__`` would want the parameters; everything it offers goes to the parts.
    """

    def __init__(self, spec: OptimizerSpec, parts: list[torch.optim.Optimizer], *, settings: frozenset[str], warmup_steps: int) -> None:
        self.spec, self.parts, self.settings, self.warmup_steps = spec, parts, settings, warmup_steps
        self.steps = 0
        self.defaults: dict[str, Any] = {}
        self._training: dict[nn.Parameter, Tensor] | None = None  # the trained weights, while others are shown
        for group in self.param_groups:
            group["initial_lr"] = group["lr"]
            if "train_mode" in group:
                group["train_mode"] = True

    def __repr__(self) -> str:
        return f"Composite({self.spec.name}: {', '.join(type(part).__name__ for part in self.parts)})"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    @property
    def state(self) -> dict[nn.Parameter, dict[str, Any]]:
        return {weight: state for part in self.parts for weight, state in part.state.items()}

    @property
    def parameters(self) -> list[nn.Parameter]:
        """In the order in which states are saved."""
        return [one for group in self.param_groups for one in group["params"]]

    @property
    def _step_supports_amp_scaling(self) -> bool:
        return not self.warmup_steps and all(getattr(part, "_step_supports_amp_scaling", False) for part in self.parts)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        raise NotImplementedError("the parameters of a Composite are those it was built with")

    # -- steps -----------------------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], float] | None = None) -> None:
        assert closure is None, "gradients are computed before the step"
        assert self._training is None, "train() comes before a step: other weights than the trained ones are shown"
        with self._warmed_up():
            for part in self.parts:
                self._step(part)
        self.steps += 1

    def _step(self, part: torch.optim.Optimizer) -> None:
        told = {name: getattr(self, name) for name in _SCALING if hasattr(self, name)}
        for name, value in told.items():
            setattr(part, name, value)
        part.step()
        for name in told:
            delattr(part, name)

    @contextmanager
    def _warmed_up(self) -> Iterator[None]:
        if self.steps >= self.warmup_steps:
            yield
            return
        asked = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] *= (self.steps + 1) / self.warmup_steps
        yield
        for group, rate in zip(self.param_groups, asked, strict=True):
            group["lr"] = rate

    # -- what is shown -----------------------------------------------------------------------------------------------------------

    @contextmanager
    def evaluation_weights(self) -> Iterator[None]:
        """Inside, the parameters are what is to be heard, scored, exported and saved; afterwards they are, to the bit, what they were."""
        nested = self._training is not None
        self.eval()
        try:
            yield
        finally:
            if not nested:
                self.train()

    @torch.no_grad()
    def eval(self) -> None:
        """Show the evaluation weights until ``train``. The trained ones are put aside: recomputing them would round."""
        if self._training is not None:
            return
        shown = {weight: value for part in self.parts for weight, value in weights_to_show(self.spec.evaluation, part).items()}
        self._training = {weight: weight.detach().clone() for weight in shown}
        for weight, value in shown.items():
            weight.copy_(value)

    @torch.no_grad()
    def train(self) -> None:
        for weight, value in (self._training or {}).items():
            weight.copy_(value)
        self._training = None

    # -- files -------------------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """As torch has it, parameters by number, and what says whose it is. Readers of plain AdamW states pass the rest over.

        Taken while other weights are shown it holds the trained ones too, as ``training_weights`` by number.
        """
        contents = [part.state_dict() for part in self.parts]
        state, groups, extras = {}, [], []
        for content in contents:
            first = sum(len(group["params"]) for group in groups)
            state.update({place + first: values for place, values in content.pop("state").items()})
            groups += [{**group, "params": [place + first for place in group["params"]]} for group in content.pop("param_groups")]
            extras.append(content)
        aside = self._training or {}
        return {"state": state, "param_groups": groups, "name": self.name, "steps": self.steps, "extras": extras,
                "shapes": [list(one.shape) for one in self.parameters],
                "training_weights": {place: aside[one] for place, one in enumerate(self.parameters) if one in aside}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What was saved, but for the numbers that are the user's to choose: those stay as they are. See ``load_checked``."""
        self.train()
        first_group = first = 0
        extras = state_dict.get("extras") or [{} for _ in self.parts]
        for part, extra in zip(self.parts, extras, strict=True):
            groups = state_dict["param_groups"][first_group:first_group + len(part.param_groups)]
            count = sum(len(group["params"]) for group in groups)
            mine = {place - first: values for place, values in state_dict["state"].items() if first <= place < first + count}
            renumbered = [{**group, "params": [place - first for place in group["params"]]} for group in groups]
            self._load(part, {**extra, "state": mine, "param_groups": renumbered})
            first_group, first = first_group + len(groups), first + count
        self.steps = state_dict.get("steps", 0)
        weights = self.parameters
        with torch.no_grad():
            for place, value in (state_dict.get("training_weights") or {}).items():
                weights[place].copy_(value)

    def _load(self, part: torch.optim.Optimizer, content: dict[str, Any]) -> None:
        chosen = [{name: value for name, value in group.items() if name in self.settings} for group in part.param_groups]
        part.load_state_dict(content)
        for group, now in zip(part.param_groups, chosen, strict=True):
            device = group["params"][0].device
            group.update({name: value.to(device) for name, value in group.items() if isinstance(value, Tensor)})
            group.update(now)
