"""The live objects of a fit as one value."""

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
from rvc.train.checkpoints import Snapshot
from rvc.train.rates import Moment, factor
from rvc.train.settings import FitSettings

ADAM_BETAS, ADAM_EPS = (0.8, 0.99), 1e-9  # what the whole RVC family trains with
TINY_DISCRIMINATOR_WIDTH = 1 / 16


@dataclass
class TrainingState:
    """Networks, optimizers and counters. ``epoch`` counts finished epochs; ``batch`` the finished batches of the next one."""

    config: ModelConfig
    fit: FitSettings
    synthesizer: Synthesizer
    discriminator: Discriminator
    optimizer_g: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: AveragedModel | None = None  # of the synthesizer
    step: int = 0
    epoch: int = 0
    batch: int = 0

    @classmethod
    def fresh(cls, config: ModelConfig, fit: FitSettings, device: torch.device, *, tiny: bool, needs_scaler: bool) -> "TrainingState":
        """Random weights from ``fit.seed``."""
        torch.manual_seed(fit.seed)
        synthesizer = Synthesizer(config).to(device)
        discriminator = Discriminator(config.discriminator, TINY_DISCRIMINATOR_WIDTH if tiny else 1.0).to(device)
        synthesizer.dec.checkpointing = discriminator.checkpointing = fit.activation_checkpointing
        optimizer_g, optimizer_d = (
            torch.optim.AdamW(network.parameters(), lr=rate, betas=ADAM_BETAS, eps=ADAM_EPS, weight_decay=0.01,
                              fused=device.type in ("cpu", "cuda"))
            for network, rate in ((synthesizer, fit.learning_rate), (discriminator, fit.rate_of_discriminator)))
        scaler = torch.amp.GradScaler(device.type, enabled=needs_scaler)
        ema = _averaged(synthesizer, fit.ema_decay) if fit.ema_decay else None
        return cls(config, fit, synthesizer, discriminator, optimizer_g, optimizer_d, scaler, ema)

    @property
    def voice(self) -> Synthesizer:
        """The generator whose weights voices are made of."""
        return self.ema.module if self.ema else self.synthesizer

    @property
    def voice_weights(self) -> str:
        """In words, for the voice file."""
        return f"mean of the trained ones (EMA {self.fit.ema_decay:g})" if self.ema else "as trained"

    def set_rates(self, total_steps: int) -> None:
        """The learning rates of the coming step."""
        now = factor(self.fit, Moment(self.step, self.epoch, total_steps))
        for optimizer, initial in ((self.optimizer_g, self.fit.learning_rate), (self.optimizer_d, self.fit.rate_of_discriminator)):
            for group in optimizer.param_groups:
                group["lr"] = initial * now

    def finish_epoch(self) -> None:
        self.epoch, self.batch = self.epoch + 1, 0

    # -- files -------------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What a checkpoint holds. The G and D files are readable by Applio and RVC; ``iteration`` is the epoch there."""

        def network(module: torch.nn.Module, optimizer: torch.optim.Optimizer, rate: float) -> dict[str, Any]:
            return {"model": checkpoint.state_of(module), "iteration": self.epoch, "optimizer": optimizer.state_dict(),
                    "learning_rate": rate}

        state = {"step": self.step, "epoch": self.epoch, "batch": self.batch, "scaler": self.scaler.state_dict(),
                 "ema": checkpoint.state_of(self.ema.module) if self.ema else None,
                 "voice_weights": self.voice_weights, "ema_steps": int(self.ema.n_averaged) if self.ema else 0}
        generator = network(self.synthesizer, self.optimizer_g, self.fit.learning_rate)
        discriminator = network(self.discriminator, self.optimizer_d, self.fit.rate_of_discriminator)
        return Snapshot(self.step, generator, {**discriminator, "scaler": self.scaler.state_dict()}, state)

    def restore(self, snapshot: Snapshot) -> list[LoadReport]:
        """Go on from ``snapshot``. Every tensor is accounted for, or a ``FormatError`` says which is not."""
        reports = self.load_weights(snapshot.generator, snapshot.discriminator)
        _restore_optimizer(self.optimizer_g, snapshot.generator["optimizer"], "G")
        _restore_optimizer(self.optimizer_d, snapshot.discriminator["optimizer"], "D")
        state = snapshot.state
        self.step, self.epoch, self.batch = state["step"], state["epoch"], state["batch"]
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        if self.ema and state.get("ema"):
            checkpoint.load_state(self.ema.module, state["ema"], what="the EMA of G")
            self.ema.n_averaged.fill_(state["ema_steps"])
        return reports

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


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any], what: str) -> None:
    """Moments and counts. The learning rate is the schedule's, and the other numbers those of the settings."""
    groups = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    try:
        optimizer.load_state_dict(saved)
    except (ValueError, KeyError) as error:
        raise FormatError(f"The optimizer state of {what} does not fit this network: {error}.") from error
    for group, now in zip(optimizer.param_groups, groups, strict=True):
        group.update(now)
