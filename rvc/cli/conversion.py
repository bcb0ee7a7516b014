"""convert, voices, inspect."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from rvc.cli.flags import flags, settings_from
from rvc.cli.output import Narrator, print_json, print_table
from rvc.infer.settings import ConversionSettings
from rvc.paths import Home

_Flags = Annotated[flags(ConversionSettings) | None, Parameter(name="*", show_default=False)]


def register(app: App) -> None:
    for command in (convert, voices, inspect):
        app.command(command)


def convert(
    *sources: Annotated[Path, Parameter(name="SRC")],
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    voice: str,
    index: Path | None = None,
    settings: _Flags = None,
    json: bool = False,
) -> int:
    """Convert recordings into a voice.

    Parameters
    ----------
    sources
        Audio files.
    output
        The file to write; for several sources a folder.
    voice
        Name of a run or voice as `voices` lists them, or the path of a .pth file.
    index
        Index file; by default the one that lies beside the voice.
    json
        Print one JSON document: real-time factor and seconds per stage.
    """
    asked = settings_from(ConversionSettings, settings)
    if not sources:
        print("No recording was given. See --help.", file=sys.stderr)
        return 2
    from rvc.infer.batch import Failed, convert_many
    from rvc.infer.converter import Converted, Converter

    narrate, done, failed = Narrator(), [], []
    for event in convert_many(Converter(Home.here()), list(sources), output, voice, asked, index):
        match event:
            case Converted():
                done.append(event)
                print(f"{event.output}: {event.seconds:.2f} s of audio in {event.elapsed_seconds:.2f} s "
                      f"(real-time factor {event.rtf:.2f}).", file=sys.stderr)
            case Failed():
                failed.append(event)
                print(f"{event.source}: {event.message} {event.fix or ''}".rstrip(), file=sys.stderr)
            case _:
                narrate(event)
    if json:
        print_json(_totals(done, failed))
    return 1 if failed else 0


def voices(*, json: bool = False) -> int:
    """List the voices in logs/ and those that come with Timbre, each with its index.

    Parameters
    ----------
    json
        Print one JSON document, with what each file says about itself.
    """
    from rvc.voices import VoiceLibrary

    library = VoiceLibrary(Home.here())
    if json:
        print_json([_described(library, entry) for entry in library.entries()])
        return 0
    print_table([("VOICE", "FILE", "INDEX", "FROM")] + [
        (entry.name, entry.path.name, entry.index.name if entry.index else "–", "Timbre" if entry.bundled else "logs")
        for entry in library.entries()])
    for error in library.lost().values():
        print(f"Warning: {error}", file=sys.stderr)
    return 0


def inspect(file: Path, /, *, json: bool = False) -> int:
    """Say what a .pth or .index file is.

    Parameters
    ----------
    file
        A voice, a G_/D_ checkpoint or an index.
    json
        Print one JSON document.
    """
    from rvc.inspection import inspected

    facts = inspected(file)
    if json:
        print_json(facts)
    else:
        print_table([(name, str(value)) for name, value in facts.items()])
    return 0


def _described(library: Any, entry: Any) -> dict[str, Any]:
    """One damaged file must not hide the others: it is listed with what is wrong with it."""
    from rvc.errors import RvcError

    listed = {"name": entry.name, "path": entry.path, "index": entry.index, "bundled": entry.bundled}
    try:
        return {**listed, **library.read(entry).as_dict(), "error": None}
    except RvcError as error:
        return {**listed, "error": str(error)}


def _totals(done: list[Any], failed: list[Any]) -> dict[str, Any]:
    """The files one by one, and their sums at the top."""
    seconds, elapsed = sum(one.seconds for one in done), sum(one.elapsed_seconds for one in done)
    stages: dict[str, float] = {}
    for one in done:
        for stage, spent in one.stage_seconds.items():
            stages[stage] = stages.get(stage, 0.0) + spent
    return {"converted": len(done), "failed": len(failed), "seconds": seconds, "elapsed_seconds": elapsed,
            "rtf": elapsed / seconds if seconds else None, "stage_seconds": stages, "results": done,
            "failures": [{"source": one.source, "message": one.message, "fix": one.fix} for one in failed]}
