"""One training step: the discriminator learns, then the generator (HiFi-GAN, Kong et al. 2020, on VITS, Kim et al. 2021).

One forward pass of the generator feeds both updates. A batch can be computed in parts, one after another or in several processes; each
part is weighted by the whole and draws the random numbers of its own clips, so the step is the same however it was divided. Then the
generator runs twice, once for each update: to keep its values for all parts would take the memory that parts are meant to save.

What could be computed and thrown away is not computed: no gradient of the discriminator's weights and no graph of its look at the
real audio while the generator learns; both audios in one pass while the discriminator does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from rvc import device as devices
from rvc.device import Precision
from rvc.errors import NonFiniteLossError, TrainingError
from rvc.models.discriminators import Discriminator
from rvc.models.draws import ItemDraws
from rvc.models.synthesizer import Synthesizer, SynthesizerOutput, frames_from
from rvc.optimizers.composite import Composite
from rvc.train.fitting import losses
from rvc.train.fitting.dataset import Part
from rvc.train.fitting.mel import mel_spectrogram
from rvc.train.fitting.ranks import ALONE, Ranks
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.update_sizes import UpdateSizes, measured

_SEED_STRIDE = 1_000_003  # a prime: runs with neighbouring seeds share no step seeds for a million steps
_MOST_CLIPS = 1024  # of a batch; the settings allow fewer
MULTISCALE_SHARE = 1 / 3  # Applio's weight of the multi-scale mel loss, relative to that of the plain one


@dataclass(frozen=True)
class StepValues:
    """What a step measured: scalars by TensorBoard tag, on the device that computed them until somebody asks."""

    tags: tuple[str, ...]
    values: torch.Tensor  # (len(tags),) float32
    known: dict[str, float]  # what this side knows already

    @classmethod
    def of(cls, by_tag: dict[str, torch.Tensor], known: dict[str, float]) -> "StepValues":
        return cls(tuple(by_tag), torch.stack([value.detach().float() for value in by_tag.values()]), known)

    def by_tag(self) -> dict[str, float]:
        return fetched([self])[0]


def fetched(several: Sequence[StepValues]) -> list[dict[str, float]]:
    """The numbers of several steps, waiting for the device once."""
    numbers = iter(torch.cat([one.values for one in several]).tolist())
    return [{**{tag: next(numbers) for tag in one.tags}, **one.known} for one in several]


@dataclass(frozen=True)
class Pass:
    """A forward pass of the generator, and the real audio of the slices that it decoded: (B, 1, segment samples)."""

    output: SynthesizerOutput
    real: torch.Tensor


Learn = Callable[[Part, bool], dict[str, torch.Tensor]]  # a part, and whether it is the only one; the losses by tag


class Stepper:
    """Steps ``state`` forward. ``smaller``, when it is not empty, says that parts became smaller because memory ran out."""

    def __init__(self, state: TrainingState, device: torch.device, precision: Precision, ranks: Ranks = ALONE) -> None:
        self.state, self._fit, self._device, self._precision, self._ranks = state, state.fit, device, precision, ranks
        share = max(1, self._fit.batch_size // ranks.count)
        self._size = -(-share // min(self._fit.accumulate, share))
        # What it sees has one shape; the generator's clips have many, and its voices are listened to in between.
        self._judge = torch.compile(state.discriminator) if self._fit.compile else state.discriminator
        self._multiscale_mel = state.config.multiscale_mel if self._fit.mel_loss == "auto" else self._fit.mel_loss == "multi-scale"
        self._waits = device.type != "cuda"  # elsewhere numbers are there at once
        self._kept: Pass | None = None
        self._broken = torch.zeros((), device=device)  # 1 once a loss was not finite: from then on no weight is touched
        self.smaller: list[str] = []

    @property
    def at_once(self) -> int:
        """Clips that are computed at once."""
        return self._size

    def step(self, work: Part) -> StepValues:
        """One update of both networks."""
        state = self.state
        state.synthesizer.train()
        state.discriminator.train()
        values = {} if self._alone else self._judged(work)
        with frozen(state.discriminator):  # gradients go through the discriminator, not into it
            made = self._learnt(work, state.synthesizer, self._generator_part)
        with _in_one_piece(f"an update of the generator by {state.optimizer_g.name}"):
            values |= self._update(state.optimizer_g, state.synthesizer, made, "g")
        known = {"learning_rate": state.optimizer_g.param_groups[0]["lr"]}
        if state.scaler.is_enabled():
            known["scale"] = state.scaler.get_scale()
            state.scaler.update()
        if state.ema:
            with _in_one_piece("the running mean of the weights"):
                state.ema.update_parameters(state.synthesizer)
        state.step, state.batch = state.step + 1, state.batch + 1
        return StepValues.of(values, known)

    @property
    def _alone(self) -> bool:
        """Whether the generator takes the coming step without a discriminator."""
        return self.state.step < self._fit.generator_alone_steps

    def _judged(self, work: Part) -> dict[str, torch.Tensor]:
        """The discriminator learns."""
        judged = self._learnt(work, self.state.discriminator, self._discriminator_part)
        with _in_one_piece(f"an update of the discriminator by {self.state.optimizer_d.name}"):
            return self._update(self.state.optimizer_d, self.state.discriminator, judged, "d")

    # -- gradients -----------------------------------------------------------------------------------------------------------

    def _learnt(self, work: Part, network: torch.nn.Module, learn: Learn) -> dict[str, torch.Tensor]:
        """The gradients of ``work`` in ``network``, summed over parts and processes, and so are the losses."""
        while True:
            network.zero_grad(set_to_none=True)
            summed, full = self._tried(work, learn)
            if not self._ranks.any(full):
                self._sum_over_ranks(network, summed)
                return summed
            self._halve()

    def _tried(self, work: Part, learn: Learn) -> tuple[dict[str, torch.Tensor], bool]:
        """The summed losses, and whether the memory was too small for it."""
        summed: dict[str, torch.Tensor] = {}
        try:
            for part in work.parts(self._size):
                for tag, value in learn(part, len(work) <= self._size).items():
                    summed[tag] = summed.get(tag, 0) + value.detach().float()
        except RuntimeError as error:
            if _is_out_of_memory(error):
                return {}, True
            if self._fit.compile:
                _refuse_failed_compiler(error)
            raise
        return summed, False

    def _sum_over_ranks(self, network: torch.nn.Module, summed: dict[str, torch.Tensor]) -> None:
        if self._ranks.count == 1:
            return
        for one in network.parameters():  # a process without a clip in this batch adds nothing, but must take part
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        self._ranks.sum([one.grad for one in network.parameters()])
        tags = _DISCRIMINATOR_TAGS if network is self.state.discriminator else _GENERATOR_TAGS
        values = torch.stack([summed.get(tag, torch.zeros((), device=self._device)) for tag in tags])
        self._ranks.sum([values])
        summed.update(zip(tags, values, strict=True))

    def _halve(self) -> None:
        self._kept = None
        devices.release_memory(self._device)
        if self._size == 1:
            raise TrainingError("The memory is too small for a single clip at a time.",
                                fix="Use shorter slices (--slice-seconds), --activation-checkpointing, or a smaller precision.")
        before, self._size = self._size, -(-self._size // 2)
        self.smaller.append(f"The memory was too small for {before} clips at once: from here on {self._size} at a time, one after another. "
                            "The batch stays what it was, and so does the result.")

    def _discriminator_part(self, part: Part, only: bool) -> dict[str, torch.Tensor]:
        with torch.set_grad_enabled(only):  # kept for the generator's turn, unless that would keep it for many parts
            made = self._pass(part)
        self._kept = made if only else None
        with self._autocast():
            opinions = self._judge(torch.cat([made.real, made.output.audio.detach()]))
        scores = [one.score.chunk(2) for one in opinions]
        loss = losses.discriminator_losses([real for real, _ in scores], [fake for _, fake in scores])
        share = len(part) / part.n_clips
        self.state.scaler.scale(share * loss.total).backward()
        return {tag: share * value for tag, value in loss.by_tag().items()}

    def _generator_part(self, part: Part, only: bool) -> dict[str, torch.Tensor]:
        made, self._kept = self._kept if only and self._kept else self._pass(part), None
        output, share = made.output, len(part) / part.n_clips
        adversarial, feature_matching = self._opinion(made)
        loss = losses.GeneratorLosses.of(
            adversarial=share * adversarial,
            feature_matching=share * feature_matching,
            mel=share * self._mel_loss(made),
            kl=losses.kl_loss(output.z_p, output.log_std_q, output.mean_p, output.log_std_p, output.content_mask,
                              weight=self._fit.kl_weight, n_frames=part.n_frames))
        self.state.scaler.scale(loss.total).backward()
        return loss.by_tag()

    def _opinion(self, made: Pass) -> tuple[torch.Tensor, torch.Tensor]:
        """What the discriminator makes of it: the adversarial and the feature matching loss; none while the generator is alone."""
        if self._alone:
            return torch.zeros((), device=self._device), torch.zeros((), device=self._device)
        with self._autocast():
            with torch.no_grad():
                real = self._judge(made.real)
            fake = self._judge(made.output.audio)
        maps = [[one.feature_maps for one in opinions] for opinions in (real, fake)]
        return losses.adversarial_loss([one.score for one in fake]), losses.feature_matching_loss(*maps)

    def _pass(self, part: Part) -> Pass:
        config, batch = self.state.config, part.batch(self._device)
        draws = ItemDraws(item_seeds(self.state, part), part.frames, self._device)
        with self._autocast():
            output = self.state.synthesizer(batch.speech, batch.spec, draws)
        return Pass(output, frames_from(batch.audio, output.slice_starts * config.hop_length, config.segment_samples))

    def _mel_loss(self, made: Pass) -> torch.Tensor:
        config, weight = self.state.config, self._fit.mel_weight
        if self._multiscale_mel:
            return losses.multiscale_mel_loss(made.real, made.output.audio, sample_rate=config.sample_rate,
                                              weight=weight * MULTISCALE_SHARE)
        with torch.no_grad():
            real = self._mel(made.real)
        return losses.mel_loss(real, self._mel(made.output.audio), weight=weight)

    def _mel(self, audio: torch.Tensor) -> torch.Tensor:
        config = self.state.config
        return mel_spectrogram(audio[:, 0], sample_rate=config.sample_rate, n_fft=config.n_fft, hop_length=config.hop_length,
                               n_mels=config.n_mels)

    def _autocast(self):
        return torch.autocast(self._device.type, dtype=self._precision.autocast, enabled=self._precision.autocast is not None)

    # -- updates -------------------------------------------------------------------------------------------------------------

    def _update(
        self, optimizer: Composite, network: Synthesizer | Discriminator, summed: dict[str, torch.Tensor], letter: str
    ) -> dict[str, torch.Tensor]:
        """One optimizer step, unless a loss is not finite; the losses with the L2 norm of the gradient, whether it was clipped, and now
        and then how far the weights moved."""
        limit = (self._fit.clip_generator if letter == "g" else self._fit.clip_discriminator) or optimizer.spec.clip_norm
        self.state.scaler.unscale_(optimizer)
        norm = torch.nn.utils.get_total_norm([one.grad for one in network.parameters() if one.grad is not None])
        if limit:
            torch.nn.utils.clip_grads_with_norm_(network.parameters(), limit, norm)
        sizes = UpdateSizes(network) if measured(self.state.step) else None
        self._step_unless_broken(optimizer, summed[_TOTALS[letter]], norm, letter)
        clipped = (norm > limit).float() if limit else torch.zeros_like(norm)
        moved = sizes.by_tag() if sizes else {}
        return {**summed, f"grad/norm_{letter}": norm, f"grad/clipped_{letter}": clipped, **moved}

    def _step_unless_broken(self, optimizer: Composite, loss: torch.Tensor, norm: torch.Tensor, letter: str) -> None:
        """On a GPU a fused optimizer is told on the GPU to leave the weights alone; nobody waits for the numbers here."""
        scaler = self.state.scaler
        if not self._waits and not scaler.is_enabled() and optimizer._step_supports_amp_scaling:
            self._broken = torch.maximum(self._broken, (~(torch.isfinite(loss) & torch.isfinite(norm))).float())
            optimizer.grad_scale, optimizer.found_inf = None, self._broken
            optimizer.step()
            return
        values = {_TOTALS[letter]: float(loss)}
        if not scaler.is_enabled():  # the scaler skips such steps itself, and lowers its scale
            values[f"grad/norm_{letter}"] = float(norm)
        refuse_not_finite(values, self.state.step + 1)
        scaler.step(optimizer)


_TOTALS = {"d": "loss/d/adv", "g": "loss/g/total"}
_DISCRIMINATOR_TAGS = ("loss/d/adv", "loss/d/real", "loss/d/fake")
_GENERATOR_TAGS = ("loss/g/total", "loss/g/adv", "loss/g/fm", "loss/g/mel", "loss/g/kl")
_REFUSED = {"loss/d/adv": "loss of the discriminator", "grad/norm_d": "gradient of the discriminator",
            "loss/g/total": "loss of the generator", "grad/norm_g": "gradient of the generator"}


def refuse_not_finite(values: dict[str, float], step: int) -> None:
    """``NonFiniteLossError`` when a total loss or a gradient in ``values`` is NaN or infinite; the step left the weights as they were."""
    for tag, what in _REFUSED.items():
        value = values.get(tag, 0.0)
        if not abs(value) < float("inf"):
            raise NonFiniteLossError(f"The {what} became {value} at step {step}; its weights were not touched.",
                                     fix="Resume from the last checkpoint with a lower learning rate or --precision fp32; look for broken "
                                         "recordings.")


def item_seeds(state: TrainingState, part: Part) -> list[int]:
    """A seed for each clip of ``part`` in the coming step."""
    step_seed = state.fit.seed * _SEED_STRIDE + state.step
    return [step_seed * _MOST_CLIPS + place for place in part.places]


class frozen:
    """No gradients for the weights of ``network`` inside the block: they would be computed and thrown away."""

    def __init__(self, network: torch.nn.Module) -> None:
        self._parameters = list(network.parameters())

    def __enter__(self) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        for parameter in self._parameters:
            parameter.requires_grad_(True)


def _refuse_failed_compiler(error: RuntimeError) -> None:
    """torch.compile needs a C++ compiler, or Triton for a GPU; what it says without one is a page long."""
    from torch._dynamo.exc import TorchDynamoException  # the compiler takes a second to import

    if isinstance(error, TorchDynamoException):
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise TrainingError(f"torch.compile failed: {first}", fix="Train without --compile.") from error


@contextmanager
def _in_one_piece(what: str) -> Iterator[None]:
    """Around what takes the same memory for any batch, and may be half done when it fails: it is not tried again."""
    try:
        yield
    except RuntimeError as error:
        if _is_out_of_memory(error):
            raise TrainingError(f"The memory is too small for {what}.",
                                fix="A smaller batch hardly helps. Train with an optimizer that keeps less beside the weights (rvc "
                                    "optimizers tells how much), without --ema-decay, or with --activation-checkpointing.") from error
        raise


def _is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA has a class for it; the CPU's allocator and Apple's say it in words."""
    words = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in words or "MPS backend out of memory" in words
