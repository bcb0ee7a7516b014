"""The weights that are to be heard, scored, exported and saved, where they are not those being trained."""

import torch
from torch import Tensor, nn

from rvc.optimizers.spec import Evaluation


@torch.no_grad()
def weights_to_show(kind: Evaluation, optimizer: torch.optim.Optimizer) -> dict[nn.Parameter, Tensor]:
    """By parameter; a parameter that is not in it is shown as it is."""
    if kind == "schedule-free":
        return {one: _average(one, optimizer.state[one]["z"], group) for group in optimizer.param_groups for one in group["params"]
                if "z" in optimizer.state[one]}
    if kind == "average":
        return {one: state["ax"].clone() for one, state in optimizer.state.items() if "ax" in state}
    return {}


def _average(trained: Tensor, base: Tensor, group: dict) -> Tensor:
    """x, from y = (1 − β)·z + β·x: Defazio et al. 2024 (arXiv 2405.15682), eq. 1."""
    beta = group["betas"][0] if "betas" in group else group["momentum"]
    return torch.lerp(trained, base, 1 - 1 / beta)
