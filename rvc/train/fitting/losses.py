"""The losses of RVC's training: least-squares GAN, feature matching, mel distance and the KL of the flow's prior.

Least squares GAN: Mao et al. 2017. Feature matching and the mel distance with their weights: HiFi-GAN, Kong et al. 2020. The KL
term: VITS, Kim et al. 2021. Everything is computed in float32 whatever precision the networks ran in; a loss that is not finite is
not mended here, the trainer refuses it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from rvc.train.fitting.mel import multiscale_mels

FEATURE_MATCHING_WEIGHT = 2.0


@dataclass(frozen=True)
class DiscriminatorLosses:
    """Scalars of one update of the discriminator; the gradient of ``total`` is what it learns from.

    ``real`` and ``fake`` are means over the sub-discriminators: 0.25 each where they cannot tell, 0 where they always can.
    """

    total: torch.Tensor
    real: torch.Tensor
    fake: torch.Tensor

    def by_tag(self) -> dict[str, torch.Tensor]:
        """By their TensorBoard tags."""
        return {"loss/d/adv": self.total, "loss/d/real": self.real, "loss/d/fake": self.fake}


@dataclass(frozen=True)
class GeneratorLosses:
    """Scalars of one update of the synthesizer. ``mel`` and ``kl`` are weighted already: ``total`` is the plain sum of the four."""

    total: torch.Tensor
    adversarial: torch.Tensor
    feature_matching: torch.Tensor
    mel: torch.Tensor
    kl: torch.Tensor

    @classmethod
    def of(cls, *, adversarial: torch.Tensor, feature_matching: torch.Tensor, mel: torch.Tensor, kl: torch.Tensor) -> "GeneratorLosses":
        return cls(adversarial + feature_matching + mel + kl, adversarial, feature_matching, mel, kl)

    def by_tag(self) -> dict[str, torch.Tensor]:
        """By their TensorBoard tags."""
        named = {"total": self.total, "adv": self.adversarial, "fm": self.feature_matching, "mel": self.mel, "kl": self.kl}
        return {f"loss/g/{name}": value for name, value in named.items()}


def discriminator_losses(real_scores: Sequence[torch.Tensor], fake_scores: Sequence[torch.Tensor]) -> DiscriminatorLosses:
    """Σ over the sub-discriminators of mean((1 - real)²) + mean(fake²). The fake audio must be detached from the synthesizer."""
    assert len(real_scores) == len(fake_scores)
    real = _sum((1 - one.float()).square().mean() for one in real_scores)
    fake = _sum(one.float().square().mean() for one in fake_scores)
    return DiscriminatorLosses(real + fake, real / len(real_scores), fake / len(fake_scores))


def adversarial_loss(fake_scores: Sequence[torch.Tensor]) -> torch.Tensor:
    """Σ over the sub-discriminators of mean((1 - fake)²)."""
    return _sum((1 - fake.float()).square().mean() for fake in fake_scores)


def feature_matching_loss(real_maps: Sequence[Sequence[torch.Tensor]], fake_maps: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    """2 · Σ over every feature map of every sub-discriminator of mean|real - fake|. The real maps are a target and get no gradient."""
    return FEATURE_MATCHING_WEIGHT * _sum(
        functional.l1_loss(fake.float(), real.detach().float())
        for reals, fakes in zip(real_maps, fake_maps, strict=True)
        for real, fake in zip(reals, fakes, strict=True))


def mel_loss(real_mel: torch.Tensor, fake_mel: torch.Tensor, *, weight: float = 45.0) -> torch.Tensor:
    """weight · mean|real - fake| of log-mel spectrograms of equal shape."""
    assert real_mel.shape == fake_mel.shape, f"{tuple(real_mel.shape)} is compared with {tuple(fake_mel.shape)}"
    return weight * functional.l1_loss(fake_mel.float(), real_mel.float())


def multiscale_mel_loss(real_audio: torch.Tensor, fake_audio: torch.Tensor, *, sample_rate: int, weight: float = 15.0) -> torch.Tensor:
    """weight · Σ over seven resolutions of mean|real - fake| of log10-mel spectrograms: what RefineGAN learns from instead of ``mel_loss``.

    Audio is (B, N) or (B, 1, N), at ``sample_rate`` in Hz. The real one is a target and gets no gradient.
    """
    assert real_audio.shape == fake_audio.shape, f"{tuple(real_audio.shape)} is compared with {tuple(fake_audio.shape)}"
    with torch.no_grad():
        reals = list(multiscale_mels(real_audio, sample_rate=sample_rate))
    fakes = multiscale_mels(fake_audio, sample_rate=sample_rate)
    return weight * _sum(functional.l1_loss(fake, real) for real, fake in zip(reals, fakes, strict=True))


def kl_loss(
    z_p: torch.Tensor,
    log_std_q: torch.Tensor,
    mean_p: torch.Tensor,
    log_std_p: torch.Tensor,
    mask: torch.Tensor,
    *,
    weight: float = 1.0,
    n_frames: int | None = None,
) -> torch.Tensor:
    """How far the posterior, sent through the flow, is from the prior: one sample's estimate, in nats per frame.

    The four tensors are (B, C, T), ``mask`` is (B, 1, T) with 1 on real frames. Summed over C and divided by the number of real
    frames only, as in VITS, so its scale grows with C. In float32, because e^(-2 log_std_p) leaves half precision's range at
    log_std_p = -5.5. Frames outside the mask are replaced before the exponential, not multiplied by zero after it: whatever
    padding holds, it can reach neither the loss nor a gradient. ``n_frames`` is what to divide by when these clips are only some of
    a batch: its real frames. ``ValueError`` when the mask is empty.
    """
    frames = mask.float().sum() if n_frames is None else n_frames
    if not frames > 0:
        raise ValueError("The KL loss of a batch without a single frame is not defined.")
    with torch.autocast(z_p.device.type, enabled=False):
        inside = mask.bool()
        z_p, log_std_q, mean_p, log_std_p = (one.float().masked_fill(~inside, 0.0) for one in (z_p, log_std_q, mean_p, log_std_p))
        kl = log_std_p - log_std_q - 0.5 + 0.5 * (z_p - mean_p).square() * torch.exp(-2.0 * log_std_p)
        return weight * (kl * mask.float()).sum() / frames


def _sum(terms) -> torch.Tensor:
    return torch.stack(list(terms)).sum()
