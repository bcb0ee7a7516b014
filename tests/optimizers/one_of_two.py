"""What each of two processes does in test_two_processes: ``python -m tests.optimizers.one_of_two FILE``, started as torchrun would.

Every optimizer trains the same network on its share of each batch. The first process writes to FILE what came of it: for each name how
far it is from one process with the whole batch, relative to the way it went, and whether both processes hold the same weights.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from rvc.train.processes.distributed import TorchRanks, joined
from tests.optimizers.tasks import BATCH, CPU, LOSS_WEIGHT, NAMES, network, optimizer_of, pairs, weights_of

STEPS = 4


def trained(name: str, share: slice, ranks: TorchRanks | None) -> Tensor:
    """The weights after ``STEPS`` steps on ``share`` of each batch; the gradients are summed over ``ranks``."""
    module, (inputs, wanted) = network(), pairs(1, 1024)
    optimizer = optimizer_of(name, module)
    for step in range(STEPS):
        batch = slice(BATCH * step, BATCH * (step + 1))
        optimizer.zero_grad()
        distance = (module(inputs[batch][share]) - wanted[batch][share]).abs().sum() / wanted[batch].numel()
        (LOSS_WEIGHT * distance).backward()
        if ranks:
            ranks.sum([one.grad for one in module.parameters()])
        if optimizer.spec.clip_norm:
            nn.utils.clip_grad_norm_(module.parameters(), optimizer.spec.clip_norm)
        torch.manual_seed(ranks.index if ranks else 2)  # processes draw differently: no optimizer may
        optimizer.step()
    with optimizer.evaluation_weights():
        return vector(module)


def vector(module: nn.Module) -> Tensor:
    return torch.cat([one.flatten() for one in weights_of(module)])


def compared(name: str, ranks: TorchRanks) -> dict[str, float | bool]:
    start, alone = vector(network()), trained(name, slice(None), None)
    mine = trained(name, slice(ranks.index, None, 2), ranks)
    both = [torch.zeros_like(mine), torch.zeros_like(mine)]
    both[ranks.index] += mine
    ranks.sum(both)
    apart = float((mine - alone).norm() / (alone - start).norm())
    return {"apart": apart, "equal": torch.equal(*both), "moved": not torch.equal(mine, start)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined(CPU) as ranks:
        found = {name: compared(name, ranks) for name in NAMES}
        if ranks.leads:
            Path(sys.argv[1]).write_text(json.dumps(found))
