"""What a lab found so far, in ``lab/lab.json`` of the run: written whole after every trial, so that it can go on from there. No torch here.

    {"format": 1, "asked": {"optimizers": [...], "steps": 2000, "seeds": 3, "factors": [0.3, 1.0, 3.0]},
     "beginning": "5f2c...",       what its trials depend on, as a fingerprint: another one, and they cannot be put together
     "before": 1.873,              mel distance of the held-out clips before any step
     "device": "CPU", "seconds": 312.0,                     of all trials, scoring included
     "weights": 55000000,          of both networks
     "rounds": [[{"candidate": {...}, "seed": 0, "steps": 30, "curve": [...], ...}, ...], ...]}
"""

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rvc.errors import FormatError, RunError
from rvc.paths import write_text_whole
from rvc.train.job_folder import JobFolder
from rvc.train.lab import halving
from rvc.train.lab.asked import Asked
from rvc.train.lab.ranking import Standing, Verdict, standings, verdict
from rvc.train.lab.ready import refuse_unready
from rvc.train.lab.trial import Candidate, Trial, number
from rvc.train.run import TrainingRun

FORMAT = 1


@dataclass(frozen=True)
class LabFolder(JobFolder):
    """``lab`` in a run's folder: a job of its own, with its own events and its own worker, beside the training's."""

    run: TrainingRun

    @classmethod
    def of(cls, run: TrainingRun) -> "LabFolder":
        return cls(run.lab, run)

    @property
    def path(self) -> Path:
        return self.folder / "lab.json"

    def begin(self, asked: Asked) -> None:
        """A new lab in place of the one before, if there was one. ``RunBusyError`` while somebody works on the run, ``RunError`` or
        ``TrainingError`` when nothing can be compared on it: then the one before stays."""
        self.run.refuse_if_busy()
        refuse_unready(self.run)
        self.write(Record(asked))

    def write(self, record: "Record") -> None:
        write_text_whole(self.path, json.dumps(record.as_json(), allow_nan=False) + "\n")

    def record(self) -> "Record | None":
        """``None`` before the first lab; ``FormatError`` when the file is damaged."""
        if not self.path.exists():
            return None
        try:
            return Record.from_json(json.loads(self.path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FormatError(f"The results of the lab, {self.path}, are damaged: {type(error).__name__}, {error}.",
                              fix="Start the lab anew; they are then written again.") from error

    def found(self) -> "Record":
        """As ``record``; ``RunError`` when there was no lab."""
        record = self.record()
        if record is None:
            raise RunError(f"There was no optimizer lab in {self.run.name!r} yet.", fix="Start one: `python -m rvc lab` with its name.")
        return record


@dataclass(frozen=True)
class Record:
    """``rounds``: the trials of each that has begun."""

    asked: Asked
    beginning: str = ""
    before: float = 0.0
    device: str = ""
    weights: int = 0
    seconds: float = 0.0
    rounds: tuple[tuple[Trial, ...], ...] = ()

    # -- how far it is -----------------------------------------------------------------------------------------------------------

    def of(self, place: int) -> tuple[Trial, ...]:
        """The trials of round ``place``."""
        return self.rounds[place] if place < len(self.rounds) else ()

    def survivors(self, place: int) -> list[Candidate]:
        """Who goes on from the finished round ``place``, best first."""
        return halving.survivors(self.of(place), self.asked.rounds[place], self.asked.rounds[place + 1])

    def planned(self, place: int) -> int:
        """How many trials round ``place`` has; fewer than its plan says where candidates broke before."""
        plan = self.asked.rounds[place]
        count = len(self.survivors(place - 1)) if place and self.finished(place - 1) else plan.candidates
        return count * len(plan.seeds)

    def finished(self, place: int) -> bool:
        return (place == 0 or self.finished(place - 1)) and len(self.of(place)) == self.planned(place)

    @property
    def complete(self) -> bool:
        return self.finished(len(self.asked.rounds) - 1)

    @property
    def steps_done(self) -> int:
        return sum(one.steps for trials in self.rounds for one in trials)

    @property
    def steps_planned(self) -> int:
        """Of the whole lab, as far as it is known by now."""
        return sum(self.planned(place) * plan.steps for place, plan in enumerate(self.asked.rounds))

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; ``None`` before the first trial."""
        return self.seconds / self.steps_done * (self.steps_planned - self.steps_done) if self.steps_done else None

    def after(self, place: int, trial: Trial, seconds: float) -> "Record":
        """With one trial more."""
        rounds = [*self.rounds, *[()] * (place + 1 - len(self.rounds))]
        rounds[place] = (*rounds[place], trial)
        return replace(self, rounds=tuple(rounds), seconds=self.seconds + seconds)

    # -- what it says ------------------------------------------------------------------------------------------------------------

    @property
    def standings(self) -> list[Standing]:
        """The finalists, nearest first; empty before the last round is finished, or when nobody got there."""
        last = self.of(len(self.asked.rounds) - 1)
        return standings(last) if self.complete and last else []

    @property
    def verdict(self) -> Verdict | None:
        """``None`` before the lab is finished."""
        return verdict(self.standings, self.before) if self.complete else None

    def others(self) -> list[tuple[int, Trial]]:
        """Names that are not among the standings: how far each came, as the place of a round, and its best trial there; those that came
        farthest first."""
        farthest: dict[str, tuple[int, Trial]] = {}
        for place, trials in enumerate(self.rounds):
            for one in sorted(trials, key=_nearness, reverse=True):  # the best one last: it stays
                farthest[one.candidate.optimizer] = place, one
        placed = {one.candidate.optimizer for one in self.standings}
        return sorted((one for name, one in farthest.items() if name not in placed), key=lambda one: (-one[0], _nearness(one[1])))

    @property
    def failures(self) -> list[str]:
        """In sentences, each candidate's first."""
        broke = {one.candidate.title: one.failure for trials in reversed(self.rounds) for one in reversed(trials) if one.failure}
        return [f"{title}: {failure}" for title, failure in broke.items()]

    # -- the file ----------------------------------------------------------------------------------------------------------------

    def as_json(self) -> dict:
        return {"format": FORMAT, **asdict(self), "rounds": [[one.as_json() for one in trials] for trials in self.rounds]}

    @classmethod
    def from_json(cls, content: dict) -> "Record":
        """``ValueError``, ``KeyError`` or ``TypeError`` for what is none."""
        values = dict(content)
        if values.pop("format") != FORMAT:
            raise ValueError("it is of another version of the studio")
        asked = values["asked"]
        asked = Asked(tuple(map(str, asked["optimizers"])), *(int(number(asked[name])) for name in ("steps", "seeds")),
                      tuple(float(number(one)) for one in asked["factors"]))
        rounds = tuple(tuple(Trial.from_json(one) for one in trials) for trials in values["rounds"])
        if len(rounds) > len(asked.rounds):
            raise ValueError("it holds more rounds than were asked for")
        numbers = {name: number(values[name]) for name in ("before", "weights", "seconds")}
        return cls(**{**values, **numbers, "asked": asked, "rounds": rounds})


def _nearness(trial: Trial) -> float:
    """What broke is farthest."""
    return math.inf if trial.failure else trial.held_out
