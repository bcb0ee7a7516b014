"""Scores of a saved epoch on recordings that it is not trained on.

Each held-out clip is spoken again from its own content, pitch and speaker, as at conversion, and compared with the recording. The
scores say how far the voice is from the recordings, not how good it sounds: the epoch with the lowest is not necessarily the best.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import groupby, zip_longest

import numpy as np
import torch

from rvc.audio import Audio
from rvc.events import Event, Note, Scored
from rvc.f0 import registry as f0
from rvc.f0.detector import SAMPLE_RATE, Detector
from rvc.f0.track import F0Track
from rvc.models.config import FRAMES_PER_SECOND, ModelConfig
from rvc.models.synthesizer import Synthesizer
from rvc.paths import Home
from rvc.train.data.clips import Clip, ClipList
from rvc.train.fitting.dataset import Batch, ClipDataset
from rvc.train.fitting.mel import mel_of, mel_spectrogram
from rvc.train.fitting.undisturbed import not_fatal, undisturbed
from rvc.train.listening.scores import ClipScores, EpochScores, stem
from rvc.train.run import TrainingRun

# Enough to tell epochs apart, and seconds of work at each save.
MOST_CLIPS, MOST_SECONDS = 12, 40.0
CLIP_SECONDS = 10.0  # of a clip that is longer, as a whole recording can be, its beginning is scored


class Evaluation:
    """Made once per fit; ``at`` is called at every save, when the checkpoint is on disk."""

    def __init__(self, run: TrainingRun, home: Home, config: ModelConfig, device: torch.device, clips: list[Clip]) -> None:
        self._run, self._home, self._config, self._device = run, home, config, device
        self._dataset = ClipDataset(run, config, clips)

    @classmethod
    def of(cls, run: TrainingRun, home: Home, config: ModelConfig, device: torch.device) -> "Evaluation | None":
        """``None`` when nothing is held out, or no scores are wanted."""
        if not run.settings.fit.evaluate or not run.held_out_list.exists():
            return None
        clips = spread(ClipList.read(run.held_out_list))
        return cls(run, home, config, device, clips) if clips else None

    @property
    def clips(self) -> list[Clip]:
        return self._dataset.clips

    def at(self, synthesizer: Synthesizer, epoch: int, step: int) -> Iterator[Event]:
        """Score ``synthesizer``, write ``eval/<epoch>e_<step>s.json``, and yield ``Scored``. The network is not disturbed.

        A clip that came out as something other than sound is a warning and is not scored; so is any failure.
        """
        yield from not_fatal(self._events(synthesizer, epoch, step), f"Scoring epoch {epoch}")

    def _events(self, synthesizer: Synthesizer, epoch: int, step: int) -> Iterator[Event]:
        scored = [self._scored(synthesizer, number) for number in range(len(self.clips))]
        for clip, scores in zip(self.clips, scored, strict=True):
            if scores is None:
                yield Note(level="warning", message=f"Epoch {epoch} makes no sound of the held-out clip {clip.name}: its samples are not "
                                                    "numbers.")
        found = EpochScores(epoch, step, tuple(one for one in scored if one is not None))
        if found.clips:
            found.write(self._run.eval / f"{stem(epoch, step)}.json")
            yield Scored(epoch=epoch, step=step, scores=found.means)

    def _scored(self, synthesizer: Synthesizer, number: int) -> ClipScores | None:
        """``None`` when the result is not finite. Every clip has the same noise at every epoch, so that epochs can be compared."""
        clip, batch = self.clips[number], beginning(self._dataset[number], CLIP_SECONDS).to(self._device)
        with undisturbed(synthesizer, self._device, self._run.settings.fit.seed):
            audio = synthesizer.infer(batch.speech)
            if not torch.isfinite(audio).all():
                return None
            error_cents, agreement = self._pitch(batch, audio) if batch.f0_hz is not None else (None, None)
            return ClipScores(clip=clip.name, speaker_id=clip.speaker_id, seconds=int(batch.lengths) / FRAMES_PER_SECOND,
                              mel_distance=self._mel_distance(batch, audio), f0_error_cents=error_cents, voiced_agreement=agreement)

    def _mel_distance(self, batch: Batch, audio: torch.Tensor) -> float:
        """audio: (1, 1, N)"""
        config = self._config
        real = mel_of(batch.spec, sample_rate=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels)
        made = mel_spectrogram(audio, sample_rate=config.sample_rate, n_fft=config.n_fft, hop_length=config.hop_length,
                               n_mels=config.n_mels)
        return float((made - real).abs().mean())

    def _pitch(self, batch: Batch, audio: torch.Tensor) -> tuple[float | None, float]:
        """f0 error in cents and voiced agreement. audio: (1, 1, N)"""
        sound = Audio(audio[0, 0].cpu().numpy(), self._config.sample_rate).resampled(SAMPLE_RATE)
        asked = batch.f0_hz[0].cpu().numpy()
        return pitch_scores(asked, self._detector.detect(sound.samples).fitted(len(asked)))

    @cached_property
    def _detector(self) -> Detector:
        """The one that the run's own pitch is from: another would differ from it on perfect sound too."""
        return f0.load(self._run.resolved.f0_method, self._device, self._home)


def pitch_scores(asked_hz: np.ndarray, heard: F0Track) -> tuple[float | None, float]:
    """Median |error| in cents over the frames voiced in both, ``None`` without any; share of frames that agree on being voiced."""
    asked = F0Track(asked_hz)
    both = asked.voiced & heard.voiced
    agreement = float(np.mean(asked.voiced == heard.voiced))
    if not both.any():
        return None, agreement
    cents = 1200 * np.abs(np.log2(heard.hz[both].astype(np.float64) / asked.hz[both]))
    return float(np.median(cents)), agreement


def spread(clips: Iterable[Clip]) -> list[Clip]:
    """At most ``MOST_CLIPS`` and ``MOST_SECONDS`` of ``clips``: speakers in turn, of each speaker recordings in turn, long clips first."""
    ordered = sorted(clips, key=lambda clip: (clip.speaker_id, _recording(clip), -clip.seconds, clip.name))
    speakers = [_in_turns([list(own) for _, own in groupby(theirs, _recording)])
                for _, theirs in groupby(ordered, lambda clip: clip.speaker_id)]
    chosen, seconds = [], 0.0
    for clip in _in_turns(speakers)[:MOST_CLIPS]:
        seconds += min(clip.seconds, CLIP_SECONDS)
        if seconds > MOST_SECONDS:
            break
        chosen.append(clip)
    return chosen


def _recording(clip: Clip) -> str:
    return clip.name.rpartition("_")[0]


def _in_turns(groups: list[list[Clip]]) -> list[Clip]:
    """One of each group, then another of each, until all are taken."""
    return [clip for turn in zip_longest(*groups) for clip in turn if clip is not None]


def beginning(batch: Batch, seconds: float) -> Batch:
    """At most the first ``seconds`` of a batch of one."""
    there, frames = int(batch.lengths), min(int(batch.lengths), round(seconds * FRAMES_PER_SECOND))
    samples = batch.audio.shape[-1] // there * frames
    return replace(
        batch, content=batch.content[:, :frames], spec=batch.spec[..., :frames], audio=batch.audio[..., :samples],
        f0_hz=None if batch.f0_hz is None else batch.f0_hz[:, :frames],
        coarse=None if batch.coarse is None else batch.coarse[:, :frames], lengths=torch.tensor([frames]))
