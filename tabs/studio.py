"""What every tab receives: the home, and what the library does in it. Nothing here needs torch until something is converted."""

import itertools
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rvc import jobs
from rvc.download.catalog import Catalog
from rvc.errors import DatasetError, RunBusyError
from rvc.events import Event
from rvc.infer.settings import ConversionSettings
from rvc.paths import ASSETS, Home, checked_name
from rvc.settings import from_flat
from rvc.train import new_run, starter
from rvc.train.job_folder import JobFolder
from rvc.train.lab.apply import applied, winner_of
from rvc.train.lab.asked import Asked
from rvc.train.lab.record import LabFolder
from rvc.train.lab.trial import Candidate
from rvc.train.run import Resolved, TrainingRun
from rvc.train.settings import TrainingSettings
from rvc.voices import VoiceLibrary
from tabs import uploads
from tabs.downloads import Downloads
from tabs.tensorboard_server import TensorBoard

if TYPE_CHECKING:
    from rvc.infer.converter import Converter
    from rvc.train.data.report_card import ReportCard
    from rvc.train.make_pretrain import MadePretrain

SAMPLES = ASSETS / "samples"


@dataclass(frozen=True)
class Order:
    """A conversion as it was asked for. ``index`` is ``None`` for the one that belongs to the voice."""

    sources: list[Path]
    voice: str | None
    settings: ConversionSettings
    index: Path | None


