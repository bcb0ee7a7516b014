"""The two small tasks that every optimizer is tried on, and the steps that the tests share."""

import functools
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from rvc.optimizers.build import build
from rvc.optimizers.composite import Composite
from rvc.optimizers.registry import OPTIMIZERS

CPU = torch.device("cpu")
CHANNELS, LENGTH, BATCH = 4, 32, 4
LOSS_WEIGHT = 45.0  # what RVC multiplies its mel loss by: the gradients of methods that follow their size are as large as there


def conv(inputs: int, outputs: int) -> nn.Module:
    return weight_norm(nn.Conv1d(inputs, outputs, 5, padding=2))


def network(seed: int = 0) -> nn.Sequential:
    """(B, 4, T) → (B, 2, T), two weight-normed convolutions."""
    torch.manual_seed(seed)
    return nn.Sequential(conv(CHANNELS, 16), nn.LeakyReLU(0.1), conv(16, 2))


def optimizer_of(name: str, module: nn.Module, *, total_steps: int = 300, **choices) -> Composite:
    choices = {"role": "g", "batch_size": BATCH, "device": CPU, **choices}
    return build(name, module.named_parameters(), total_steps=total_steps, **choices)


def move(optimizer: Composite, module: nn.Module, loss: Tensor) -> None:
    """One step as the spec recommends it."""
    optimizer.zero_grad()
    loss.backward()
    if optimizer.spec.clip_norm:
        nn.utils.clip_grad_norm_(module.parameters(), optimizer.spec.clip_norm)
    optimizer.step()


@functools.cache
def pairs(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Inputs, and what a network says to them that differs from ``network()`` by 0.02 in every weight."""
    random = torch.Generator().manual_seed(seed)
    teacher = network()
    with torch.no_grad():
        for one in teacher.parameters():
            one.add_(0.02 * torch.randn(one.shape, generator=torch.Generator().manual_seed(one.numel())))
        inputs = torch.randn(count, CHANNELS, LENGTH, generator=random)
        return inputs, teacher(inputs)


class Regression:
    """Fit a network to one that differs from it a little, as a fine-tune does: a rate of 1e-4 could get there in 200 steps."""

    def __init__(self) -> None:
        self._inputs, self._wanted = pairs(1, 1024)
        self._heldout = pairs(2, 32)
        self._seen = 0

    @torch.no_grad()
    def distance(self, module: nn.Module) -> float:
        """L1, on inputs that are not trained on."""
        inputs, wanted = self._heldout
        return float((module(inputs) - wanted).abs().mean())

    def loss(self, module: nn.Module, batch: int = BATCH) -> Tensor:
        chosen = slice(self._seen, self._seen + batch)
        self._seen = (self._seen + batch) % len(self._inputs)
        return LOSS_WEIGHT * (module(self._inputs[chosen]) - self._wanted[chosen]).abs().mean()

    def train(self, optimizer: Composite, module: nn.Module, steps: int) -> None:
        for _ in range(steps):
            move(optimizer, module, self.loss(module))


def train_pair(name: str, steps: int) -> list[nn.Module]:
    """A generator and a critic against each other, by least squares with a distance as in RVC; both trained with ``name``."""
    random = torch.Generator().manual_seed(2)
    generator, critic = network(), nn.Sequential(conv(2, 8), nn.LeakyReLU(0.1), conv(8, 1))
    g, d = optimizer_of(name, generator, total_steps=steps), optimizer_of(name, critic, total_steps=steps, role="d")
    for _ in range(steps):
        inputs = torch.randn(BATCH, CHANNELS, LENGTH, generator=random)
        real = torch.sin(3 * inputs[:, :2])
        made = generator(inputs)
        of_real, of_made = critic(torch.cat([real, made.detach()])).chunk(2)
        move(d, critic, (of_real - 1).square().mean() + of_made.square().mean())
        move(g, generator, (critic(made) - 1).square().mean() + LOSS_WEIGHT * (made - real).abs().mean())
    return [generator, critic]


def weights_of(module: nn.Module) -> list[Tensor]:
    return [one.detach().clone() for one in module.parameters()]


def same(ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> bool:
    """To the bit."""
    return all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def finite(module: nn.Module) -> bool:
    return all(bool(torch.isfinite(one).all()) for one in module.parameters())


NAMES = list(OPTIMIZERS)
