"""Seconds per stage of work that is done a step at a time."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rvc.events import Event

R = TypeVar("R")


class Stopwatch:
    """Measures stages; a step holds ``lock`` while it works, and nothing is held or measured between steps."""

    def __init__(self, lock: threading.Lock, stages: tuple[str, ...]) -> None:
        self.seconds = dict.fromkeys(stages, 0.0)
        self._lock = lock
        self._started = time.perf_counter()

    @property
    def elapsed_seconds(self) -> float:
        return time.perf_counter() - self._started

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """One step of ``stage``."""
        with self._lock:
            started = time.perf_counter()
            try:
                yield
            finally:
                self.seconds[stage] += time.perf_counter() - started

    def over(self, stage: str, work: Generator[Event, None, R]) -> Generator[Event, None, R]:
        """The events of ``work``, whose steps belong to ``stage``, and what it returns."""
        try:
            while True:
                with self(stage):
                    try:
                        event = next(work)
                    except StopIteration as end:
                        return end.value
                yield event
        finally:
            work.close()