class Studio:
    """One per server. Its parts are made when they are first needed."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.catalog = Catalog.load()
        self.downloads = Downloads(home)
        self.tensorboard = TensorBoard(home.logs)
        self._cancelled: set[str] = set()
        self._guard = threading.Lock()

    @cached_property
    def converter(self) -> "Converter":
        """Imports torch: the first use takes seconds."""
        from rvc.infer.converter import Converter

        return Converter(self.home)

    # -- runs --------------------------------------------------------------------------------------------------------------

    def run_names(self) -> list[str]:
        """The one touched last first."""
        return [folder.name for folder in jobs.runs(self.home)]

    def run_to_show(self, remembered: str | None) -> str | None:
        """What a page that opens shows: the run it showed last, else one that is being trained, else the newest."""
        names = self.run_names()
        if remembered in names:
            return remembered
        going = [folder.name for folder in jobs.active(self.home)]
        return next(iter(going + names), None)

    def folder(self, name: str) -> Path:
        return self.home.logs / checked_name(name)

    def run(self, name: str) -> TrainingRun:
        """``RunError`` when there is none of that name."""
        return TrainingRun.open(self.folder(name))

    def train(self, name: str, recordings: Sequence[str], values: dict[str, Any]) -> TrainingRun:
        """Make or change the run ``name`` and start its worker. Uploaded ``recordings`` are kept in the run and are its dataset."""
        folder = self.folder(name)
        settings = from_flat(TrainingSettings, values)
        if jobs.state(folder).active:
            raise RunBusyError(f"{folder.name!r} is being trained already.", fix="Stop it first, or choose another name.")
        if recordings:
            settings = _with_dataset(settings, uploads.keep([Path(one) for one in recordings], folder))
        return self._launched(new_run.create(self.home, name, settings))

    def report(self, recordings: Sequence[str], dataset: str, sample_rate: int) -> Iterator["Event | ReportCard"]:
        """What uploaded ``recordings``, or else those in ``dataset``, are good for: progress, then the card."""
        from rvc.train.data.report_card import report_card

        settings = from_flat(TrainingSettings, {"dataset": dataset, "sample_rate": sample_rate}).data
        if not recordings and not dataset.strip():
            raise DatasetError("There are no recordings to look at.", fix="Drop some, or name a folder.")
        self.home.outputs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.home.outputs, prefix=".report-") as place:
            there = uploads.keep([Path(one) for one in recordings], Path(place)) if recordings else Path(dataset.strip()).expanduser()
            yield from report_card(there, settings)

    def resume(self, name: str) -> TrainingRun:
        return self._launched(self.run(name))

    def _launched(self, run: TrainingRun) -> TrainingRun:
        self._make_room()
        jobs.launch(run)
        return run

    def _make_room(self) -> None:
        """A training wants the memory of the device that an earlier conversion keeps its networks in."""
        if "converter" in vars(self):  # made already
            self.converter.release()

    def stop(self, name: str) -> None:
        _stop(self.run(name))

    def start_lab(self, name: str, asked: Asked) -> None:
        """Compare optimizers on the run ``name``, in place of the lab before."""
        lab = LabFolder.of(self.run(name))
        lab.begin(asked)
        self._make_room()
        jobs.launch_lab(lab.run)

    def resume_lab(self, name: str) -> None:
        lab = LabFolder.of(self.run(name))
        lab.found()
        self._make_room()
        jobs.launch_lab(lab.run)

    def stop_lab(self, name: str) -> None:
        _stop(LabFolder.of(self.run(name)))

    def use_winner(self, name: str) -> tuple[TrainingRun, Candidate]:
        """What the lab of the run ``name`` found becomes its setting."""
        run = self.run(name)
        winner = winner_of(LabFolder.of(run).found())
        return applied(run, self.home, winner), winner

    def new_settings(self, given: Mapping[str, Any] | None = None) -> TrainingSettings:
        """Of a new run of which ``given`` was said, by flat name."""
        return starter.settings_for(self.home, given or {})

    def resolved(self, name: str, settings: TrainingSettings) -> Resolved:
        """What *auto* means here and now; for a run that exists, what it meant when the run was made."""
        if not name.strip() or not (self.folder(name) / "run.json").exists():
            return new_run.settled(settings, self.home)
        return new_run.settled(settings, self.home, TrainingRun.begun(self.folder(name))).keeping(self.run(name).resolved, settings)

    def make_pretrain(self, run: str, name: str) -> "MadePretrain":
        """Of the newest checkpoint of ``run``; an empty name is the run's."""
        from rvc.train.make_pretrain import make_pretrain

        found = self.run(run)
        return make_pretrain(found, self.home, name.strip() or found.name)

    # -- conversions -------------------------------------------------------------------------------------------------------

    def convert(self, order: Order) -> Iterator[Event]:
        """What happens while ``order`` is carried out. Results lie in ``outputs``, and none replaces an earlier one."""
        from rvc.infer.batch import convert_many

        voice = VoiceLibrary(self.home).find(order.voice or "")
        place = self._free_place(order, voice.path.stem)
        yield from convert_many(self.converter, order.sources, place, voice.name, order.settings, order.index)

    def _free_place(self, order: Order, voice: str) -> Path:
        """A file for one result, a folder for several."""
        one = len(order.sources) == 1
        stem = f"{order.sources[0].stem[:60] if one else 'files'}_{voice}"
        suffix = f".{order.settings.output_format}" if one else ""
        names = (f"{stem}{f'_{number}' if number > 1 else ''}{suffix}" for number in itertools.count(1))
        return next(path for path in map(self.home.outputs.joinpath, names) if not path.exists())

    def cancel(self, session: str) -> None:
        """``session`` wants no more of its conversion."""
        with self._guard:
            self._cancelled.add(session)

    def take_cancellation(self, session: str) -> bool:
        """Whether ``session`` cancelled since the last time this was asked."""
        with self._guard:
            asked = session in self._cancelled
            self._cancelled.discard(session)
            return asked


def _stop(job: JobFolder) -> None:
    """Ask politely; when that was done already, end it."""
    if job.stop_file.exists():
        jobs.stop(job.folder, wait_seconds=0, kill=True)
    else:
        jobs.stop(job.folder)


def _with_dataset(settings: TrainingSettings, dataset: Path) -> TrainingSettings:
    return settings.model_copy(update={"data": settings.data.model_copy(update={"dataset": str(dataset)})})
