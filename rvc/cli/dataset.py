"""dataset."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from rvc.cli.output import Narrator, print_json

if TYPE_CHECKING:
    from rvc.train.data.report_card import ReportCard


def register(app: App) -> None:
    app.command(dataset)


def dataset(path: Path, /, *, sample_rate: int = 40000, json: bool = False) -> int:
    """Look at recordings before anything is trained on them: minutes, clipping, noise, bandwidth, pitch, and what to choose from it.

    Parameters
    ----------
    path
        A folder of recordings, or one recording.
    sample_rate
        The sample rate of the voice that is planned, in Hz.
    json
        Print one JSON document.
    """
    from rvc.settings import from_flat
    from rvc.train.data.report_card import ReportCard, report_card
    from rvc.train.settings import TrainingSettings

    narrate = Narrator()
    settings = from_flat(TrainingSettings, {"sample_rate": sample_rate}).data
    *_, card = (item for item in report_card(path.expanduser(), settings) if isinstance(item, ReportCard) or narrate(item))
    if json:
        print_json(card.as_dict())
    else:
        print("\n".join(_lines(card)))
    return 0 if card.clips else 1


def _lines(card: "ReportCard") -> Iterator[str]:
    """The card for a terminal: facts first, then what follows from them."""
    yield from (f"{name + ':':<16}{value}" for name, value in card.facts().items())
    yield ""
    yield f"Batch size {card.suggested_batch_size}. {card.batch_size_reason}"
    if card.suggested_sample_rate:
        yield f"Sample rate {card.suggested_sample_rate}. {card.sample_rate_reason}"
    yield from (f"- {one}" for one in card.advice)
    yield from (f"  {name}: {reason}" for name, reason in card.left_out.items())
