"""Stage *preprocess*: recordings become clips, at the voice's sample rate and at 16 kHz.

The order is that of the RVC family: decode, high-pass, loudness of the file, slicing, loudness of the clip, write. No torch.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rvc.errors import DatasetError
from rvc.events import Event, Note
from rvc.paths import storage_error
from rvc.train.data.clips import CLIP_NAME
from rvc.train.data.cutter import ClipFolders, Cut, Cutter
from rvc.train.data.heldout import FEWEST_RECORDINGS, HeldOut, Take
from rvc.train.data.recordings import Recording, Recordings, dataset_fingerprint, some
from rvc.train.data.side_by_side import Reached, side_by_side
from rvc.train.settings import DataSettings

__all__ = ["PreprocessReport", "SpeakerReport", "dataset_fingerprint", "preprocess"]

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

    ``files_used`` counts the recordings that became clips; ``files_left_out`` gives the reason for each that did not, by its name,
    ``clips_left_out`` a count by reason. ``seconds_used`` counts what neighbouring clips share once.
    """

    files_used: int
    files_left_out: dict[str, str]
    clips: int
    clips_left_out: dict[str, int]
    seconds_read: float
    seconds_used: float
    seconds_silent: float
    seconds_left_out: float
    speakers: dict[int, SpeakerReport]
    held_out: dict[str, int]  # recordings that are not trained on, with the number in the names of their clips


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
    results: list[tuple[Recording, Cut]] = []
    reached = Reached("preprocess", found.recordings)
    with closing(side_by_side(found.recordings, Cutter(folders, settings).cut, stop, reached, workers)) as cuts:
        for recording, cut in cuts:
            if cut is None:
                yield reached.progress(recording)
                continue
            results.append((recording, cut))
            if cut.left_out and sum(bool(one.left_out) for _, one in results) <= _NAMED:
                yield Note(level="warning", message=f"{recording.name} is left out: {cut.left_out}")
            yield reached.progress(recording, finished=len(results))
    if len(results) < len(found.recordings):
        return
    held_out = HeldOut.of(_takes(results), settings.held_out_percent)
    report = _report(found, results, held_out)
    if not report.clips:
        raise _nothing_usable(dataset, report)
    yield from _closing_remarks(report)
    yield from _held_out_remarks(report, held_out)
    yield report


def _takes(results: list[tuple[Recording, Cut]]) -> list[Take]:
    return [Take(recording.name, number, recording.speaker_id, cut.seconds_used, cut.longest_clip_seconds, cut.sound)
            for number, (recording, cut) in enumerate(results) if cut.clips]


def _report(found: Recordings, results: list[tuple[Recording, Cut]], held_out: HeldOut) -> PreprocessReport:
    cuts = [cut for _, cut in results]
    rejected: Counter[str] = Counter()
    for cut in cuts:
        rejected.update(cut.rejected)
    speakers = {}
    for speaker_id, name in found.speaker_names.items():
        own = [cut for recording, cut in results if recording.speaker_id == speaker_id]
        speakers[speaker_id] = SpeakerReport(name, sum(cut.clips for cut in own), sum(cut.seconds_used for cut in own))
    return PreprocessReport(
        files_used=sum(cut.left_out is None for cut in cuts),
        files_left_out={recording.name: cut.left_out for recording, cut in results if cut.left_out},
        clips=sum(cut.clips for cut in cuts),
        clips_left_out=dict(rejected),
        seconds_read=sum(cut.seconds_read for cut in cuts),
        seconds_used=sum(cut.seconds_used for cut in cuts),
        seconds_silent=sum(cut.seconds_silent for cut in cuts),
        seconds_left_out=sum(cut.seconds_left_out for cut in cuts),
        speakers=speakers,
        held_out=held_out.takes,
    )


def _remarks(found: Recordings) -> Iterator[Note]:
    """What a person may not expect of how the dataset is read."""
    if len(found.speaker_names) > 1:
        speakers = [f"{number} is {name}" for number, name in found.speaker_names.items()]
        yield Note(message=f"{len(speakers)} speakers, by their folders: {some(speakers, most=12)}.")
    for remark in found.remarks:
        yield Note(level="warning", message=remark)
    if found.other_files:
        yield Note(message=f"Not audio by their names, and not read: {some(found.other_files)}.")


def _closing_remarks(report: PreprocessReport) -> Iterator[Note]:
    if len(report.files_left_out) > _NAMED:
        yield Note(level="warning", message=f"{len(report.files_left_out)} recordings are left out altogether; the report names them all.")
    for reason, count in report.clips_left_out.items():
        yield Note(level="warning", message=f"{count} clips are left out: {reason}.")
    for speaker_id, speaker in report.speakers.items():
        if not speaker.clips:
            yield Note(level="warning", message=f"Speaker {speaker_id} ({speaker.name}) has no usable recording.")


def _held_out_remarks(report: PreprocessReport, held_out: HeldOut) -> Iterator[Note]:
    if held_out.takes:
        yield Note(message=f"Held out, to score the saved epochs by: {some(held_out.takes)}.")
    for speaker_id in held_out.too_few:
        whom = f" of {report.speakers[speaker_id].name}" if len(report.speakers) > 1 else ""
        yield Note(message=f"Nothing is held out{whom}: whole recordings are, of {FEWEST_RECORDINGS} different ones at least. With "
                           f"fewer and longer ones, split them into several files to have the saved epochs scored.")


def _nothing_usable(dataset: Path, report: PreprocessReport) -> DatasetError:
    reasons = tuple(f"{name}: {reason}" for name, reason in report.files_left_out.items())
    return DatasetError(f"Not one clip could be made from {dataset}. {some(reasons)}")


def _refuse_overlap(dataset: Path, folders: ClipFolders) -> None:
    """Clips are removed before new ones are made: a dataset must never be among them, nor read its own clips."""
    source = dataset.resolve()
    for folder in (folders.clips.resolve(), folders.clips_16k.resolve()):
        if source == folder or source in folder.parents or folder in source.parents:
            raise DatasetError(f"The dataset {dataset} and the run's own clips in {folder} lie inside one another.",
                               fix="Move the recordings to a folder of their own.")


def _emptied(folder: Path) -> None:
    """Without the clips of before; whatever else is there stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.wav"):
            if CLIP_NAME.fullmatch(path.stem):
                path.unlink()
    except OSError as error:
        raise storage_error(folder, error) from error
