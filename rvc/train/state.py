"""The live objects of a fit as one value."""

from dataclasses import dataclass
from typing import Any

import torch

from rvc import checkpoint
from rvc.checkpoint import LoadReport
from rvc.errors import FormatError
from rvc.models.config import ModelConfig
from rvc.models.discriminators import Discriminator
from rvc.models.synthesizer import Synthesizer
from rvc.train.checkpoints import Snapshot
from rvc.train.settings import FitSettings

ADAM_BETAS, ADAM_EPS = (0.8, 0.99), 1e-9  # what the whole RVC family trains with
TINY_DISCRIMINATOR_WIDTH = 1 / 16


@dataclass
class TrainingState:
    """Networks, optimizers, schedules and counters. ``epoch`` counts finished epochs; ``batch`` the finished batches of the next one."""

    config: ModelConfig
    synthesizer: Synthesizer
    discriminator: Discriminator
    optimizer_g: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer
    schedule_g: torch.optim.lr_scheduler.LRScheduler
    schedule_d: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    learning_rate: float
    step: int = 0
    epoch: int = 0
    batch: int = 0

    @classmethod
    def fresh(cls, config: ModelConfig, fit: FitSettings, device: torch.device, *, tiny: bool, needs_scaler: bool) -> "TrainingState":
        """Random weights from ``fit.seed``."""
        torch.manual_seed(fit.seed)
        synthesizer = Synthesizer(config).to(device)
        discriminator = Discriminator(config.version, TINY_DISCRIMINATOR_WIDTH if tiny else 1.0).to(device)
        optimizers = [
            torch.optim.AdamW(network.parameters(), lr=fit.learning_rate, betas=ADAM_BETAS, eps=ADAM_EPS, weight_decay=0.01,
                              fused=device.type in ("cpu", "cuda"))
            for network in (synthesizer, discriminator)]
        schedules = [torch.optim.lr_scheduler.ExponentialLR(one, fit.lr_decay) for one in optimizers]
        scaler = torch.amp.GradScaler(device.type, enabled=needs_scaler)
        return cls(config, synthesizer, discriminator, *optimizers, *schedules, scaler, fit.learning_rate)

    def finish_epoch(self) -> None:
        self.epoch, self.batch = self.epoch + 1, 0
        self.schedule_g.step()
        self.schedule_d.step()

    def change_learning_rate(self, initial: float, decay: float) -> None:
        """Another initial rate for a resumed run: the decay of the epochs so far applies to it."""
        for schedule in (self.schedule_g, self.schedule_d):
            schedule.base_lrs = [initial] * len(schedule.base_lrs)
            for group in schedule.optimizer.param_groups:
                group["initial_lr"], group["lr"] = initial, initial * decay**self.epoch

    # -- files -------------------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """What a checkpoint holds. The G and D files are readable by Applio and RVC; ``iteration`` is the epoch there."""

        def network(module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
            return {"model": checkpoint.state_of(module), "iteration": self.epoch, "optimizer": optimizer.state_dict(),
                    "learning_rate": self.learning_rate}

        state = {"step": self.step, "epoch": self.epoch, "batch": self.batch, "scaler": self.scaler.state_dict(),
                 "schedule_g": self.schedule_g.state_dict(), "schedule_d": self.schedule_d.state_dict()}
        generator = network(self.synthesizer, self.optimizer_g)
        discriminator = {**network(self.discriminator, self.optimizer_d), "scaler": self.scaler.state_dict()}
        return Snapshot(self.step, generator, discriminator, state)

    def restore(self, snapshot: Snapshot) -> list[LoadReport]:
        """Go on from ``snapshot``. Every tensor is accounted for, or a ``FormatError`` says which is not."""
        reports = self.load_weights(snapshot.generator, snapshot.discriminator)
        _restore_optimizer(self.optimizer_g, snapshot.generator["optimizer"], "G")
        _restore_optimizer(self.optimizer_d, snapshot.discriminator["optimizer"], "D")
        state = snapshot.state
        self.step, self.epoch, self.batch = state["step"], state["epoch"], state["batch"]
        self.schedule_g.load_state_dict(state["schedule_g"])
        self.schedule_d.load_state_dict(state["schedule_d"])
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        return reports

    def load_weights(self, generator: dict[str, Any], discriminator: dict[str, Any]) -> list[LoadReport]:
        """Only the weights: the beginning of a fine-tune."""
        return [checkpoint.load_state(self.synthesizer, _model(generator, "G"), what="G"),
                checkpoint.load_state(self.discriminator, _model(discriminator, "D"), what="D")]


def _model(content: dict[str, Any], what: str) -> dict[str, torch.Tensor]:
    if not isinstance(content.get("model"), dict):
        raise FormatError(f"The {what} file has no 'model': it is not a training checkpoint.")
    return content["model"]


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any], what: str) -> None:
    try:
        optimizer.load_state_dict(saved)
    except (ValueError, KeyError) as error:
        raise FormatError(f"The optimizer state of {what} does not fit this network: {error}.") from error
