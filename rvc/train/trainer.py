"""The fit: a generator and a discriminator learning from each other (HiFi-GAN, Kong et al. 2020, on VITS, Kim et al. 2021).

One forward pass of the generator feeds both updates. Each update refuses a loss that is not finite before it touches a weight.
Every step draws its random numbers from a seed of its own, so a resumed run goes on with the very numbers it would have had, and
nothing that happens between two steps can disturb them.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn import functional

from rvc.device import Precision
from rvc.errors import NonFiniteLossError
from rvc.events import Event, Metrics
from rvc.models.synthesizer import SynthesizerOutput, frames_from
from rvc.train import losses
from rvc.train.board import Board
from rvc.train.clips import ClipSampler
from rvc.train.dataset import Batch, ClipDataset, batches, collate
from rvc.train.losses import DiscriminatorLosses, GeneratorLosses
from rvc.train.mel import mel_of, mel_spectrogram
from rvc.train.settings import FitSettings
from rvc.train.state import TrainingState

_SEED_STRIDE = 1_000_003  # a prime: runs with neighbouring seeds share no step seeds for a million steps
_SPEED_STEPS = 30  # how many recent steps the speed is averaged over


@dataclass(frozen=True)
class Target:
    """The real audio of the slices that a step compares: (B, 1, segment samples), and where each began (B,) in frames."""

    audio: torch.Tensor
    mel: torch.Tensor  # (B, n_mels, segment frames)


@dataclass(frozen=True, kw_only=True)
class EpochFinished(Event):
    """The state stands between two epochs: the moment to save. Not written to the log."""

    epoch: int


class Trainer:
    """Steps through epochs and yields what happens. Saving is the caller's, between two items."""

    def __init__(self, state: TrainingState, dataset: ClipDataset, fit: FitSettings, device: torch.device, precision: Precision) -> None:
        self.state, self._dataset, self._fit, self._device, self._precision = state, dataset, fit, device, precision
        self._sampler = ClipSampler([clip.frames for clip in dataset.clips], fit.batch_size, fit.seed)
        self._mel = {"sample_rate": state.config.sample_rate, "n_fft": state.config.n_fft, "n_mels": state.config.n_mels}
        self._finished_at: deque[float] = deque(maxlen=_SPEED_STEPS)

    @property
    def batches_per_epoch(self) -> int:
        return self._sampler.batches_per_epoch

    @property
    def total_steps(self) -> int:
        left = self._fit.epochs - self.state.epoch
        return self.state.step - self.state.batch + left * self.batches_per_epoch

    def run(self, board: Board, stop: Callable[[], bool]) -> Iterator[Event]:
        """Metrics after every step and ``EpochFinished`` after every epoch, until the last epoch or until ``stop`` says so."""
        state = self.state
        self._finished_at.append(time.monotonic())
        while state.epoch < self._fit.epochs:
            values: dict[str, float] = {}
            for batch in batches(self._dataset, self._sampler, state.epoch, state.batch, self._device):
                if stop():
                    return
                values = self.step(batch)
                board.step(state.step, values)
                yield self._metrics(values)
            state.finish_epoch()
            if values:
                board.epoch(state.step, values)
            yield EpochFinished(epoch=state.epoch)

    def step(self, batch: Batch) -> dict[str, float]:
        """One update of both networks; the values by TensorBoard tag."""
        state = self.state
        torch.manual_seed(self._fit.seed * _SEED_STRIDE + state.step)
        state.synthesizer.train()
        state.discriminator.train()
        with self._autocast():
            output = state.synthesizer(**inputs(batch))
        target = self._target(batch, output.slice_starts)
        d_losses, d_norm = self._update_discriminator(target, output)
        g_losses, g_norm = self._update_generator(target, output)
        state.scaler.update()
        state.step, state.batch = state.step + 1, state.batch + 1
        return {**d_losses.as_scalars(), **g_losses.as_scalars(), "grad/norm_d": d_norm, "grad/norm_g": g_norm,
                "learning_rate": state.optimizer_g.param_groups[0]["lr"]}

    def _update_discriminator(self, target: Target, output: SynthesizerOutput) -> tuple[DiscriminatorLosses, float]:
        state = self.state
        with self._autocast():
            real = state.discriminator(target.audio)
            fake = state.discriminator(output.audio.detach())
        loss = losses.discriminator_losses([one.score for one in real], [one.score for one in fake])
        return loss, self._update(state.optimizer_d, state.discriminator, loss.total, "discriminator")

    def _update_generator(self, target: Target, output: SynthesizerOutput) -> tuple[GeneratorLosses, float]:
        state = self.state
        with frozen(state.discriminator), self._autocast():  # gradients go through the discriminator, not into it
            with torch.no_grad():
                real = state.discriminator(target.audio)
            fake = state.discriminator(output.audio)
        adversarial = losses.adversarial_loss([one.score for one in fake])
        matching = losses.feature_matching_loss([one.feature_maps for one in real], [one.feature_maps for one in fake])
        mel = losses.mel_loss(target.mel, self._mel_of(output.audio), weight=self._fit.mel_weight)
        kl = losses.kl_loss(output.z_p, output.log_std_q, output.mean_p, output.log_std_p, output.content_mask, weight=self._fit.kl_weight)
        loss = GeneratorLosses.of(adversarial=adversarial, feature_matching=matching, mel=mel, kl=kl)
        return loss, self._update(state.optimizer_g, state.synthesizer, loss.total, "generator")

    def _update(self, optimizer: torch.optim.Optimizer, network: torch.nn.Module, loss: torch.Tensor, name: str) -> float:
        """One optimizer step; the L2 norm of the gradient it used."""
        if not torch.isfinite(loss):
            raise NonFiniteLossError(
                f"The loss of the {name} became {loss.item()} at step {self.state.step + 1}; its weights were not touched.",
                fix="Resume from the last checkpoint with a lower learning rate or --precision fp32; look for broken recordings.")
        scaler = self.state.scaler
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.get_total_norm([one.grad for one in network.parameters() if one.grad is not None])
        if not scaler.is_enabled() and not torch.isfinite(norm):  # the scaler skips such steps itself, and lowers its scale
            raise NonFiniteLossError(f"The gradient of the {name} became {float(norm)} at step {self.state.step + 1}; its weights were "
                                     "not touched.", fix="Resume with a lower learning rate or --precision fp32.")
        scaler.step(optimizer)
        return float(norm)

    # -- what the steps compare --------------------------------------------------------------------------------------------

    def _target(self, batch: Batch, starts: torch.Tensor) -> Target:
        hop, frames = self.state.config.hop_length, self.state.config.segment_frames
        audio = frames_from(batch.audio, starts * hop, frames * hop)
        return Target(audio, self._mel_of(audio))

    def _mel_of(self, audio: torch.Tensor) -> torch.Tensor:
        return mel_spectrogram(audio[:, 0], hop_length=self.state.config.hop_length, **self._mel)

    def _autocast(self):
        return torch.autocast(self._device.type, dtype=self._precision.autocast, enabled=self._precision.autocast is not None)

    def _metrics(self, values: dict[str, float]) -> Metrics:
        self._finished_at.append(time.monotonic())
        elapsed = self._finished_at[-1] - self._finished_at[0]
        speed = (len(self._finished_at) - 1) / elapsed if elapsed else 0.0
        return Metrics(step=self.state.step, total_steps=self.total_steps, epoch=self.state.epoch + 1, epochs=self._fit.epochs,
                       steps_per_second=speed, values=values)

    # -- something to look at and to listen to -------------------------------------------------------------------------------

    @torch.no_grad()
    def preview(self, board: Board) -> None:
        """Mels and audio of the first clip, always the same one, so that saves can be compared."""
        batch = collate([self._dataset[0]]).to(self._device)
        network, config = self.state.synthesizer, self.state.config
        network.eval()
        torch.manual_seed(self._fit.seed)
        audio = network.infer(batch.content, batch.lengths, batch.coarse, batch.f0_hz, batch.speaker_id)
        original = mel_of(batch.spec, sample_rate=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels)
        generated = self._mel_of(functional.pad(audio, (0, max(0, config.n_fft - audio.shape[-1]))))
        segment = slice(0, config.segment_frames)
        board.preview(self.state.step, {"all/mel": original[0], "slice/mel_org": original[0, :, segment],
                                        "slice/mel_gen": generated[0, :, segment]}, audio[0, 0], config.sample_rate)


def inputs(batch: Batch) -> dict[str, torch.Tensor | None]:
    """``batch`` as keyword arguments of ``Synthesizer.forward``."""
    return {"content": batch.content, "lengths": batch.lengths, "coarse": batch.coarse, "f0_hz": batch.f0_hz, "spec": batch.spec,
            "spec_lengths": batch.lengths, "speaker_id": batch.speaker_id}


@contextmanager
def frozen(network: torch.nn.Module) -> Iterator[None]:
    """No gradients for the weights of ``network`` inside the block: they would be computed and thrown away."""
    parameters = list(network.parameters())
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
