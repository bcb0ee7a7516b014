"""Many recordings into one voice: what fails is reported, and the rest goes on."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rvc.audio import EXTENSIONS
from rvc.errors import AudioError, SettingsError, StorageError
from rvc.events import Event, Progress
from rvc.infer.converter import Converter
from rvc.infer.outcome import BatchEnded, Failed
from rvc.infer.settings import ConversionSettings

__all__ = ["BatchEnded", "Failed", "convert_many"]


def convert_many(
    converter: Converter,
    sources: Sequence[Path],
    output: Path,
    voice: str | Path,
    settings: ConversionSettings,
    index: Path | None = None,
) -> Iterator[Event]:
    """Convert every one of ``sources``: their events, ``Converted`` or ``Failed`` for each, and at last ``BatchEnded``.

    sources: recordings, and folders of recordings.
    output: a folder, in which results are called ``<stem>_<voice>.<format>``; for a single recording also a file.

    A recording that cannot be read and a result that cannot be written fail alone. What concerns all of them (no such voice,
    missing weights, a setting out of range) is raised.
    """
    jobs = _outputs([Path(one) for one in sources], Path(output), voice, settings)
    n_failed = 0
    for done, (source, target) in enumerate(jobs):
        yield Progress(stage="convert", done=done, total=len(jobs), unit="files", message=source.name)
        try:
            yield from converter.convert(source, target, voice, settings, index)
        except (AudioError, StorageError) as error:
            n_failed += 1
            yield Failed(source=str(source), message=error.message, fix=error.fix)
    yield BatchEnded(converted=len(jobs) - n_failed, failed=n_failed)


def _outputs(sources: list[Path], output: Path, voice: str | Path, settings: ConversionSettings) -> list[tuple[Path, Path]]:
    """Each recording with a file of its own for its result; no result has the name of a recording."""
    recordings = [one for source in sources for one in (_recordings(source) if source.is_dir() else [source])]
    if not recordings:
        raise SettingsError("There is nothing to convert: no recording was given.")
    single = len(recordings) == 1 and not any(source.is_dir() for source in sources)
    if single and output.suffix and not output.is_dir():
        return [(recordings[0], output)]
    if output.is_file():
        raise SettingsError(f"{output} is a file; {len(recordings)} results need a folder.")
    voice_name = Path(voice).name.removesuffix(".pth")
    taken = {_same(recording) for recording in recordings}
    jobs = []
    for recording in recordings:
        target = _free(output, f"{recording.stem}_{voice_name}", settings.output_format, taken)
        taken.add(_same(target))
        jobs.append((recording, target))
    return jobs


def _recordings(folder: Path) -> list[Path]:
    found = sorted(one for one in folder.iterdir() if one.suffix.lower() in EXTENSIONS and not one.name.startswith("."))
    if not found:
        raise SettingsError(f"There are no recordings in {folder}.")
    return found


def _free(folder: Path, stem: str, suffix: str, taken: set[str]) -> Path:
    """``stem``, or ``stem_2`` and so on when another recording of the same batch has that name."""
    path, number = folder / f"{stem}.{suffix}", 1
    while _same(path) in taken:
        number += 1
        path = folder / f"{stem}_{number}.{suffix}"
    return path


def _same(path: Path) -> str:
    """Equal for paths that are one file, also on systems that do not distinguish case."""
    return str(path.resolve()).casefold()
