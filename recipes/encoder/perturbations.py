"""What may happen to speech without changing what is said, done to its log-mel frames: nearly free, so every crop gets its own.

(B, N_MELS, M) decades of power in, the same out. Speed and pitch are changed earlier, in the samples (``targets.at_speed``).
"""

import math

import librosa
import torch
from torch import Tensor

from rvc.embedders.frames import SAMPLE_RATE
from rvc.embedders.mini import N_MELS, QUIETEST

FLOOR = math.log10(QUIETEST)
FORMANT_RANGE = 0.18  # of a band's height: vocal tracts from 1 / 1.2 to 1.2 of the speaker's
GAIN_DB = (-34.0, 8.0)
TILT_DECADES = 0.5  # of each of a few slow waves over the bands: microphones, rooms, telephones
NOISE_DB = (5.0, 45.0)  # of speech over noise
TELEPHONE_HZ = (300.0, 3400.0)
DECAY_SECONDS = (0.1, 0.7)  # of a room, for 60 dB
CHANCES = {"noise": 0.5, "room": 0.25, "telephone": 0.12, "low_pass": 0.12}


def perturbed(mel: Tensor, random: torch.Generator) -> Tensor:
    """Formants, then what the room adds, then what the microphone does, then what the line lets through, then the level."""
    mel = formants_moved(mel, random)
    mel = _for_some(mel, room, "room", random)
    mel = tilted(mel, random)
    mel = _for_some(mel, noisy, "noise", random)
    mel = _for_some(mel, telephone, "telephone", random)
    mel = _for_some(mel, low_passed, "low_pass", random)
    return (mel + _uniform(mel, GAIN_DB, random) / 10).clamp(min=FLOOR)


def formants_moved(mel: Tensor, random: torch.Generator) -> Tensor:
    """The bands read at heights scaled by one factor per row: what a longer or shorter vocal tract does."""
    heights = _heights().to(mel)
    scale = 1 + _uniform(mel, (-FORMANT_RANGE, FORMANT_RANGE), random)[:, :, 0]  # (B, 1)
    positions = torch.searchsorted(heights, (heights * scale).contiguous()).clamp(1, N_MELS - 1)
    low, high = heights[positions - 1], heights[positions]
    share = ((heights * scale - low) / (high - low)).clamp(0, 1)[:, :, None]
    index = positions[:, :, None].expand_as(mel)
    return mel.gather(1, index - 1) * (1 - share) + mel.gather(1, index) * share


def room(mel: Tensor, random: torch.Generator) -> Tensor:
    """An echo that decays: power smeared forward in time, mixed in below the direct sound."""
    power, decay = 10**mel, _uniform(mel, DECAY_SECONDS, random)
    steps = torch.arange(24, device=mel.device)  # 0.24 s of it are enough
    tail = 10 ** (-6 * steps / (100 * decay[:, 0])) * 0.15  # (B, 24)
    tail[:, 0] = 1
    late = torch.nn.functional.pad(power, (len(steps) - 1, 0)).unfold(2, len(steps), 1)  # (B, N_MELS, M, 24)
    return torch.einsum("bfms,bs->bfm", late, tail.flip(1)).clamp(min=QUIETEST).log10()


def tilted(mel: Tensor, random: torch.Generator) -> Tensor:
    waves = torch.cos(math.pi * torch.arange(1, 5, device=mel.device)[:, None] * torch.linspace(0, 1, N_MELS, device=mel.device))
    size = TILT_DECADES * torch.randn(len(mel), 4, generator=random, device=mel.device) / torch.arange(1, 5, device=mel.device)
    return mel + (size @ waves)[:, :, None]


def noisy(mel: Tensor, random: torch.Generator) -> Tensor:
    """Steady coloured noise below the crop's mean power."""
    level = (10**mel).mean(dim=(1, 2), keepdim=True).log10() - _uniform(mel, NOISE_DB, random) / 10
    colour = tilted(torch.zeros(len(mel), N_MELS, 1, device=mel.device), random)
    grain = torch.randn(mel.shape, generator=random, device=mel.device) * 0.2
    return torch.logaddexp(mel * math.log(10), (level + colour + grain) * math.log(10)) / math.log(10)


def telephone(mel: Tensor, random: torch.Generator) -> Tensor:
    low, high = TELEPHONE_HZ
    heights = _heights().to(mel)
    return torch.where(((heights > low) & (heights < high))[:, None], mel, FLOOR)


def low_passed(mel: Tensor, random: torch.Generator) -> Tensor:
    """What was once sampled at 8 or 11 kHz has nothing above."""
    edge = _uniform(mel, (3600.0, 6000.0), random)
    return torch.where(_heights().to(mel)[:, None] < edge, mel, FLOOR)


def _for_some(mel: Tensor, change, name: str, random: torch.Generator) -> Tensor:
    chosen = torch.rand(len(mel), generator=random, device=mel.device) < CHANCES[name]
    if not chosen.any():
        return mel
    changed = mel.clone()
    changed[chosen] = change(mel[chosen], random)
    return changed


def _uniform(mel: Tensor, bounds: tuple[float, float], random: torch.Generator) -> Tensor:
    """(B, 1, 1)"""
    return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(len(mel), 1, 1, generator=random, device=mel.device)


def _heights() -> Tensor:
    """Middles of the mel bands, in Hz."""
    return torch.from_numpy(librosa.mel_frequencies(N_MELS + 2, fmin=0, fmax=SAMPLE_RATE / 2)[1:-1]).float()
