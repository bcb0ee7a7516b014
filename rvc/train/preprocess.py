"""Stage *preprocess*: recordings become clips, at the voice's sample rate and at 16 kHz.

The order is that of the RVC family: decode, high-pass, loudness of the file, slicing, loudness of the clip, write. No torch.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag

from rvc.errors import DatasetError
from rvc.events import Event, Note, Progress
from rvc.train.clips import CLIP_NAME
from rvc.train.cutter import Cancelled, ClipFolders, Cut, Cutter
from rvc.train.recordings import Recording, Recordings, dataset_fingerprint
from rvc.train.settings import DataSettings

__all__ = ["PreprocessReport", "SpeakerReport", "dataset_fingerprint", "preprocess"]

_MOST_WORKERS = 4  # threads: decoding, filtering and resampling happen outside the interpreter's lock
_ASK_SECONDS = 0.2  # how often ``stop`` is asked while recordings are being cut
_NAMED = 20  # how many recordings that are left out get a warning of their own


@dataclass(frozen=True)
class SpeakerReport:
    """What there is of a speaker. ``seconds`` are those of the recordings that ended in clips."""

    name: str
    clips: int
    seconds: float


@dataclass(frozen=True)
class PreprocessReport:
    """What became of a dataset: ``seconds_read = seconds_used + seconds_silent + seconds_left_out``.

    ``files_left_out`` gives a reason by name of a recording that became no clip, ``clips_left_out`` a count by reason.
    ``seconds_used`` counts what neighbouring clips share once.
    """

    files_read: int
    files_left_out: dict[str, str]
    clips: int
    clips_left_out: dict[str, int]
    seconds_read: float
    seconds_used: float
    seconds_silent: float
    seconds_left_out: float
    speakers: dict[int, SpeakerReport]


def preprocess(
    dataset: Path,
    clips: Path,
    clips_16k: Path,
    settings: DataSettings,
    stop: Callable[[], bool],
    *,
    workers: int | None = None,
) -> Iterator[Event | PreprocessReport]:
    """Cut the recordings of ``dataset`` into ``<speaker>_<recording>_<clip>.wav`` in both folders, replacing the clips of before.

    Yields progress and notes, then the report as the last item; ends early, without a report, when ``stop`` says so. The result
    does not depend on ``workers`` (``None``: as many threads as the machine has use for). ``DatasetError`` when there is nothing
    to cut or nothing usable, and before anything is removed when the folders overlap; ``StorageError`` when the disk refuses.
    """
    found = Recordings.find(dataset)
    folders = ClipFolders(clips, clips_16k)
    _refuse_overlap(dataset, folders)
    for folder in (clips, clips_16k):
        _emptied(folder)
    yield from _remarks(found)
    tally = _Tally(found)
    for done, (recording, cut) in enumerate(_cuts(found.recordings, Cutter(folders, settings), stop, workers or _workers()), start=1):
        if note := tally.take(recording, cut):
            yield note
        yield Progress(stage="preprocess", done=done, total=len(found.recordings), message=recording.name)
    if len(tally.cuts) < len(found.recordings):
        return
    report = tally.report()
    if not report.clips:
        raise _nothing_usable(dataset, report)
    yield from _closing_remarks(report)
    yield report


def _cuts(recordings: tuple[Recording, ...], cutter: Cutter, stop: Callable[[], bool], workers: int) -> Iterator[tuple[Recording, Cut]]:
    """Each recording with what became of it, in order. At most two recordings a worker are begun ahead."""
    cancelled = Flag()
    waiting: deque[tuple[Recording, Future[Cut]]] = deque()
    numbered = enumerate(recordings)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="preprocess")
    try:
        while True:
            while len(waiting) < 2 * workers and (following := next(numbered, None)):
                number, recording = following
                waiting.append((recording, pool.submit(cutter.cut, recording, number, cancelled.is_set)))
            if not waiting:
                return
            recording, future = waiting.popleft()
            while not wait([future], timeout=_ASK_SECONDS).done:
                if stop():
                    return
            yield recording, future.result()
            if stop():
                return
    except Cancelled:
        raise AssertionError("nothing is cancelled before the end") from None
    finally:  # also when the caller closes the generator
        cancelled.set()
        pool.shutdown(cancel_futures=True)
