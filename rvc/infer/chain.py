"""From a window of a recording to the same window in the voice: content features, index, synthesizer."""

from dataclasses import dataclass

import numpy as np
import torch

from rvc.embedders.registry import Embedder
from rvc.errors import AudioError, DeviceError
from rvc.index.search import Index
from rvc.infer.noise import BlockNoise, Noise, noise_at
from rvc.infer.pitch import CONTEXT_FRAMES, Pitch
from rvc.infer.recording import Recording
from rvc.infer.segments import FADE_FRAMES, FRAME_SAMPLES, GRID_SAMPLES, Piece
from rvc.infer.settings import ConversionSettings
from rvc.infer.stopwatch import Stopwatch
from rvc.models.draws import Given
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer

# HuBERT's convolutions see 400 samples and step by 320: so many more make one frame for every 320 samples, none lost at the end.
_LAST_FRAME_SAMPLES = 80
_PROTECT_OFF = 0.5


@dataclass(frozen=True, eq=False)
class Chain:
    """The networks and choices of one conversion."""

    synthesizer: Synthesizer
    embedder: Embedder
    index: Index | None
    settings: ConversionSettings
    device: torch.device

    def converted(self, recording: Recording, pitch: Pitch | None, piece: Piece, n_frames: int, watch: Stopwatch) -> np.ndarray:
        """``piece`` in the voice, float32 at its rate, with the fade's overlap towards pieces before and after it.

        It is made with ``CONTEXT_FRAMES`` of context, which beyond the ends is the recording's mirror image.
        """
        start, stop = piece.start - CONTEXT_FRAMES, piece.stop + CONTEXT_FRAMES
        around = pitch.between(start, stop) if pitch else None
        with watch("content"):
            features = self._features(recording, start, stop)
        with watch("index"):
            content = self._content(features, around, stop - start)
        with watch("synthesis"):
            samples = self._synthesized(content, around, start, stop)
        hop = self.synthesizer.config.hop_length
        before = FADE_FRAMES if piece.start > 0 else 0
        after = FADE_FRAMES if piece.stop < n_frames else 0
        return samples[(CONTEXT_FRAMES - before) * hop:(stop - start - CONTEXT_FRAMES + after) * hop]

    def _features(self, recording: Recording, start: int, stop: int) -> np.ndarray:
        """Content at 50 Hz, one frame for every two from ``start`` on. -> [ceil((stop - start) / 2), dim]"""
        wanted = -(-(stop - start) // 2)
        first = start * FRAME_SAMPLES
        samples = recording.window(first, first + wanted * GRID_SAMPLES + _LAST_FRAME_SAMPLES)
        features = self.embedder.extract(samples[None])[0]
        missing = wanted - len(features)  # an embedder with another field of view may see less of the end
        return np.pad(features, ((0, missing), (0, 0)), mode="edge") if missing > 0 else features[:wanted]

    def _content(self, features: np.ndarray, pitch: Pitch | None, n_frames: int) -> np.ndarray:
        """With the index blended in, at 100 Hz; unvoiced frames are guarded by ``protect``. -> [n_frames, dim]"""
        if self.index is None:
            return _doubled(features, n_frames)
        blended = _doubled(self.index.blend(features, self.settings.index_rate), n_frames)
        if pitch is None or self.settings.protect >= _PROTECT_OFF:
            return blended
        share = np.where(pitch.hz > 0, 1.0, self.settings.protect).astype(np.float32)[:, None]
        return share * blended + (1 - share) * _doubled(features, n_frames)

    def _synthesized(self, content: np.ndarray, pitch: Pitch | None, start: int, stop: int) -> np.ndarray:
        try:
            speech, given = self._speech(content, pitch), self._given(pitch, start, stop)
            audio = self.synthesizer.infer(speech, given, noise_scale=self.settings.noise_scale)
        except torch.OutOfMemoryError as error:
            raise DeviceError(f"{self.device} has too little memory for {(stop - start) / 100:.0f} seconds at once.",
                              fix="Choose a smaller chunk_seconds, or device cpu.") from error
        samples = audio[0, 0].float().cpu().numpy()
        if not np.isfinite(samples).all():
            raise AudioError("The voice made samples that are not numbers: its weights are damaged.")
        return samples

    def _speech(self, content: np.ndarray, pitch: Pitch | None) -> Speech:
        return Speech(
            content=self._tensor(content),
            lengths=torch.tensor([len(content)], device=self.device),
            coarse=self._tensor(pitch.coarse) if pitch else None,
            f0_hz=self._tensor(pitch.hz) if pitch else None,
            speaker_id=torch.tensor([self.settings.speaker_id], device=self.device),
        )

    def _given(self, pitch: Pitch | None, start: int, stop: int) -> Given:
        """Phase and noise of frames ``start`` to ``stop`` of the recording."""
        config, seed = self.synthesizer.config, self.settings.seed
        latent = self._tensor(noise_at(Noise.LATENT, seed, start, stop, config.inter_channels).T)
        if pitch is None:
            return Given(latent=latent)
        source = noise_at(Noise.SOURCE, seed, start, stop, config.hop_length * config.harmonics)
        return Given(
            latent=latent,
            phase=torch.from_numpy(pitch.cycles[:1].copy()),
            source=self._tensor(source.reshape(-1, config.harmonics)),
            draws=BlockNoise(seed, start, stop, self.device),
        )

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        """A batch of one on the device."""
        return torch.tensor(array[None], device=self.device)


def _doubled(features: np.ndarray, n_frames: int) -> np.ndarray:
    """50 Hz to 100 Hz: every frame twice."""
    return features.repeat(2, axis=0)[:n_frames]
