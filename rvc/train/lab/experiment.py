"""The work of a lab, in its worker: the data is prepared if it is not yet, and then trial after trial is made and written down."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rvc import device as devices
from rvc.errors import RunError
from rvc.events import Ended, Event, Note, Progress, Stage
from rvc.paths import Home
from rvc.train.lab.bench import Bench
from rvc.train.lab.halving import Round
from rvc.train.lab.record import LabFolder, Record
from rvc.train.lab.trial import Candidate, Trial
from rvc.train.run import TrainingRun, fingerprint
from rvc.train.stages import NOT_LEARNT_FROM, Plan, run_stages

STAGE = "lab"
TELL_SECONDS = 0.5  # how often it is said how far it is
_NOT_TRIED = NOT_LEARNT_FROM | {"epochs", "save_every_epochs"}


@dataclass
class Experiment:
    """``stop`` is asked after every step; a trial that was not finished then is made again by the next worker."""

    run: TrainingRun
    home: Home
    stop: Callable[[], bool]

    def events(self) -> Iterator[Event]:
        """What happens; the last event is ``Ended``. Failures of candidates are results; others are raised."""
        for event in run_stages(self.run, self.home, self.stop, until="fit"):
            if isinstance(event, Ended):
                if event.outcome == "stopped":
                    yield event
                    return
                continue
            yield event
        yield Stage(stage=STAGE, status="started")
        for item in Bench.of(self.run, self.home, anew=self._data_changed()):
            if isinstance(item, Bench):
                bench = item
            else:
                yield item
        yield Note(message=f"Comparing on {devices.name_of(bench.device)} in {bench.precision.name}: {len(bench.clips)} clips to learn "
                           f"from, {len(bench.held_out)} to be judged by.")
        yield from self._compared(bench)

    def _compared(self, bench: Bench) -> Iterator[Event]:
        lab = LabFolder.of(self.run)
        record = self._taken_up(lab, bench)
        while not record.complete:
            place = next(place for place in range(len(record.asked.rounds)) if not record.finished(place))
            candidate, seed = self._next(bench, record, place)
            began = time.monotonic()
            trial = None
            for item in self._tried(bench, record, place, candidate, seed):
                if isinstance(item, Trial):
                    trial = item
                else:
                    yield item
            if trial is None:
                where = f"round {place + 1} of {len(record.asked.rounds)}"
                yield Ended(outcome="stopped", message=f"Stopped in {where}. What was found so far is kept, and Resume goes on from there.")
                return
            record = record.after(place, trial, time.monotonic() - began)
            lab.write(record)
            if trial.failure:
                yield Note(level="warning", message=f"{candidate.title} broke: {trial.failure}")
        yield Stage(stage=STAGE, status="finished")
        yield Ended(outcome="finished", message=record.verdict.sentence)

    def _taken_up(self, lab: LabFolder, bench: Bench) -> Record:
        """What an earlier worker of this lab left; ``RunError`` when the run is another one by now."""
        record, mark = lab.found(), self._mark(bench)
        if record.rounds and record.beginning != mark:
            raise RunError(f"{self.run.name!r} has changed since this lab began: what is tried now cannot be compared with what was.",
                           fix="Start the lab anew.")
        return replace(record, beginning=mark, before=bench.before, device=devices.name_of(bench.device), weights=bench.parameters())

    def _mark(self, bench: Bench) -> str:
        """Of what the trials of this lab depend on besides their candidates."""
        begin = bench.weights.step if bench.weights else 0
        fit = self.run.settings.fit.model_dump(exclude=_NOT_TRIED)
        return fingerprint(Plan.of(self.run).extract, self.run.resolved.base_model, begin, fit, self.run.settings.model.model_dump())

    def _data_changed(self) -> bool:
        """Whether the run's checkpoints are of other data than it has now: its fit would put them aside and begin anew."""
        begun = self.run.records().get("fit_data")
        return bool(begun and begun.fingerprint != Plan.of(self.run).extract)

    def _next(self, bench: Bench, record: Record, place: int) -> tuple[Candidate, int]:
        """The first candidate and seed of round ``place`` that is not there yet."""
        candidates = record.survivors(place - 1) if place else self._all(bench, record)
        made = {(one.candidate, one.seed) for one in record.of(place)}
        return next((candidate, seed) for seed in record.asked.rounds[place].seeds for candidate in candidates
                    if (candidate, seed) not in made)

    def _all(self, bench: Bench, record: Record) -> list[Candidate]:
        factors = record.asked.factors if record.asked.rounds[0].kind == "rates" else (1.0,)
        return [bench.candidate(name, factor) for name in record.asked.optimizers for factor in factors]

    def _tried(self, bench: Bench, record: Record, place: int, candidate: Candidate, seed: int) -> Iterator[Event | Trial]:
        """Progress, then the trial; without it when somebody wants to stop."""
        plan = record.asked.rounds[place]
        told_at = -TELL_SECONDS
        for item in bench.trial(candidate, seed, plan.steps, plan.points):
            if isinstance(item, Trial):
                yield item
                return
            if self.stop():
                return
            if time.monotonic() - told_at >= TELL_SECONDS:
                told_at = time.monotonic()
                yield Progress(stage=STAGE, done=record.steps_done + item, total=record.steps_planned, unit="steps",
                               message=_under_way(record, place, plan, candidate, seed))


def _under_way(record: Record, place: int, plan: Round, candidate: Candidate, seed: int) -> str:
    which = f", seed {plan.seeds.index(seed) + 1} of {len(plan.seeds)}" if len(plan.seeds) > 1 else ""
    return f"round {place + 1} of {len(record.asked.rounds)}: {candidate.title}{which}"
