"""Where trials are made: the same weights, the same clips in the same order, the same noise for every one of them.

What a run has on top of its optimizer and says nothing about it is left out: no schedule (a lab is too short for one), no warm-up but
that of the optimizer itself, no running mean of the weights, no compiler.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from statistics import fmean
from typing import Any

import torch

from rvc import device as devices
from rvc.device import Precision
from rvc.errors import RvcError
from rvc.events import Event
from rvc.models.config import ModelConfig
from rvc.paths import Home
from rvc.train import bases
from rvc.train.beginning import Beginning, beginning
from rvc.train.data.clips import ClipList, ClipSampler
from rvc.train.fitting.checkpoints import Snapshot
from rvc.train.fitting.dataset import Batch, ClipDataset, Part, parts, read_ahead
from rvc.train.fitting.mel import mel_of, mel_spectrogram
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.step import Stepper, StepValues, fetched, refuse_not_finite
from rvc.train.fitting.undisturbed import undisturbed
from rvc.train.lab.ready import held_out_clips
from rvc.train.lab.trial import Candidate, Point, Trial, marks
from rvc.train.listening.evaluation import beginning as beginning_of
from rvc.train.listening.evaluation import spread
from rvc.train.run import TrainingRun
from rvc.train.settings import FitSettings

# Of the held-out clips so many, and of each so much, is spoken at every point of every curve: enough to tell candidates apart.
MOST_CLIPS, CLIP_SECONDS = 6, 2.0
_PLAIN = {"schedule": "constant", "warmup_steps": 0, "ema_decay": 0.0, "compile": False, "gpus": ""}


@dataclass
class Bench:
    """What all trials share. ``weights`` ``None``: random ones, by the seed of the fit and so the same for all."""

    fit: FitSettings
    config: ModelConfig
    device: torch.device
    precision: Precision
    weights: Snapshot | None
    clips: ClipDataset
    held_out: list[Batch]
    fine_tune: bool
    before: float = math.nan  # mel distance of the held-out clips before any step

    @classmethod
    def of(cls, run: TrainingRun, home: Home, device: torch.device | None = None, *, anew: bool = False) -> Iterator["Event | Bench"]:
        """What ``run`` would begin with, as the last item; its features must be there. anew: as if it had no checkpoints.

        ``RunError`` when nothing is held out; the errors of a fit that begins.
        """
        fit = run.settings.fit.model_copy(update=_PLAIN)
        device = device or devices.resolve(run.settings.fit.devices[0])
        precision = devices.probe_precision(device, fit.precision)
        precision.settle()
        held_out, clips = spread(held_out_clips(run))[:MOST_CLIPS], ClipList.read(run.filelist)
        for item in beginning(run, home, clips, anew=anew):
            if not isinstance(item, Beginning):
                yield item
                continue
            cache = device if device.type == "cuda" and fit.cache_on_device else None
            heard = ClipDataset(run, item.config, held_out)
            bench = cls(fit, item.config, device, precision, item.weights, ClipDataset(run, item.config, list(clips), cache),
                        [beginning_of(heard[i], CLIP_SECONDS).to(device) for i in range(len(heard))],
                        fine_tune=run.resolved.base_model != bases.SCRATCH)
            bench.before = bench.distance(bench._state(fit, total_steps=1))
            yield bench

    def candidate(self, name: str, factor: float = 1.0) -> Candidate:
        return Candidate.of(self.fit, name, factor, fine_tune=self.fine_tune)

    def trial(self, candidate: Candidate, seed: int, steps: int, points: int = 1) -> Iterator[int | Trial]:
        """The number of each step that was taken, then the trial as the last item. Whatever breaks is its result.

        points: how often the held-out clips are scored on the way, besides the beginning.
        """
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        for item in self._tried(Trial(candidate, seed, steps, (Point(0, self.before, 0.0, 0.0),)), points):
            if not isinstance(item, Trial):
                yield item
        devices.release_memory(self.device)  # the networks are gone by now
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None
        yield replace(item, peak_bytes=peak)

    def _tried(self, made: Trial, points: int) -> Iterator[int | Trial]:
        try:
            state = self._state(self.fit.model_copy(update={**made.candidate.settings, "seed": made.seed}), made.steps)
            for item in self._points(state, made.seed, marks(made.steps, points)):
                if isinstance(item, Point):
                    made = replace(made, curve=(*made.curve, item), state_bytes=_state_bytes(state))
                else:
                    yield item
        except (RvcError, RuntimeError, ArithmeticError) as error:  # memory that ran out, a matrix without roots: a result as well
            made = replace(made, failure=_first_line(error))
        yield made

    def distance(self, state: TrainingState) -> float:
        """Mean |Δ ln mel| of the held-out clips, spoken again from their content and pitch, always with the same noise."""
        config = self.config
        bands = {"sample_rate": config.sample_rate, "n_fft": config.n_fft, "n_mels": config.n_mels}
        found = []
        with state.shown(), undisturbed(state.synthesizer, self.device, seed=1):
            for batch in self.held_out:
                audio = state.synthesizer.infer(batch.speech)
                made = mel_spectrogram(audio, hop_length=config.hop_length, **bands)
                found.append(float((made - mel_of(batch.spec, **bands)).abs().mean()))
        return fmean(found)

    def parameters(self) -> int:
        """Of both networks."""
        state = self._state(self.fit, total_steps=1)
        return sum(one.numel() for network in (state.synthesizer, state.discriminator) for one in network.parameters())

    def _state(self, fit: FitSettings, total_steps: int) -> TrainingState:
        """The weights are drawn by the seed of the run, whatever the trial's is, and then those that it begins with."""
        drawn = fit.model_copy(update={"seed": self.fit.seed})
        state = TrainingState.fresh(self.config, drawn, self.device, needs_scaler=self.precision.needs_scaler,
                                    fine_tune=self.fine_tune, total_steps=total_steps)
        state.fit = fit
        if self.weights:
            state.load_weights(self.weights.generator, self.weights.discriminator)
        return state

    def _points(self, state: TrainingState, seed: int, where: tuple[int, ...]) -> Iterator[int | Point]:
        """The steps, and at those of ``where`` how far it is. The time that scoring takes does not count."""
        stepper, taken = Stepper(state, self.device, self.precision), []
        work = islice(self._work(seed), where[-1])
        clock = _Clock.started()
        for part in read_ahead(work, self.device) if self.device.type == "cuda" else work:
            state.set_rates(where[-1])
            taken.append(stepper.step(part))
            if state.step in where:
                self._refuse_broken(taken, state.step)  # waits for the device
                taken.clear()
                clock.pause()
                held_out = self.distance(state)
                if not math.isfinite(held_out):
                    raise ArithmeticError("What it speaks is not made of numbers any more.")
                yield Point(state.step, held_out, clock.seconds, clock.cpu_seconds)
                clock.go_on()
            yield state.step

    def _work(self, seed: int) -> Iterator[Part]:
        """Batch after batch, without an end; their order is the seed's."""
        sampler = ClipSampler.of(self.clips.clips, self.fit.model_copy(update={"seed": seed}))
        for epoch in count():
            yield from parts(self.clips, sampler, epoch, 0)

    def _refuse_broken(self, taken: list[StepValues], last: int) -> None:
        """On a GPU nobody looks at the numbers of a step when it is taken. last: the number of the newest one."""
        if self.precision.needs_scaler:  # the scaler skips such steps; when it skips them all, the curve is flat
            return
        for number, values in enumerate(fetched(taken), start=last + 1 - len(taken)):
            refuse_not_finite(values, number)


class _Clock:
    """Seconds that passed while it ran."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    @classmethod
    def started(cls) -> "_Clock":
        made = cls()
        made.go_on()
        return made

    def go_on(self) -> None:
        self._since = time.perf_counter(), time.process_time()

    def pause(self) -> None:
        since, cpu_since = self._since
        self.seconds += time.perf_counter() - since
        self.cpu_seconds += time.process_time() - cpu_since


def _state_bytes(state: TrainingState) -> int:
    return sum(_bytes(one) for optimizer in (state.optimizer_g, state.optimizer_d) for one in optimizer.state.values())


def _bytes(value: Any) -> int:
    """Of all tensors in ``value``, which may be a dictionary or a list of them."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return sum(map(_bytes, inside))


def _first_line(error: Exception) -> str:
    text = error.message if isinstance(error, RvcError) else str(error)
    return next(iter(text.splitlines()), "") or type(error).__name__
