"""A pair of networks so small that thousands of steps take seconds, with all that makes a tensor hard to move: a table of which one row
learns, gains of a weight norm, a layer that begins at zero, biases."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from rvc.events import Metrics
from rvc.models.discriminators import Discriminator
from rvc.optimizers.build import build
from rvc.optimizers.composite import Composite
from rvc.optimizers.registry import OPTIMIZERS, for_discriminator
from rvc.train.fitting.update_sizes import UpdateSizes

CPU = torch.device("cpu")
CLIPS, FRAMES, CHANNELS = 2, 24, 8
SPEAKERS = 20
MEL_WEIGHT = 45.0  # as RVC has it


class Voice(nn.Module):
    """(B, C, T) → (B, 1, T), its parts called as those of the real generator."""

    def __init__(self) -> None:
        super().__init__()
        self.enc_p = nn.Sequential(nn.Conv1d(CHANNELS, CHANNELS, 1), nn.LayerNorm(FRAMES))
        self.flow = nn.Sequential(weight_norm(nn.Conv1d(CHANNELS, CHANNELS, 5, padding=2)), nn.Conv1d(CHANNELS, CHANNELS, 1))
        self.dec = nn.Sequential(weight_norm(nn.Conv1d(CHANNELS, CHANNELS, 7, padding=3)), nn.LeakyReLU(0.1),
                                 nn.Conv1d(CHANNELS, 1, 7, padding=3))
        self.emb_g = nn.Embedding(SPEAKERS, CHANNELS)
        nn.init.zeros_(self.flow[1].weight)
        nn.init.zeros_(self.flow[1].bias)

    def forward(self, content: Tensor) -> Tensor:
        hidden = self.enc_p(content) + self.emb_g.weight[:1, :, None]
        return self.dec(hidden + self.flow(hidden)).tanh()


class Critics(Discriminator):
    """Two, each (B, 1, T) → (B, 1, T)."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.discriminators = nn.ModuleList(
            nn.Sequential(nn.Conv1d(1, CHANNELS, wide, padding=wide // 2), nn.LeakyReLU(0.1),
                          weight_norm(nn.Conv1d(CHANNELS, CHANNELS, 3, padding=1)), nn.LeakyReLU(0.1), nn.Conv1d(CHANNELS, 1, 3, padding=1))
            for wide in (5, 15))

    def forward(self, audio: Tensor) -> list[Tensor]:
        return [one(audio) for one in self.discriminators]


class Fight:
    """A voice against its critics, by least squares with a weighted distance, each trained as its optimizer's entry recommends.

    times: what the default rates of a fine-tune are multiplied by. discriminator: the optimizer of D, or what goes with ``name``.
    """

    def __init__(self, name: str, *, times: float = 1.0, discriminator: str = "", total_steps: int = 5000) -> None:
        torch.manual_seed(0)
        self.voice, self.critics = Voice(), Critics()
        self.g = _optimizer(name, self.voice, "g", times, total_steps)
        self.d = _optimizer(discriminator or for_discriminator(name).name, self.critics, "d", times, total_steps)
        self._random, self._total_steps = torch.Generator().manual_seed(1), total_steps

    def metrics(self, steps: int) -> Iterator[Metrics]:
        """Of every step, as the trainer logs it. It ends where a loss is not finite: the trainer would stop there."""
        for step in range(1, steps + 1):
            values = self._step()
            yield Metrics(step=step, total_steps=self._total_steps, epoch=1, epochs=1, steps_per_second=1.0,
                          values={"learning_rate": self.g.param_groups[0]["lr"], **values})
            if not all(torch.isfinite(one).all() for one in self.voice.parameters()):
                return

    def _step(self) -> dict[str, float]:
        content = torch.randn(CLIPS, CHANNELS, FRAMES, generator=self._random)
        real = torch.sin(3 * content[:, :1])
        made = self.voice(content)
        judged = sum((of_real - 1).square().mean() + of_made.square().mean()
                     for of_real, of_made in zip(self.critics(real), self.critics(made.detach()), strict=True))
        values = _moved(self.d, self.critics, judged)
        loss = sum((one - 1).square().mean() for one in self.critics(made)) + MEL_WEIGHT * (made - real).abs().mean()
        return {**values, **_moved(self.g, self.voice, loss)}


def _optimizer(name: str, network: nn.Module, role: str, times: float, total_steps: int) -> Composite:
    rate = OPTIMIZERS[name].rate(role, fine_tune=True) * times
    return build(name, network.named_parameters(), role=role, learning_rate=rate, total_steps=total_steps, device=CPU, batch_size=CLIPS)


def _moved(optimizer: Composite, network: nn.Module, loss: Tensor) -> dict[str, float]:
    optimizer.zero_grad()
    loss.backward()
    if optimizer.spec.clip_norm:
        nn.utils.clip_grad_norm_(network.parameters(), optimizer.spec.clip_norm)
    sizes = UpdateSizes(network)
    optimizer.step()
    return {tag: float(value) for tag, value in sizes.by_tag().items()}
