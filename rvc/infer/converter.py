"""Converting a recording into a voice: any length, in constant memory, as a generator of events.

The steps are RVC's: 16 kHz and high-pass, pitch of the whole, pieces cut at quiet points, content features, index, synthesizer,
loudness. A piece differs from the same stretch of an unsplit conversion only by what the networks see of its surroundings: pitch is
found first, the sine's phase goes on, and noise belongs to its place in the recording.
"""

import difflib
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from rvc import audio
from rvc import device as devices
from rvc.audio import AudioWriter
from rvc.audio_samples import SampleFile
from rvc.audio_writer import FORMATS
from rvc.embedders import registry as embedders
from rvc.embedders.registry import Embedder
from rvc.errors import EmbedderMismatchError, FormatError, SettingsError
from rvc.events import Event, Note, Progress
from rvc.f0 import registry as detectors
from rvc.f0.registry import Detector
from rvc.index.search import Index
from rvc.infer.chain import Chain
from rvc.infer.loaded import Loaded, identity
from rvc.infer.loudness import ceiling_gain, mix_loudness, scaled_blocks
from rvc.infer.outcome import STAGES, Converted
from rvc.infer.pitch import Pitch, detected
from rvc.infer.recording import Recording, decoded
from rvc.infer.segments import FADE_FRAMES, Joiner, pieces
from rvc.infer.settings import ConversionSettings
from rvc.infer.stopwatch import Stopwatch
from rvc.infer.vocoder import in_windows
from rvc.paths import Home
from rvc.voices import VoiceEntry, VoiceLibrary, VoiceModel

__all__ = ["Converted", "Converter"]


@dataclass(frozen=True, eq=False)
class _Job:
    """One conversion: what was asked, and everything loaded for it."""

    source: Path
    output: Path
    entry: VoiceEntry
    voice: VoiceModel
    chain: Chain
    detector: Detector | None
    index_path: Path | None


