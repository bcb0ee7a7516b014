"""The live objects of a fit as one value."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rvc import checkpoint
from rvc.checkpoint import LoadReport
from rvc.errors import FormatError
from rvc.models.config import ModelConfig
from rvc.models.discriminators import Discriminator
from rvc.models.synthesizer import Synthesizer
from rvc.optimizers.build import build, load_checked
from rvc.optimizers.composite import Composite
from rvc.optimizers.registry import DEFAULT
from rvc.train.chosen import Role, chosen
from rvc.train.fitting.checkpoints import Snapshot
from rvc.train.fitting.rates import Moment, factor
from rvc.train.settings import FitSettings


@dataclass
class TrainingState:
    """Networks, optimizers and counters. ``epoch`` counts finished epochs; ``batch`` the finished batches of the next one."""

    config: ModelConfig
    fit: FitSettings
    synthesizer: Synthesizer
    discriminator: Discriminator
    optimizer_g: Composite
    optimizer_d: Composite
    scaler: torch.amp.GradScaler
    ema: AveragedModel | None = None  # of the synthesizer
    step: int = 0
    epoch: int = 0
    batch: int = 0

    @classmethod
    def fresh(
        cls, config: ModelConfig, fit: FitSettings, device: torch.device, *, needs_scaler: bool, fine_tune: bool = True,
        total_steps: int = 1000
    ) -> "TrainingState":
        """Random weights from ``fit.seed``. total_steps: of the whole fit, which some optimizers plan with."""
        torch.manual_seed(fit.seed)
        synthesizer = Synthesizer(config).to(device)
        discriminator = Discriminator(config.discriminator, config.discriminator_width).to(device)
        synthesizer.dec.checkpointing = discriminator.checkpointing = fit.activation_checkpointing

        def optimizer(network: torch.nn.Module, role: Role) -> Composite:
            asked = chosen(fit, role, fine_tune=fine_tune)
            return build(asked.spec.name, network.named_parameters(), role=role, learning_rate=asked.learning_rate, knobs=asked.knobs,
                         fine_tune=fine_tune, total_steps=total_steps, device=device, batch_size=fit.batch_size)

        scaler = torch.amp.GradScaler(device.type, enabled=needs_scaler)
        ema = _averaged(synthesizer, fit.ema_decay) if fit.ema_decay else None
        return cls(config, fit, synthesizer, discriminator, optimizer(synthesizer, "g"), optimizer(discriminator, "d"), scaler, ema)

    @property
    def voice(self) -> Synthesizer:
        """The generator whose weights voices are made of."""
        return self.ema.module if self.ema else self.synthesizer

    @property
    def voice_weights(self) -> str:
        """In words, for the voice file."""
        if self.ema:
            return f"mean of the trained ones (EMA {self.fit.ema_decay:g})"
        spec = self.optimizer_g.spec
        return "as trained" if spec.evaluation == "as trained" else f"mean of the trained ones ({spec.name})"

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside, the weights are those to be heard, scored, saved and exported: with some optimizers not the ones in training."""
        with self.optimizer_g.evaluation_weights(), self.optimizer_d.evaluation_weights():
            yield

    def set_rates(self, total_steps: int) -> None:
        """The learning rates of the coming step."""
        now = Moment(self.step, self.epoch, total_steps)
        for optimizer in (self.optimizer_g, self.optimizer_d):
            share = factor(self.fit, now, scheduled=optimizer.spec.scheduled)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * share

    def finish_epoch(self) -> None:
        self.epoch, self.batch = self.epoch + 1, 0

    # -- files -------------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What a checkpoint holds. The G and D files are readable by Applio and RVC; ``iteration`` is the epoch there."""

        def network(module: torch.nn.Module, optimizer: Composite) -> dict[str, Any]:
            return {"model": checkpoint.state_of(module), "iteration": self.epoch, "optimizer": optimizer.state_dict(),
                    "learning_rate": optimizer.param_groups[0]["initial_lr"]}

        state = {"step": self.step, "epoch": self.epoch, "batch": self.batch, "scaler": self.scaler.state_dict(),
                 "ema": checkpoint.state_of(self.ema.module) if self.ema else None,
                 "voice_weights": self.voice_weights, "ema_steps": int(self.ema.n_averaged) if self.ema else 0}
        generator = network(self.synthesizer, self.optimizer_g)
        discriminator = network(self.discriminator, self.optimizer_d)
        return Snapshot(self.step, generator, {**discriminator, "scaler": self.scaler.state_dict()}, state)

    def restore(self, snapshot: Snapshot) -> tuple[list[LoadReport], list[str]]:
        """Go on from ``snapshot``: what was loaded, and in sentences which optimizer begins anew because it is another one now.

        Every tensor is accounted for, or a ``FormatError`` says which is not.
        """
        reports = self.load_weights(snapshot.generator, snapshot.discriminator)
        anew = [*_restored(self.optimizer_g, snapshot.generator["optimizer"], "G"),
                *_restored(self.optimizer_d, snapshot.discriminator["optimizer"], "D")]
        state = snapshot.state
        self.step, self.epoch, self.batch = state["step"], state["epoch"], state["batch"]
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        if self.ema and state.get("ema"):
            checkpoint.load_state(self.ema.module, state["ema"], what="the EMA of G")
            self.ema.n_averaged.fill_(state["ema_steps"])
        return reports, anew

    def load_weights(self, generator: dict[str, Any], discriminator: dict[str, Any]) -> list[LoadReport]:
        """Only the weights: the beginning of a fine-tune."""
        reports = [checkpoint.load_state(self.synthesizer, _model(generator, "G"), what="G"),
                   checkpoint.load_state(self.discriminator, _model(discriminator, "D"), what="D")]
        if self.ema:
            self.ema.module.load_state_dict(self.synthesizer.state_dict())
        return reports


def _averaged(synthesizer: Synthesizer, decay: float) -> AveragedModel:
    averaged = AveragedModel(synthesizer, multi_avg_fn=get_ema_multi_avg_fn(decay))
    return averaged.requires_grad_(False)


def _model(content: dict[str, Any], what: str) -> dict[str, torch.Tensor]:
    if not isinstance(content.get("model"), dict):
        raise FormatError(f"The {what} file has no 'model': it is not a training checkpoint.")
    return content["model"]


def _restored(optimizer: Composite, saved: dict[str, Any], what: str) -> list[str]:
    """Moments and counts; a sentence when they are another optimizer's, whose numbers mean something else."""
    before = saved.get("name", DEFAULT)  # files of other programs have no name and are AdamW's
    if before != optimizer.name:
        return [f"{what} was trained with {before} so far; {optimizer.name} begins with an empty state."]
    load_checked(optimizer, saved)
    return []
