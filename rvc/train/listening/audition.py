"""One clip that every saved epoch is heard with: of the user's choice, else a held-out one, else one that is trained on.

A clip of the user's choice is decoded and listened to once, before the first step, and kept in ``eval/audition.npz``; a resumed run
needs neither the embedder nor the pitch detector again, nor the file. Clips of the run have their pitch and content already.
The voice is asked directly: no index, no pieces, so that what is heard is the network of that epoch and nothing else.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rvc import audio
from rvc import device as devices
from rvc.audio import Audio
from rvc.embedders import registry as embedders
from rvc.errors import AudioError
from rvc.events import Event, Note, Saved
from rvc.f0 import registry as f0
from rvc.f0.detector import HOP, SAMPLE_RATE, SILENCE_PEAK
from rvc.f0.track import F0Track
from rvc.models.config import ModelConfig
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer
from rvc.paths import Home, written_whole
from rvc.train.data.clips import Clip, ClipList
from rvc.train.fitting.dataset import ClipDataset
from rvc.train.fitting.undisturbed import not_fatal, own_randomness, undisturbed
from rvc.train.listening.evaluation import beginning
from rvc.train.listening.scores import stem
from rvc.train.run import TrainingRun, fingerprint

MOST_SECONDS = 20.0
FEWEST_SECONDS = 0.5  # less is over before one has listened
_FIX = "Choose another clip to listen to, or none: a clip of the recordings is then taken."


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip as a voice sees it. ``content``: float32 [T, C], 100 frames a second; ``track``: T frames, ``None`` without pitch guidance."""

    content: np.ndarray
    track: F0Track | None


class Audition:
    """Made once per fit; ``at`` is called at every save, when the checkpoint is on disk."""

    def __init__(self, run: TrainingRun, device: torch.device, heard: Heard, speaker_id: int) -> None:
        self._run, self._device, self._speaker_id = run, device, speaker_id
        shift = run.settings.fit.audition_pitch_shift
        self._heard = Heard(heard.content, heard.track.shifted(shift) if heard.track else None)

    @classmethod
    def of(cls, run: TrainingRun, home: Home, config: ModelConfig, device: torch.device) -> "Audition":
        """``AudioError`` when the clip of the user's choice is missing, not audio, too short or silent."""
        if asked := run.settings.fit.audition:
            own = OwnClip(run, home, config, device, Path(asked))
            return cls(run, device, own.heard(), ClipList.read(run.filelist).speaker_ids[0])
        clip = _clip_of(run)
        batch = beginning(ClipDataset(run, config, [clip])[0], MOST_SECONDS)
        track = None if batch.f0_hz is None else F0Track(batch.f0_hz[0].numpy())
        return cls(run, device, Heard(batch.content[0].numpy(), track), clip.speaker_id)

    @property
    def seconds(self) -> float:
        return len(self._heard.content) * HOP / SAMPLE_RATE

    def at(self, synthesizer: Synthesizer, epoch: int, step: int) -> Iterator[Event]:
        """Write ``eval/<epoch>e_<step>s.flac`` with the voice of ``synthesizer``, which is not disturbed. Any failure is a warning."""
        yield from not_fatal(self._events(synthesizer, epoch, step), f"The clip to listen to of epoch {epoch}")

    def _events(self, synthesizer: Synthesizer, epoch: int, step: int) -> Iterator[Event]:
        with undisturbed(synthesizer, self._device, self._run.settings.fit.seed):
            samples = synthesizer.infer(self._speech())[0, 0].cpu().numpy()
        if not np.isfinite(samples).all():
            yield Note(level="warning", message=f"Epoch {epoch} makes no sound of the clip to listen to: its samples are not numbers.")
            return
        path = self._run.eval / f"{stem(epoch, step)}.flac"
        audio.save(path, Audio(samples, synthesizer.config.sample_rate))
        yield Saved(what="audition", path=f"{path.parent.name}/{path.name}", epoch=epoch, step=step)

    def _speech(self) -> Speech:
        content, track = self._heard.content, self._heard.track
        return Speech(
            content=self._tensor(content),
            lengths=torch.tensor([len(content)], device=self._device),
            coarse=self._tensor(track.coarse()) if track else None,
            f0_hz=self._tensor(track.hz) if track else None,
            speaker_id=torch.tensor([self._speaker_id], device=self._device),
        )

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        """A batch of one on the device."""
        return torch.tensor(array[None], device=self._device)