class Converter:
    """Converts recordings; keeps voice, embedder, detector and index between calls. Conversions of several threads take turns."""

    def __init__(
        self,
        home: Home,
        *,
        load_embedder: Callable[..., Embedder] = embedders.load,
        load_detector: Callable[..., Detector] = detectors.load,
    ) -> None:
        """``load_embedder`` and ``load_detector`` have the signatures of the registries' ``load``."""
        self.home = home
        self.library = VoiceLibrary(home)
        self._load_embedder = load_embedder
        self._load_detector = load_detector
        self._loaded = Loaded()
        self._devices: set[torch.device] = set()
        self._lock = threading.Lock()

    def convert(
        self, source: Path, output: Path, voice: str | Path, settings: ConversionSettings, index: Path | None = None
    ) -> Iterator[Event]:
        """Convert ``source`` into ``voice``: progress, notes, and at last ``Converted``.

        output: its suffix says the format; without one, ``settings.output_format`` is appended.
        voice: the name of a voice or run, or the path of a voice file.
        index: ``None`` takes the one that belongs to the voice; none is used at index_rate 0.

        Closing the generator cancels: nothing is left behind, and an older file at ``output`` is as it was. So it is when an error
        is raised: ``AudioError`` for the recording, ``SettingsError`` for what was asked, ``FormatError`` for damaged files,
        ``MissingAssetError``, ``EmbedderMismatchError``, ``DeviceError``, ``StorageError``.
        """
        watch = Stopwatch(self._lock, STAGES)
        output = destination(Path(source), Path(output), settings)
        with watch("load"):
            info = audio.probe(source)
            job = self._job(Path(source), output, voice, settings, index)
        yield from _speaker_note(job.voice, job.chain.settings.speaker_id)
        with SampleFile(output) as samples, SampleFile(output) as result:
            recording = yield from watch.over("load", decoded(job.source, info, samples))
            n_pieces = yield from _converted(job, recording, result, watch)
            written_rate = yield from watch.over("write", _written(job, recording, result))
        yield _report(job, recording, watch, written_rate, n_pieces)

    def release(self) -> None:
        """Let go of everything loaded, and of the device memory it took."""
        with self._lock:
            self._loaded.clear()
            for device in self._devices:
                devices.release_memory(device)
            self._devices.clear()

    def _job(self, source: Path, output: Path, voice: str | Path, settings: ConversionSettings, index: Path | None) -> _Job:
        entry = self.library.find(voice)
        model = self.library.read(entry)
        settings = settings.model_copy(update={"speaker_id": speaker_of(model, settings)})
        embedder_name = self._embedder_name(model, settings.embedder)
        device = devices.resolve(settings.device)
        self._devices.add(device)
        index_path = (index or entry.index) if settings.index_rate > 0 else None
        chain = Chain(
            synthesizer=self._loaded.get("voice", (identity(entry.path), device), lambda: in_windows(model.synthesizer(device))),
            embedder=self._embedder(embedder_name, model, device),
            index=self._index(index_path, model) if index_path else None,
            settings=settings,
            device=device,
        )
        detector = self._detector(settings.f0_method, device) if model.config.pitch_guidance else None
        return _Job(source, output, entry, model, chain, detector, index_path)

    def _embedder_name(self, voice: VoiceModel, asked: str) -> str:
        """The embedder of the voice. Another one would make noise: it is refused."""
        name = embedders.resolve(voice.embedder, self.home)
        if asked != "auto" and embedders.resolve(asked, self.home) != name:
            raise EmbedderMismatchError(f"{voice.name} was trained with the embedder {voice.embedder}; {asked} was asked for.",
                                        fix="Leave embedder at auto.")
        if name == "builtin" and voice.embedder_content != embedders.content(name):
            raise EmbedderMismatchError(f"{voice.name} was trained with another built-in encoder than this studio has.",
                                        fix=self.home.restoring(voice.path) or "Train it again.")
        return name

    def _embedder(self, name: str, voice: VoiceModel, device: torch.device) -> Embedder:
        version, wanted = voice.config.version, voice.config.content_channels
        key = (name, version, device, identity(self.home.embedders / name))
        embedder = self._loaded.get("embedder", key, lambda: self._load_embedder(name, version, device, self.home))
        if embedder.dim != wanted:
            raise FormatError(f"The embedder {name} makes features {embedder.dim} wide; {voice.name} takes {wanted}.")
        return embedder

    def _detector(self, asked: str, device: torch.device) -> Detector:
        name = detectors.resolve(asked, self.home)
        key = (name, device, identity(self.home.predictors / f"{name}.pt"))
        return self._loaded.get("detector", key, lambda: self._load_detector(name, device, self.home))

    def _index(self, path: Path, voice: VoiceModel) -> Index:
        try:
            index = self._loaded.get("index", (str(path), identity(path)), lambda: Index.load(path))
        except FormatError as error:
            raise FormatError(error.message, fix=self.home.restoring(path) or error.fix) from error
        wanted = voice.config.content_channels
        if index.dim != wanted:
            raise FormatError(f"{path.name} holds vectors {index.dim} wide; {voice.name} has features {wanted} wide.",
                              fix="Choose the index that was made with this voice, or index_rate 0.")
        return index


def destination(source: Path, output: Path, settings: ConversionSettings) -> Path:
    """Where the result goes; a ``SettingsError`` when that cannot be."""
    if output.is_dir():
        raise SettingsError(f"{output} is a folder; the name of a file is needed.")
    suffix = output.suffix[1:].lower()
    if not suffix:
        output = output.with_name(f"{output.name}.{settings.output_format}")
    elif suffix not in FORMATS:
        raise SettingsError(f"{output.name}: .{suffix} cannot be written.", fix=f"Choose one of {', '.join(FORMATS)}.")
    elif "output_format" in settings.model_fields_set and suffix != settings.output_format:
        raise SettingsError(f"{output.name} ends with .{suffix}, and the format {settings.output_format} was asked for.",
                            fix="Leave one of the two away.")
    if output.exists() and source.exists() and output.samefile(source):
        raise SettingsError(f"The result would replace the recording {source.name} itself.", fix="Choose another output.")
    return output


def speaker_of(voice: VoiceModel, settings: ConversionSettings) -> int:
    """The row of the speaker table that ``settings`` ask for. A ``SettingsError`` suggests the nearest name."""
    asked, rows = settings.speaker.strip(), voice.config.n_speakers
    speaker_id = _speaker_named(voice, asked) if asked else settings.speaker_id
    if speaker_id >= rows:
        raise SettingsError(f"{'speaker' if asked else 'speaker_id'} must be between 0 and {rows - 1} for {voice.name}; "
                            f"{speaker_id} is not.")
    return speaker_id


