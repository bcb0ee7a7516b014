"""The numbers that fix a voice's networks: what the 18-entry ``config`` list of a voice file says, with names. No torch here.

Values of the standard networks are those of RVC (v1, v2) and of Applio (v2 at 24 kHz), so that files travel between the programs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rvc.errors import FormatError
from rvc.models.vocoders import HIFI_GAN, VOCODERS

FRAMES_PER_SECOND = 100
CONTENT_CHANNELS = {"v1": 256, "v2": 768}
ATTENTION_WINDOW = 10  # frames to either side that have a relative position of their own; fixed by the format
STANDARD_SPEAKERS = 109  # rows of the speaker table in every public base model
BLOCK_KERNELS, DILATIONS = (3, 7, 11), (1, 3, 5)  # of the vocoder's residual blocks; no public network has other dilations
_EXPORTED_SEGMENT_FRAMES = 32  # exported files carry this constant, whatever was trained
_LIST_LENGTH = 18
_LARGEST = 1 << 16  # no width, kernel or count in a voice comes near; a damaged file must not ask for all memory


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Shape of a synthesizer. Impossible combinations raise ``FormatError`` when the value is made."""

    version: str  # "v1": 256 content channels, "v2": 768
    pitch_guidance: bool
    vocoder: str = HIFI_GAN
    sample_rate: int
    n_fft: int
    hop_length: int  # samples per 10 ms frame
    n_mels: int
    segment_samples: int  # length of the training slices
    content_channels: int
    inter_channels: int = 192
    hidden_channels: int = 192
    filter_channels: int = 768
    n_heads: int = 2
    n_layers: int = 6
    kernel_size: int = 3
    p_dropout: float = 0.0
    resblock: str = "1"
    resblock_kernel_sizes: tuple[int, ...] = BLOCK_KERNELS
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = (DILATIONS,) * len(BLOCK_KERNELS)
    upsample_rates: tuple[int, ...]
    upsample_initial_channel: int = 512
    upsample_kernel_sizes: tuple[int, ...]
    gin_channels: int = 256
    n_speakers: int = STANDARD_SPEAKERS  # rows of the speaker table, not the number of trained speakers
    discriminator_width: float = field(default=1.0, compare=False)  # for training only: no voice file says it

    def __post_init__(self) -> None:
        _check_kind(self.version, self.vocoder, self.pitch_guidance)
        _check_sizes(self)
        _check_upsampling(self)

    @property
    def spec_channels(self) -> int:
        """Bins of the linear spectrogram that the posterior encoder sees."""
        return self.n_fft // 2 + 1

    @property
    def segment_frames(self) -> int:
        return self.segment_samples // self.hop_length

    @property
    def discriminator(self) -> str:
        """The kind of ``Discriminator`` that the network is trained against."""
        return VOCODERS[self.vocoder].discriminator or self.version

    @property
    def harmonics(self) -> int:
        """Sines in the vocoder's source: noise for it is (B, N, harmonics)."""
        return VOCODERS[self.vocoder].harmonics

    @property
    def multiscale_mel(self) -> bool:
        """Whether it is trained on ``multiscale_mel_loss`` instead of ``mel_loss`` when nobody chooses."""
        return VOCODERS[self.vocoder].multiscale_mel

    def as_list(self) -> list[Any]:
        """The positional list of a voice file: the constructor arguments of Applio's and RVC's synthesizers."""
        return [
            self.spec_channels, _EXPORTED_SEGMENT_FRAMES, self.inter_channels, self.hidden_channels, self.filter_channels,
            self.n_heads, self.n_layers, self.kernel_size, self.p_dropout or 0, self.resblock, list(self.resblock_kernel_sizes),
            [list(one) for one in self.resblock_dilation_sizes], list(self.upsample_rates), self.upsample_initial_channel,
            list(self.upsample_kernel_sizes), self.n_speakers, self.gin_channels, self.sample_rate,
        ]

    @classmethod
    def from_list(
        cls, values: Sequence[Any], *, version: str = "v1", pitch_guidance: bool = True, vocoder: str = HIFI_GAN
    ) -> "ModelConfig":
        """The config of a voice file. ``FormatError`` when an entry is of the wrong kind or the network is not one of ours."""
        _check_kind(version, vocoder, pitch_guidance)
        if not isinstance(values, (list, tuple)) or len(values) != _LIST_LENGTH:
            raise FormatError(f"The config of a voice is a list of {_LIST_LENGTH} entries; this one is not.")
        (spec_channels, segment, inter, hidden, filters, heads, layers, kernel, dropout, resblock, res_kernels, res_dilations,
         rates, initial, kernels, speakers, gin, sample_rate) = values
        rates = _integers(rates, "upsample_rates")
        hop_length = math.prod(rates)
        sample_rate = _integer(sample_rate, "sample rate")
        if not isinstance(res_dilations, (list, tuple)):
            raise FormatError(f"The config of this voice says resblock_dilation_sizes = {res_dilations!r}, which is not a list.")
        return cls(
            version=version,
            pitch_guidance=pitch_guidance,
            vocoder=vocoder,
            sample_rate=sample_rate,
            n_fft=2 * (_integer(spec_channels, "spec_channels") - 1),
            hop_length=hop_length,
            n_mels=_mels_for(version, sample_rate),
            segment_samples=_integer(segment, "segment_size") * hop_length,
            content_channels=CONTENT_CHANNELS[version],
            inter_channels=_integer(inter, "inter_channels"),
            hidden_channels=_integer(hidden, "hidden_channels"),
            filter_channels=_integer(filters, "filter_channels"),
            n_heads=_integer(heads, "n_heads"),
            n_layers=_integer(layers, "n_layers"),
            kernel_size=_integer(kernel, "kernel_size"),
            p_dropout=_probability(dropout),
            resblock=str(resblock),
            resblock_kernel_sizes=_integers(res_kernels, "resblock_kernel_sizes"),
            resblock_dilation_sizes=tuple(_integers(one, "resblock_dilation_sizes") for one in res_dilations),
            upsample_rates=rates,
            upsample_initial_channel=_integer(initial, "upsample_initial_channel"),
            upsample_kernel_sizes=_integers(kernels, "upsample_kernel_sizes"),
            gin_channels=_integer(gin, "gin_channels"),
            n_speakers=_integer(speakers, "spk_embed_dim"),
        )


