"""Shampoo whose state is tensors and numbers.

Gupta, Koren and Singer 2018 (arXiv 1802.09568) in the scalable form of Anil et al. 2020 (arXiv 2002.09018). The library keeps
preconditioners and grafts as objects, which a checkpoint that is read without running its code cannot hold. They are written as what they
compute with, and made again around it.
"""

from typing import Any

import pytorch_optimizer
import torch

# Of the library's two objects per parameter: what changes from step to step.
_CHANGING = {"pre_conditioner": ("statistics", "pre_conditioners"), "graft": ("momentum", "statistics")}


class Shampoo(pytorch_optimizer.ScalableShampoo):
    def state_dict(self) -> dict[str, Any]:
        content = super().state_dict()
        return {**content, "state": {place: self._plain(state) for place, state in content["state"].items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        weights = [one for group in self.param_groups for one in group["params"]]
        super().load_state_dict({**state_dict, "state": {}})
        for place, values in state_dict["state"].items():
            self._restore(weights[place], values)

    def _plain(self, state: dict[str, Any]) -> dict[str, Any]:
        return {name: {part: getattr(value, part) for part in _CHANGING[name] if hasattr(value, part)} if name in _CHANGING else value
                for name, value in state.items()}

    def _restore(self, weight: torch.nn.Parameter, values: dict[str, Any]) -> None:
        """Let the library make its objects as it does before a first step, and fill them."""
        gradient, weight.grad = weight.grad, torch.zeros_like(weight)  # it makes none for a weight without a gradient
        self.init_group({**self._group_of(weight), "params": [weight]})
        weight.grad = gradient
        state = self.state[weight]
        state["momentum"] = _like(weight, values["momentum"])
        for name, parts in _CHANGING.items():
            for part in parts:
                if part in values[name]:
                    setattr(state[name], part, _like(weight, values[name][part]))

    def _group_of(self, weight: torch.nn.Parameter) -> dict[str, Any]:
        return next(group for group in self.param_groups if any(one is weight for one in group["params"]))


def _like(weight: torch.Tensor, values: Any) -> Any:
    """``values`` on the device of ``weight``, copied: what is loaded may be somebody's."""
    if isinstance(values, list):
        return [_like(weight, one) for one in values]
    return values.to(weight.device, copy=True)
