"""What the student shall say of an utterance: the teacher's features, made to say less of the speaker.

Three means take the speaker out. Each utterance is heard by the teacher at several speeds (which move pitch and formants with them) and
the answers, brought back to the utterance's own time, are averaged. Every speaker's frames get mean 0 and variance 1 in each channel.
And where synthetic speakers say the same sentence, their answers are aligned and averaged.
"""

import librosa
import numpy as np
import soxr

from recipes.encoder.teacher import Teacher
from rvc.embedders.frames import FRAME_FIELD, FRAME_STEP, SAMPLE_RATE, frame_count

HEARD_AT = (0.87, 1.0, 1.15)  # speeds: a formant scale that covers most of what lies between children and men
SPEECH_DECADES = 4.0  # below a speaker's loudest frames: frames under it are pauses, and say nothing of the speaker
OWN_SHARE = 0.5  # of a shared sentence; the rest is the other speakers'


def at_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Faster, and higher in pitch and formants, by ``speed``."""
    return samples if speed == 1 else soxr.resample(samples, SAMPLE_RATE, SAMPLE_RATE / speed, quality="HQ")


def at_times(features: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(N, C) features between their frames: linear at ``positions``, which count frames and may lie outside."""
    positions = np.clip(positions, 0, len(features) - 1)
    low = np.minimum(positions.astype(int), max(0, len(features) - 2))
    share = (positions - low)[:, None].astype(np.float32)
    return (1 - share) * features[low] + share * features[np.minimum(low + 1, len(features) - 1)]


def positions_at(n_frames: int, speed: float) -> np.ndarray:
    """Where, in frames of the original, the frames of a copy at ``speed`` are."""
    middle = FRAME_FIELD / 2
    return (speed * (np.arange(n_frames) * FRAME_STEP + middle) - middle) / FRAME_STEP


def heard(teacher: Teacher, samples: np.ndarray) -> np.ndarray:
    """samples: 16 kHz. -> (N, C), the mean of what the teacher says at all of ``HEARD_AT``."""
    n_frames = frame_count(len(samples))
    said = [at_times(teacher.extract(at_speed(samples, speed)[None])[0], positions_at(n_frames, 1 / speed)) for speed in HEARD_AT]
    return np.mean(said, axis=0)


def is_speech(mel: np.ndarray) -> np.ndarray:
    """(N_MELS, 2N) log-mel of a speaker -> N booleans."""
    loudness = mel.max(axis=0)[::2]
    return loudness > np.quantile(loudness, 0.95) - SPEECH_DECADES


def standardised(features: np.ndarray, speech: np.ndarray) -> np.ndarray:
    """(N, C) of one speaker: mean 0 and variance 1 over the frames that are speech."""
    said = features[speech]
    return (features - said.mean(axis=0)) / (said.std(axis=0) + 1e-3)


def shared(own: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """(N, C) of a sentence, and the same sentence by others -> the mean of both, in the time of ``own``."""
    if not others:
        return own
    return OWN_SHARE * own + (1 - OWN_SHARE) * np.mean([aligned(own, other) for other in others], axis=0)


def aligned(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``other`` in the time of ``own``: dynamic time warping over cosine distances; frames that fall together are averaged."""
    _, path = librosa.sequence.dtw(own.T, other.T, metric="cosine")
    totals, counts = np.zeros_like(own), np.zeros((len(own), 1), own.dtype)
    np.add.at(totals, path[:, 0], other[path[:, 1]])
    np.add.at(counts, path[:, 0], 1)
    return totals / counts