@dataclass(frozen=True)
class Standard:
    """What depends on version and sample rate in the standard networks."""

    n_fft: int
    n_mels: int
    segment_samples: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]

    @property
    def hop_length(self) -> int:
        return math.prod(self.rates)


_AT_40K = Standard(2048, 125, 12800, (10, 10, 2, 2), (16, 16, 4, 4))
STANDARD = {
    ("v1", 32000): Standard(1024, 80, 12800, (10, 4, 2, 2, 2), (16, 16, 4, 4, 4)),
    ("v1", 40000): _AT_40K,
    ("v1", 48000): Standard(2048, 128, 11520, (10, 6, 2, 2, 2), (16, 16, 4, 4, 4)),
    ("v2", 24000): Standard(1024, 80, 8640, (10, 6, 2, 2), (20, 12, 4, 4)),
    ("v2", 32000): Standard(1024, 80, 12800, (10, 8, 2, 2), (20, 16, 4, 4)),
    ("v2", 40000): _AT_40K,
    ("v2", 48000): Standard(2048, 128, 17280, (12, 10, 2, 2), (24, 20, 4, 4)),
}
_SIZES: dict[str, dict[str, Any]] = {
    "standard": {},
    # A fifth of the weights. A step takes a CPU less than a second where the standard network takes a minute.
    "small": {"inter_channels": 96, "hidden_channels": 96, "filter_channels": 384, "n_layers": 4, "upsample_initial_channel": 256,
              "gin_channels": 64, "resblock_kernel_sizes": (3,), "resblock_dilation_sizes": (DILATIONS,), "discriminator_width": 1 / 8},
    # Trains in seconds. Rates, kernels and spectrogram stay, so the programs that build from the list read its voices too.
    "tiny": {"inter_channels": 32, "hidden_channels": 32, "filter_channels": 64, "n_layers": 2, "upsample_initial_channel": 64,
             "gin_channels": 16, "discriminator_width": 1 / 16},
}


SIZES = tuple(_SIZES)


def sample_rates(version: str) -> tuple[int, ...]:
    """The sample rates that networks of ``version`` exist for, in Hz, ascending."""
    return tuple(rate for known, rate in STANDARD if known == version)


def config_for(
    version: str,
    sample_rate: int,
    pitch_guidance: bool = True,
    vocoder: str = HIFI_GAN,
    size: str = "standard",
    n_speakers: int = STANDARD_SPEAKERS,
) -> ModelConfig:
    """The network that a run of these settings trains; ``FormatError`` for a combination that does not exist."""
    _check_kind(version, vocoder, pitch_guidance)
    known = VOCODERS[vocoder].sample_rates or sample_rates(version)
    if sample_rate not in known:
        kind = version if VOCODERS[vocoder].sample_rates is None else vocoder
        raise FormatError(f"There is no {kind} network for {sample_rate} Hz.", fix=f"{kind} exists for {', '.join(map(str, known))} Hz.")
    if size not in _SIZES:
        raise FormatError(f"There is no model size {size!r}.", fix=f"Choose one of {', '.join(_SIZES)}.")
    standard = STANDARD[version, sample_rate]
    return ModelConfig(
        version=version,
        pitch_guidance=pitch_guidance,
        vocoder=vocoder,
        sample_rate=sample_rate,
        n_fft=standard.n_fft,
        hop_length=standard.hop_length,
        n_mels=standard.n_mels,
        segment_samples=standard.segment_samples,
        content_channels=CONTENT_CHANNELS[version],
        upsample_rates=standard.rates,
        upsample_kernel_sizes=standard.kernels,
        n_speakers=n_speakers,
        **_SIZES[size],
    )