def _speaker_named(voice: VoiceModel, asked: str) -> int:
    """By name as it is written, in whatever case, or by number."""
    names = {name.casefold(): speaker_id for speaker_id, name in reversed(voice.speakers.items())}
    names |= {name: speaker_id for speaker_id, name in voice.speakers.items()}
    if (speaker_id := names.get(asked, names.get(asked.casefold()))) is not None:
        return speaker_id
    if asked.isascii() and asked.isdecimal():
        return int(asked)
    if not voice.speakers:
        raise SettingsError(f"{voice.name} does not say what its speakers are called, so {asked!r} is none of them.",
                            fix="Choose one by its number with speaker_id.")
    close = difflib.get_close_matches(asked.casefold(), names, n=1)
    raise SettingsError(f"{voice.name} has no speaker {asked!r}.",
                        fix=f"Did you mean {voice.speakers[names[close[0]]]!r}?" if close else
                            f"There are {', '.join(voice.speakers.values())}.")


def _speaker_note(voice: VoiceModel, speaker_id: int) -> Iterator[Note]:
    """Base models have rows for more speakers than a run trains: those can be asked for, and are hardly what is wanted."""
    if speaker_id >= voice.n_speakers:
        yield Note(level="warning", message=f"{voice.name} says that it knows {voice.n_speakers} speaker(s), from 0 on: "
                                            f"speaker {speaker_id} was probably not trained.")


def _converted(job: _Job, recording: Recording, result: SampleFile, watch: Stopwatch) -> Generator[Event, None, int]:
    """Fill ``result`` with the recording in the voice, exactly as long as it. Returns the number of pieces."""
    config, settings = job.voice.config, job.chain.settings
    hop, length = config.hop_length, recording.length_at(config.sample_rate)
    n_frames = -(-length // hop)
    pitch = None
    if job.detector is not None:
        track = yield from watch.over("f0", detected(recording, job.detector, n_frames))
        edited = track.shifted(settings.pitch_shift).autotuned(settings.autotune)
        pitch = Pitch.of(edited, hop / config.sample_rate)
    with watch("load"):
        parts = pieces(recording.read, len(recording), n_frames, settings.chunk_seconds)
    joiner = Joiner(FADE_FRAMES * hop)
    for piece in parts:
        samples = job.chain.converted(recording, pitch, piece, n_frames, watch)
        joined = joiner.joined(samples, last=piece is parts[-1])
        result.append(joined[:length - len(result)])
        yield Progress(stage="synthesis", done=max(piece.stop // 100, 1), total=max(n_frames // 100, 1), unit="seconds")
    assert len(result) == length, f"{len(result)} samples made, {length} wanted"
    return len(parts)


def _written(job: _Job, recording: Recording, result: SampleFile) -> Generator[Event, None, int]:
    """Bring the loudness in order and encode. Returns the rate of the file in Hz."""
    rate, settings = job.voice.config.sample_rate, job.chain.settings
    mix_loudness(result, rate, recording, settings.rms_mix_rate)
    gain = ceiling_gain(result, rate)
    with AudioWriter(job.output, rate) as writer:
        if writer.sample_rate != rate:
            yield Note(message=f"{writer.format} cannot hold {rate} Hz: {job.output.name} is written at {writer.sample_rate} Hz.")
        done = 0
        for block in scaled_blocks(result, rate, gain):
            writer.write(block)
            done += len(block)
            yield Progress(stage="write", done=max(done // rate, 1), total=max(len(result) // rate, 1), unit="seconds")
    return writer.sample_rate


def _report(job: _Job, recording: Recording, watch: Stopwatch, written_rate: int, n_pieces: int) -> Converted:
    elapsed = watch.elapsed_seconds
    return Converted(
        source=str(job.source),
        output=str(job.output),
        seconds=recording.seconds,
        sample_rate=written_rate,
        elapsed_seconds=elapsed,
        rtf=elapsed / recording.seconds,
        stage_seconds=dict(watch.seconds),
        pieces=n_pieces,
        voice=job.entry.name,
        speaker_id=job.chain.settings.speaker_id,
        embedder=job.chain.embedder.name,
        f0_method=job.detector.name if job.detector else None,
        index=str(job.index_path) if job.index_path else None,
        device=devices.name_of(job.chain.device),
    )
