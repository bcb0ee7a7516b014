"""Epoch after epoch of training steps, and what happens as a stream of events. The mathematics of a step is in ``step``.

Every step draws its random numbers from seeds of its own, so a resumed run goes on with the very numbers it would have had, and
nothing that happens between two steps can disturb them.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from rvc.device import Precision
from rvc.events import Event, Metrics, Note
from rvc.train.data.clips import ClipSampler
from rvc.train.fitting.board import Board
from rvc.train.fitting.dataset import ClipDataset, Part, collate, parts, read_ahead
from rvc.train.fitting.mel import mel_of, mel_spectrogram
from rvc.train.fitting.ranks import ALONE, Ranks
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.step import Stepper, StepValues, fetched, refuse_not_finite
from rvc.train.fitting.undisturbed import undisturbed

_SPEED_STEPS = 30  # how many recent steps the speed is averaged over
_FETCH_SECONDS = 0.5  # how long the numbers of a GPU's steps stay there: to ask for them is to wait for it


@dataclass(frozen=True, kw_only=True)
class EpochFinished(Event):
    """The state stands between two epochs: the moment to save. Not written to the log."""

    epoch: int


@dataclass(frozen=True)
class _Taken:
    """A step whose numbers have not been looked at yet."""

    step: int
    epoch: int
    values: StepValues


class Trainer:
    """Steps through epochs and yields what happens. Saving is the caller's, between two items."""

    def __init__(
        self, state: TrainingState, dataset: ClipDataset, device: torch.device, precision: Precision, ranks: Ranks = ALONE
    ) -> None:
        self.state, self._fit, self._dataset, self._device, self._ranks = state, state.fit, dataset, device, ranks
        self.stepper = Stepper(state, device, precision, ranks)
        self._sampler = ClipSampler.of(dataset.clips, self._fit)
        self._finished_at: deque[float] = deque(maxlen=_SPEED_STEPS)
        self._taken: list[_Taken] = []
        self._fetched_at = 0.0

    @property
    def batches_per_epoch(self) -> int:
        return self._sampler.batches_per_epoch

    @property
    def total_steps(self) -> int:
        left = self._fit.epochs - self.state.epoch
        return self.state.step - self.state.batch + left * self.batches_per_epoch

    def run(self, board: Board, stop: Callable[[], bool]) -> Iterator[Event]:
        """Metrics of every step and ``EpochFinished`` after every epoch, until the last epoch or until ``stop`` says so."""
        state = self.state
        self._finished_at.append(time.monotonic())
        while state.epoch < self._fit.epochs:
            for work, waited in _timed(self._work()):
                if self._ranks.any(stop()):
                    yield from self._told(board)
                    return
                yield from self._step(work, waited)
                if self._device.type == "cpu" or time.monotonic() - self._fetched_at > _FETCH_SECONDS:
                    yield from self._told(board)
            yield from self._told(board)
            state.finish_epoch()
            board.epoch(state.step)
            yield EpochFinished(epoch=state.epoch)

    def _work(self) -> Iterator[Part]:
        work = parts(self._dataset, self._sampler, self.state.epoch, self.state.batch, self._ranks)
        return read_ahead(work, self._device) if self._device.type == "cuda" else work

    def _step(self, work: Part, waited_seconds: float) -> Iterator[Event]:
        self.state.set_rates(self.total_steps)
        values = self.stepper.step(work)
        for sentence in self.stepper.smaller:
            yield Note(level="warning", message=sentence)
        self.stepper.smaller.clear()
        self._finished_at.append(time.monotonic())
        values.known["time/data_fraction"] = min(waited_seconds / (self._finished_at[-1] - self._finished_at[-2]), 1.0)
        self._taken.append(_Taken(self.state.step, self.state.epoch, values))

    def _told(self, board: Board) -> Iterator[Metrics]:
        """The numbers of the steps taken since the last time. One that is not finite ends the fit here."""
        taken, self._taken, self._fetched_at = self._taken, [], time.monotonic()
        if not taken:
            return
        elapsed = self._finished_at[-1] - self._finished_at[0]
        speed = (len(self._finished_at) - 1) / elapsed if elapsed else 0.0
        for one, values in zip(taken, fetched([one.values for one in taken]), strict=True):
            if not self.state.scaler.is_enabled():
                refuse_not_finite(values, one.step)
            board.step(one.step, values)
            yield Metrics(step=one.step, total_steps=self.total_steps, epoch=one.epoch + 1, epochs=self._fit.epochs,
                          steps_per_second=speed, values=values)

    # -- something to look at and to listen to -------------------------------------------------------------------------------

    def preview(self, board: Board) -> None:
        """Mels and audio of the first clip, always the same one, so that saves can be compared."""
        batch = collate([self._dataset[0]]).to(self._device)
        network, config = self.state.voice, self.state.config
        bands = {"sample_rate": config.sample_rate, "n_fft": config.n_fft, "n_mels": config.n_mels}
        with undisturbed(network, self._device, self._fit.seed):
            audio = network.infer(batch.speech)
        original = mel_of(batch.spec, **bands)
        padded = functional.pad(audio[:, 0], (0, max(0, config.n_fft - audio.shape[-1])))
        generated = mel_spectrogram(padded, hop_length=config.hop_length, **bands)
        segment = slice(0, config.segment_frames)
        board.preview(self.state.step, {"all/mel": original[0], "slice/mel_org": original[0, :, segment],
                                        "slice/mel_gen": generated[0, :, segment]}, audio[0, 0], config.sample_rate)


def _timed(work: Iterator[Part]) -> Iterator[tuple[Part, float]]:
    """Each item with the seconds that were waited for it."""
    while True:
        asked = time.monotonic()
        part = next(work, None)
        if part is None:
            return
        yield part, time.monotonic() - asked