def _check_kind(version: str, vocoder: str, pitch_guidance: bool) -> None:
    if version not in CONTENT_CHANNELS:
        raise FormatError(f"There is no model version {version!r}; voices are v1 or v2.")
    if vocoder not in VOCODERS:
        raise FormatError(f"There is no vocoder {vocoder!r} here.", fix=f"There are {', '.join(VOCODERS)}.")
    if version not in VOCODERS[vocoder].versions or not (pitch_guidance or VOCODERS[vocoder].without_pitch):
        raise FormatError(f"The {vocoder} vocoder exists for v2 voices with pitch guidance only.")


def _check_sizes(config: ModelConfig) -> None:
    sizes = ("n_fft", "inter_channels", "hidden_channels", "filter_channels", "n_heads", "n_layers", "kernel_size", "gin_channels",
             "upsample_initial_channel", "n_speakers", "segment_samples")
    for name in sizes:
        if not 1 <= getattr(config, name) <= _LARGEST:
            raise FormatError(f"A network with {name} = {getattr(config, name)} cannot be built.")
    if config.content_channels != CONTENT_CHANNELS[config.version]:
        raise FormatError(f"A {config.version} network reads {CONTENT_CHANNELS[config.version]} content channels.")
    if config.inter_channels % 2 or config.hidden_channels % config.n_heads:
        raise FormatError("inter_channels must be even and hidden_channels a multiple of n_heads.")
    if config.resblock != "1":
        raise FormatError(f"Residual blocks of type {config.resblock!r} are not part of this program; no RVC voice was made with them.")
    kernels, dilations = config.resblock_kernel_sizes, config.resblock_dilation_sizes
    if not 0 < len(kernels) == len(dilations) <= 8 or not all(0 < len(one) <= 8 for one in dilations):
        raise FormatError("resblock_kernel_sizes and resblock_dilation_sizes do not belong together.")
    if not all(k % 2 and 1 <= k <= _LARGEST for k in kernels) or not all(1 <= d <= _LARGEST for one in dilations for d in one):
        raise FormatError("resblock_kernel_sizes must be odd and dilations positive.")


def _check_upsampling(config: ModelConfig) -> None:
    rates, kernels = config.upsample_rates, config.upsample_kernel_sizes
    paired = 0 < len(rates) == len(kernels) <= 16
    if not paired or not all(2 <= rate <= kernel <= _LARGEST for rate, kernel in zip(rates, kernels, strict=True)):
        raise FormatError(f"upsample_rates {rates} and upsample_kernel_sizes {kernels} do not belong together.")
    halvings = len(rates) + (VOCODERS[config.vocoder].entrance_share == 2)  # what enters there is half as wide already
    if config.upsample_initial_channel % 2**halvings:
        raise FormatError(f"upsample_initial_channel {config.upsample_initial_channel} cannot be halved {halvings} times.")
    made = math.prod(rates) * FRAMES_PER_SECOND
    if math.prod(rates) != config.hop_length or made != config.sample_rate:
        raise FormatError(f"The network makes {made} samples a second; {config.sample_rate} Hz were stated.")


def _mels_for(version: str, sample_rate: int) -> int:
    """Mel bands that training at this rate uses; 128 for a rate that only other programs have."""
    standard = STANDARD.get((version, sample_rate))
    return standard.n_mels if standard else 128


def _integer(value: Any, name: str) -> int:
    """``value`` if it is a whole number (some programs write 40000.0)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or value in (math.inf, -math.inf):
        raise FormatError(f"The config of this voice says {name} = {value!r}, which is not a whole number.")
    if int(value) != value:
        raise FormatError(f"The config of this voice says {name} = {value!r}, which is not a whole number.")
    return int(value)


def _integers(values: Any, name: str) -> tuple[int, ...]:
    if not isinstance(values, (list, tuple)):
        raise FormatError(f"The config of this voice says {name} = {values!r}, which is not a list.")
    return tuple(_integer(one, name) for one in values)


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise FormatError(f"The config of this voice says p_dropout = {value!r}, which is not a probability.")
    return float(value)
