"""The critics of the vocoder: one looks at the waveform, others fold it at prime periods (Kong et al., HiFi-GAN, 2020), and for
RefineGAN some look at spectrograms (Jang et al., UnivNet, 2021).

The attribute names are the file format. A discriminator is a row of ``_KINDS``; another kind of critic is another subclass of
``Critic``.

Dimensions: B batch, N samples, P period, F frequencies, T frames.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm

from rvc.errors import FormatError
from rvc.models.layers import LEAKY_SLOPE, Recomputing


@dataclass(frozen=True)
class _Kind:
    """Besides the one critic of the waveform: periods in samples, and (n_fft, hop, window) of spectrograms in samples."""

    periods: tuple[int, ...]
    resolutions: tuple[tuple[int, int, int], ...] = ()


_KINDS = {
    "v1": _Kind((2, 3, 5, 7, 11, 17)),
    "v2": _Kind((2, 3, 5, 7, 11, 17, 23, 37)),
    "v3": _Kind((2, 3, 5, 7, 11), ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))),
}


_LONG_COLUMNS = 3  # the period up to which the columns of a training slice are long


@dataclass(frozen=True)
class DiscriminatorOutput:
    """One critic's opinion: ``score`` (B, ·), near 1 for what it takes for real, and its layers' outputs, the last one included."""

    score: Tensor
    feature_maps: list[Tensor]


class Critic(nn.Module):
    """Convolutions with a leaky ReLU after each but the last."""

    def __init__(self, convs: list[nn.Module], conv_post: nn.Module) -> None:
        super().__init__()
        self.convs = nn.ModuleList(weight_norm(conv) for conv in convs)
        self.conv_post = weight_norm(conv_post)

    def forward(self, audio: Tensor) -> DiscriminatorOutput:
        x = self.laid_out(self.seen(audio))
        feature_maps = []
        for conv in self.convs:
            x = leaky_relu(self.convolved(conv, x), LEAKY_SLOPE)
            feature_maps.append(self.restored(x))
        last = self.restored(self.convolved(self.conv_post, x))
        return DiscriminatorOutput(last.flatten(1), [*feature_maps, last])

    def seen(self, audio: Tensor) -> Tensor:
        """What the first convolution is about, of (B, 1, N)."""
        return audio

    def laid_out(self, x: Tensor) -> Tensor:
        """``x`` as the convolutions compute it fastest; ``convolved`` knows that layout and ``restored`` undoes it."""
        return x

    def convolved(self, conv: nn.Module, x: Tensor) -> Tensor:
        return conv(x)

    def restored(self, x: Tensor) -> Tensor:
        return x


class ScaleCritic(Critic):
    """Grouped convolutions over the waveform as it is."""

    def __init__(self, width: float) -> None:
        first = max(4, round(16 * width) // 4 * 4)  # groups of four channels must come out even
        widths = [first * 4**i for i in range(4)]
        convs: list[nn.Module] = [nn.Conv1d(1, first, 15, padding=7)]
        for channels, out in zip(widths, [*widths[1:], widths[-1]], strict=True):
            convs.append(nn.Conv1d(channels, out, 41, 4, padding=20, groups=channels // 4))
        convs.append(nn.Conv1d(widths[-1], widths[-1], 5, padding=2))
        super().__init__(convs, nn.Conv1d(widths[-1], 1, 3, padding=1))


class PeriodCritic(Critic):
    """Convolutions along each of the P interleaved subsequences of the waveform."""

    side_by_side = True  # see ``laid_out``; a benchmark turns it off

    def __init__(self, period: int, width: float) -> None:
        widths = [1, *(max(1, round(channels * width)) for channels in (32, 128, 512, 1024, 1024))]
        strides = (3, 3, 3, 3, 1)
        convs: list[nn.Module] = [
            nn.Conv2d(channels, out, (5, 1), (stride, 1), padding=(2, 0))
            for channels, out, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        ]
        super().__init__(convs, nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))
        self.period = period

    def seen(self, audio: Tensor) -> Tensor:
        missing = -audio.shape[-1] % self.period
        if missing:
            audio = pad(audio, (0, missing), "reflect")
        return audio.unflatten(-1, (-1, self.period))  # (B, 1, N/P, P)

    def laid_out(self, x: Tensor) -> Tensor:
        """On the CPU, where that is faster, the columns side by side: (B·P, C, T).

        One-dimensional convolutions take three quarters of the time of narrow two-dimensional ones there; their gradients take less
        time only while the columns are long (full size, AVX2).
        """
        faster = self.side_by_side and x.device.type == "cpu" and (self.period <= _LONG_COLUMNS or not torch.is_grad_enabled())
        return x.permute(0, 3, 1, 2).flatten(0, 1) if faster else x

    def convolved(self, conv: nn.Module, x: Tensor) -> Tensor:
        if x.dim() == 4:
            return conv(x)
        return conv1d(x, conv.weight.squeeze(-1), conv.bias, conv.stride[0], conv.padding[0])

    def restored(self, x: Tensor) -> Tensor:
        return x if x.dim() == 4 else x.unflatten(0, (-1, self.period)).permute(0, 2, 3, 1)


class ResolutionCritic(Critic):
    """Convolutions over a magnitude spectrogram; those with a stride take it along the frames."""

    def __init__(self, resolution: tuple[int, int, int], width: float) -> None:
        channels = max(1, round(32 * width))
        convs: list[nn.Module] = [nn.Conv2d(1, channels, (3, 9), padding=(1, 4))]
        convs += [nn.Conv2d(channels, channels, (3, 9), (1, 2), padding=(1, 4)) for _ in range(3)]
        convs.append(nn.Conv2d(channels, channels, (3, 3), padding=1))
        super().__init__(convs, nn.Conv2d(channels, 1, (3, 3), padding=1))
        self.resolution = resolution

    def seen(self, audio: Tensor) -> Tensor:
        n_fft, hop, window = self.resolution
        with torch.autocast(audio.device.type, enabled=False):
            padded = pad(audio.float(), ((n_fft - hop) // 2,) * 2, "reflect").squeeze(1)
            rectangle = torch.ones(window, device=audio.device)
            bins = torch.stft(padded, n_fft, hop, window, rectangle, center=False, return_complex=True)
            return bins.abs().unsqueeze(1)  # (B, 1, F, T)


class Discriminator(Recomputing):
    """All critics of a kind (``ModelConfig.discriminator``). ``width`` scales the channels: 1 is the published network."""

    def __init__(self, kind: str, width: float = 1.0) -> None:
        super().__init__()
        if kind not in _KINDS:
            raise FormatError(f"The {kind} discriminator is not part of this program; there are {', '.join(_KINDS)}.")
        periods = (PeriodCritic(period, width) for period in _KINDS[kind].periods)
        resolutions = (ResolutionCritic(resolution, width) for resolution in _KINDS[kind].resolutions)
        self.discriminators = nn.ModuleList([ScaleCritic(width), *periods, *resolutions])

    def forward(self, audio: Tensor) -> list[DiscriminatorOutput]:
        """audio (B, 1, N)"""
        return [self.part(critic, audio) for critic in self.discriminators]
