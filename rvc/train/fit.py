"""Stage *fit*: from the clips of a run to checkpoints and voices. Begins, resumes, saves; the steps are the trainer's.

Of several processes that fit together each runs this; the one that leads writes files and tells what happens.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from rvc import device as devices
from rvc.events import Event, Metrics, Note, Saved
from rvc.export import VoiceFacts, export_voice
from rvc.models.config import ModelConfig
from rvc.paths import Home
from rvc.train import bases
from rvc.train.beginning import Beginning, beginning
from rvc.train.chosen import remarks
from rvc.train.data.clips import ClipList, ClipSampler
from rvc.train.data.recordings import names_to_choose
from rvc.train.fitting import checkpoints
from rvc.train.fitting.board import Board, NoBoard
from rvc.train.fitting.checkpoints import Snapshot
from rvc.train.fitting.dataset import ClipDataset
from rvc.train.fitting.ranks import ALONE, Ranks
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.trainer import EpochFinished, Trainer
from rvc.train.fitting.watch import RunDoctor
from rvc.train.listening.audition import Audition
from rvc.train.listening.evaluation import Evaluation
from rvc.train.run import TrainingRun


@dataclass(frozen=True)
class FitReport:
    """How the fit ended."""

    epoch: int
    step: int
    stopped: bool


class TimeLimit:
    """Whether a fit of so many minutes is over; 0 never is. ``reached``: it was so when it was asked last."""

    def __init__(self, minutes: float) -> None:
        self._ends = time.monotonic() + 60 * minutes if minutes else math.inf
        self.reached = False

    def __call__(self) -> bool:
        self.reached = time.monotonic() >= self._ends
        return self.reached


@dataclass(frozen=True)
class Fit:
    """One attempt at fitting ``run``, in this process and those it is ranked with."""

    run: TrainingRun
    home: Home
    stop: Callable[[], bool]
    ranks: Ranks = ALONE
    device: torch.device | None = None  # None: the one of the settings

    def events(self) -> Iterator[Event | FitReport]:
        """What happens, then the report as the last item."""
        run, settings = self.run, self.run.settings.fit
        device = self.device or devices.resolve(settings.devices[0])
        precision = devices.probe_precision(device, settings.precision)
        precision.settle()
        yield Note(message=f"Training on {devices.name_of(device)} in {precision.name}{self._company()}.")
        clips = ClipList.read(run.filelist)
        for item in beginning(run, self.home, clips):
            if isinstance(item, Beginning):
                begin = item
            else:
                yield item
        config = begin.config
        fine_tune = run.resolved.base_model != bases.SCRATCH
        for sentence in remarks(settings, fine_tune=fine_tune):
            yield Note(message=sentence)
        state = TrainingState.fresh(config, settings, device, needs_scaler=precision.needs_scaler, fine_tune=fine_tune,
                                    total_steps=settings.epochs * ClipSampler.of(clips, settings).batches_per_epoch)
        yield from self._begin(state, begin.checkpoint, begin.base)
        del begin, item  # a gigabyte at full size
        cache = device if device.type == "cuda" and settings.cache_on_device else None
        trainer = Trainer(state, ClipDataset(run, config, list(clips), cache), device, precision, self.ranks)
        yield Note(message=f"{len(clips)} clips, {trainer.batches_per_epoch} steps an epoch.")
        listeners = self._listeners(config, device) if self.ranks.leads else []
        yield from self._train(trainer, clips, listeners)

    def _begin(self, state: TrainingState, snapshot: Snapshot | None, base: Snapshot | None) -> Iterator[Event]:
        if snapshot:
            reports, anew = state.restore(snapshot)
            yield Note(message=f"Resumed from step {state.step}, epoch {state.epoch}: " + _loaded(reports))
            for sentence in anew:
                yield Note(level="warning", message=sentence)
            if not anew and (rate := state.optimizer_g.param_groups[0]["initial_lr"]) != snapshot.generator["learning_rate"]:
                yield Note(message=f"The learning rate is now based on {rate:g}.")
            if state.ema and not snapshot.state.get("ema"):
                yield Note(message="The EMA begins with the weights of this checkpoint, which has none.")
        elif base:
            reports = state.load_weights(base.generator, base.discriminator)
            yield Note(message=f"Started from {base.title}: " + _loaded(reports))
        else:
            yield Note(level="warning", message="Started from scratch, without a pretrain: a usable voice needs hours of speech.")

    def _listeners(self, config: ModelConfig, device: torch.device) -> list[Evaluation | Audition]:
        """What looks at every saved epoch. A clip of the user's choice that cannot be used is refused here, before the first step."""
        evaluation = Evaluation.of(self.run, self.home, config, device)
        audition = Audition.of(self.run, self.home, config, device)
        return [evaluation, audition] if evaluation else [audition]

    def _train(self, trainer: Trainer, clips: ClipList, listeners: list[Evaluation | Audition]) -> Iterator[Event | FitReport]:
        run, state, settings = self.run, trainer.state, self.run.settings.fit
        fine_tune = run.resolved.base_model != bases.SCRATCH and run.settings.model.model_size == "standard"
        doctor = RunDoctor(fine_tune=fine_tune, n_critics=len(state.discriminator.discriminators),
                           learning_rate=state.optimizer_g.param_groups[0]["initial_lr"], kl_weight=settings.kl_weight,
                           first_steps_g=state.optimizer_g.spec.first_steps, first_steps_d=state.optimizer_d.spec.first_steps)
        board = Board(run.folder, state.step) if self.ranks.leads else NoBoard()
        begun, saved_at, over = state.step, state.step, TimeLimit(settings.minutes)
        try:
            for event in trainer.run(board, lambda: self.stop() or (state.step > begun and over())):
                if not isinstance(event, EpochFinished):
                    yield event
                    if isinstance(event, Metrics):
                        yield from doctor.examine(event)
                    continue
                last = event.epoch == settings.epochs
                if last or event.epoch % settings.save_every_epochs == 0:
                    if self.ranks.leads:
                        with state.shown():
                            yield from self._save_epoch(trainer, board, clips, export=last or settings.export_every_save)
                            for listener in listeners:
                                yield from listener.at(state.voice, state.epoch, state.step)
                    saved_at = state.step
            early = state.epoch < settings.epochs
            stopped = early and not self.ranks.any(over.reached)
            if early and state.step > saved_at and self.ranks.leads:
                with state.shown():
                    yield from checkpoints.save(run, state.snapshot())
            self.ranks.wait()
        finally:
            board.close()
        yield FitReport(state.epoch, state.step, stopped)

    def _save_epoch(self, trainer: Trainer, board: Board, clips: ClipList, *, export: bool) -> Iterator[Event]:
        """The checkpoint first: whatever fails after it, the work is not lost."""
        yield from checkpoints.save(self.run, trainer.state.snapshot())
        trainer.preview(board)
        if export:
            yield self._export(trainer.state, clips)

    def _export(self, state: TrainingState, clips: ClipList) -> Saved:
        path = self.run.voice_path(state.epoch, state.step)
        facts = VoiceFacts(name=self.run.name, epoch=state.epoch, step=state.step, embedder=self.run.resolved.embedder,
                           n_speakers=clips.n_speakers, speakers=names_to_choose(self.run), dataset_seconds=clips.seconds,
                           weights=state.voice_weights)
        export_voice(state.voice, state.config, path, facts)
        return Saved(what="voice", path=path.name, epoch=state.epoch, step=state.step)

    def _company(self) -> str:
        shares = self.run.settings.fit.shares
        return f", {self.ranks.count} processes together, batch {shares}" if self.ranks.count > 1 else ""


def _loaded(reports: list) -> str:
    return ", ".join(f"loaded {one.loaded} of {one.total} tensors of {name}" for name, one in zip("GD", reports, strict=True)) + "."