def _clip_of(run: TrainingRun) -> Clip:
    """The longest held-out clip, else the longest that is trained on; always the same one."""
    held_out = ClipList.read(run.held_out_list) if run.held_out_list.exists() else ClipList(())
    return min(held_out.clips or ClipList.read(run.filelist).clips, key=lambda clip: (-clip.seconds, clip.name))


@dataclass(frozen=True)
class OwnClip:
    """A file of the user's choice, listened to by the run's own embedder and pitch detector."""

    run: TrainingRun
    home: Home
    config: ModelConfig
    device: torch.device
    path: Path

    def heard(self) -> Heard:
        """As it was kept, when that is of the same file, or when the file is gone by now; else listened to."""
        kept = self._kept()
        if kept is None:
            kept = self._listened(self._samples())
            self._keep(kept)
        return kept

    def _samples(self) -> np.ndarray:
        """The first 20 seconds at 16 kHz, without rumble, as a conversion hears them."""
        try:
            parts, count = [], 0
            for part in audio.blocks(self.path, SAMPLE_RATE):
                parts.append(part)
                if (count := count + len(part)) >= MOST_SECONDS * SAMPLE_RATE:
                    break
        except AudioError as error:
            raise AudioError(f"The clip to listen to cannot be used: {error}", fix=_FIX) from error
        sound = Audio(np.concatenate(parts)[: round(MOST_SECONDS * SAMPLE_RATE)], SAMPLE_RATE)
        if sound.seconds < FEWEST_SECONDS:
            raise AudioError(f"The clip to listen to, {self.path.name}, lasts {sound.seconds:.2f} seconds; {FEWEST_SECONDS} are needed.",
                             fix=_FIX)
        if sound.peak < SILENCE_PEAK:
            raise AudioError(f"The clip to listen to, {self.path.name}, is silent in its first {sound.seconds:.0f} seconds.", fix=_FIX)
        return sound.high_passed_zero_phase().samples

    def _listened(self, samples: np.ndarray) -> Heard:
        """The two models are gone when this returns: the training wants their memory."""
        frames = len(samples) // HOP
        with own_randomness(self.device, seed=0):  # models draw weights before they read theirs
            embedder = embedders.load(self.run.resolved.embedder, self.config.version, self.device, self.home)
            content = embedder.extract(samples[None])[0]
            track = None
            if self.config.pitch_guidance:
                track = f0.load(self.run.resolved.f0_method, self.device, self.home).detect(samples).fitted(frames)
        del embedder
        devices.release_memory(self.device)
        return Heard(content[np.minimum(np.arange(frames) // 2, len(content) - 1)], track)  # 50 to 100 frames a second by repetition

    # -- what is kept ------------------------------------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.run.eval / "audition.npz"

    @property
    def _asked(self) -> str:
        """Everything but the file's own content that ``heard`` depends on. The pitch shift is not among it: it is applied later."""
        resolved = self.run.resolved
        return fingerprint(str(self.path), resolved.embedder, resolved.f0_method, self.config.version, self.config.pitch_guidance,
                           MOST_SECONDS)

    def _mark(self) -> str | None:
        """Of the file as it is now; ``None`` when it is gone."""
        if not self.path.exists():
            return None
        found = self.path.stat()
        return fingerprint(found.st_size, found.st_mtime_ns)

    def _keep(self, heard: Heard) -> None:
        hz = heard.track.hz if heard.track else np.zeros(0, np.float32)
        with written_whole(self._file) as temporary:
            np.savez(temporary, asked=self._asked, mark=self._mark() or "", content=heard.content, f0_hz=hz)

    def _kept(self) -> Heard | None:
        """``None`` when there is none, it is of something else, or it is damaged: it is then made again."""
        if not self._file.exists():
            return None
        try:
            with np.load(self._file) as kept:
                if str(kept["asked"]) != self._asked or self._mark() not in (None, str(kept["mark"])):
                    return None
                return Heard(kept["content"], F0Track(kept["f0_hz"]) if self.config.pitch_guidance else None)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
