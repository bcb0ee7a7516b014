"""Working on the recordings of a dataset in several threads, in order, with progress and a way out."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event as Flag
from typing import TypeVar

from rvc.audio import quick_seconds
from rvc.events import Progress
from rvc.train.data.recordings import Recording

MOST_WORKERS = 4  # threads: decoding, filtering and resampling happen outside the interpreter's lock
ASK_SECONDS = 0.2  # how often ``stop`` is asked while recordings are worked on
TELL_SECONDS = 1.0  # how often progress within a long recording is told

Result = TypeVar("Result")


class Cancelled(Exception):
    """Nobody waits any more for what a thread is working on."""


class Reached:
    """How far a stage is, in seconds of sound. Workers tell it; recordings whose length is not known beforehand count nothing."""

    def __init__(self, stage: str, recordings: Sequence[Recording]) -> None:
        self.seconds = [quick_seconds(one.path) for one in recordings]
        self._stage = stage
        self._done = [0.0] * len(recordings)
        self._finished = 0
        self.cancelled = Flag()

    def tell(self, number: int, seconds: float) -> None:
        """Of the ``number``-th recording so many seconds are done. ``Cancelled`` is raised in the worker that tells it."""
        if self.cancelled.is_set():
            raise Cancelled
        self._done[number] = min(seconds, self.seconds[number])

    def progress(self, recording: Recording, finished: int | None = None) -> Progress:
        """``finished`` recordings are done with: whatever of them was not told counts as told."""
        self._finished = finished or self._finished
        total, done = sum(self.seconds), sum(self.seconds[: self._finished]) + sum(self._done[self._finished :])
        if not round(total):
            return Progress(stage=self._stage, done=self._finished, total=len(self.seconds), message=recording.name)
        return Progress(stage=self._stage, done=round(done), total=round(total), unit="seconds", message=recording.name)


def side_by_side(
    recordings: Sequence[Recording],
    work: Callable[[Recording, int, Callable[[float], None]], Result],
    stop: Callable[[], bool],
    reached: Reached,
    workers: int | None = None,
) -> Iterator[tuple[Recording, Result | None]]:
    """Each recording with what ``work`` made of it, in order; with ``None`` about once a second while it is waited for.

    ``work`` gets the recording, its number, and whom to tell how many seconds are done. At most two recordings a worker are begun
    ahead; ``workers`` ``None`` takes as many as the machine has use for. Ends early when ``stop`` says so, or when it is closed.
    """
    workers = workers or min(os.cpu_count() or 1, MOST_WORKERS)
    waiting: deque[tuple[Recording, Future[Result]]] = deque()
    numbered = enumerate(recordings)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="recordings")
    try:
        while True:
            while len(waiting) < 2 * workers and (following := next(numbered, None)):
                number, recording = following
                waiting.append((recording, pool.submit(work, recording, number, partial(reached.tell, number))))
            if not waiting:
                return
            recording, future = waiting.popleft()
            told_at = time.monotonic()
            while not wait([future], timeout=ASK_SECONDS).done:
                if stop():
                    return
                if time.monotonic() - told_at >= TELL_SECONDS:
                    told_at = time.monotonic()
                    yield recording, None
            yield recording, future.result()
            if stop():
                return
    finally:
        reached.cancelled.set()
        pool.shutdown(cancel_futures=True)
