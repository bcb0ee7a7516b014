"""Which network a set of tensors belongs to: training checkpoints carry weights but no ``config`` list. No torch here."""

import re
from collections.abc import Iterable, Mapping

from rvc.errors import FormatError
from rvc.models.config import ATTENTION_WINDOW, BLOCK_KERNELS, CONTENT_CHANNELS, DILATIONS, STANDARD, ModelConfig, Standard
from rvc.models.vocoders import HIFI_GAN, REFINEGAN, VOCODERS, Vocoder

Shape = tuple[int, ...]
_LEGACY_REFINEGAN: Shape = (256, 1, 7)  # of its first convolution; that of the one of today has 16 channels
# The last critic of a discriminator and the kernel of its first convolution.
_LAST_CRITICS = {(6, (5, 1)): "v1", (8, (5, 1)): "v2", (8, (3, 9)): "v3"}


def config_from_shapes(shapes: Mapping[str, Shape], *, sample_rate: int | None = None) -> ModelConfig:
    """The config of a generator whose tensors (weight norm in the old spelling) have ``shapes``.

    sample_rate: in Hz; ``None`` works it out, which the shapes of all HiFi-GAN networks allow while ``enc_q`` is among them, and those
    of RefineGAN never. ``FormatError`` when this is no generator of ours, or not one for ``sample_rate``.
    """
    refuse_legacy_refinegan(shapes)
    vocoder = VOCODERS[vocoder_of(shapes) or HIFI_GAN]
    content, attention, feed_forward = (
        _shape(shapes, f"enc_p.{name}", rank)
        for name, rank in (("emb_phone.weight", 2), ("encoder.attn_layers.0.emb_rel_k", 3), ("encoder.ffn_layers.0.conv_1.weight", 3))
    )
    generator, speakers = _shape(shapes, f"dec.{vocoder.entrance}", 3), _shape(shapes, "emb_g.weight", 2)
    version = next((name for name, channels in CONTENT_CHANNELS.items() if channels == content[1]), None)
    if version is None:
        raise FormatError(f"The content encoder reads {content[1]} channels; v1 networks read 256 and v2 networks 768.")
    rate, standard = _standard(shapes, vocoder, version, sample_rate)
    blocks = _block_kernels(shapes, vocoder, generator[0] * vocoder.entrance_share // 2)
    config = ModelConfig(
        version=version,
        pitch_guidance="enc_p.emb_pitch.weight" in shapes,
        vocoder=vocoder.name,
        sample_rate=rate,
        n_fft=standard.n_fft,
        hop_length=standard.hop_length,
        n_mels=standard.n_mels,
        segment_samples=standard.segment_samples,
        content_channels=content[1],
        inter_channels=generator[1],
        hidden_channels=content[0],
        filter_channels=feed_forward[0],
        n_heads=max(1, content[0] // max(1, attention[2])),
        n_layers=sum(name.startswith("enc_p.encoder.attn_layers.") and name.endswith(".emb_rel_k") for name in shapes),
        kernel_size=feed_forward[2],
        resblock_kernel_sizes=blocks,
        resblock_dilation_sizes=(DILATIONS,) * len(blocks),
        upsample_rates=standard.rates,
        upsample_initial_channel=generator[0] * vocoder.entrance_share,
        upsample_kernel_sizes=standard.kernels,
        gin_channels=speakers[1],
        n_speakers=speakers[0],
    )
    refuse_misfit(config, shapes)
    return config


def refuse_misfit(config: ModelConfig, shapes: Mapping[str, Shape]) -> None:
    """``FormatError`` when the tensors (old spelling) are not of the sizes in ``config``.

    Looks at one tensor for every number, which is quick, and makes sure that a network built from ``config`` needs no more memory
    than its file has. That every single tensor fits is found out when they are loaded.
    """
    refuse_legacy_refinegan(shapes)
    found = vocoder_of(shapes)
    if found and found != config.vocoder:
        raise FormatError(f"The weights are not those of the network it describes: they have a {found} vocoder, not {config.vocoder}.")
    hidden, initial, vocoder = config.hidden_channels, config.upsample_initial_channel, VOCODERS[config.vocoder]
    head = hidden // config.n_heads
    wanted: dict[str, Shape] = {
        "enc_p.emb_phone.weight": (hidden, config.content_channels),
        "enc_p.encoder.attn_layers.0.emb_rel_k": (1, 2 * ATTENTION_WINDOW + 1, head),
        "enc_p.encoder.ffn_layers.0.conv_1.weight": (config.filter_channels, hidden, config.kernel_size),
        f"enc_p.encoder.ffn_layers.{config.n_layers - 1}.conv_1.weight": (config.filter_channels, hidden, config.kernel_size),
        f"dec.{vocoder.entrance}": (initial // vocoder.entrance_share, config.inter_channels, 7),
        "emb_g.weight": (config.n_speakers, config.gin_channels),
    }
    for stage, kernel in enumerate(config.upsample_kernel_sizes if vocoder.upsampler else ()):
        wanted[f"dec.{vocoder.upsampler.format(stage)}"] = (initial >> stage, initial >> (stage + 1), kernel)
    for block, kernel in enumerate(config.resblock_kernel_sizes):
        wanted[f"dec.{vocoder.block.format(block)}"] = (initial // 2, initial // 2, kernel)
    for name, shape in wanted.items():
        if shapes.get(name) != shape:
            has = "×".join(map(str, shapes[name])) if name in shapes else "missing"
            raise FormatError(f"The weights are not those of the network it describes: {name} is {has}, not {'×'.join(map(str, shape))}.")


def vocoder_of(names: Iterable[str]) -> str | None:
    """The vocoder whose tensors are among ``names``; ``None`` when there are none of any."""
    marks = {f"dec.{one.mark}": one.name for one in VOCODERS.values()}
    return next((marks[mark] for name in names for mark in marks if name.startswith(mark)), None)


def discriminator_of(shapes: Mapping[str, Shape]) -> str | None:
    """The kind of ``Discriminator`` that has tensors of these ``shapes`` (old spelling); ``None`` when there is none."""
    last = max((int(name.split(".")[1]) for name in shapes if re.match(r"discriminators\.\d+\.", name)), default=-1)
    return _LAST_CRITICS.get((last, shapes.get(f"discriminators.{last}.convs.0.weight_v", ())[2:]))


def refuse_legacy_refinegan(shapes: Mapping[str, Shape]) -> None:
    """``FormatError`` for the network that Applio 3.2.9 called RefineGAN: of the one of today it has only the name."""
    if shapes.get("dec.pre_conv.weight_v") == _LEGACY_REFINEGAN:
        raise FormatError("This is a RefineGAN of the old kind, which Applio made in spring 2025 (3.2.9) and has dropped since. "
                          "It cannot be used or trained further.",
                          fix=f"Train the voice again with today's {REFINEGAN}, or use it in Applio 3.2.9.")


def _standard(shapes: Mapping[str, Shape], vocoder: Vocoder, version: str, sample_rate: int | None) -> tuple[int, Standard]:
    """The standard upsampling that fits, in Hz and as such. Mainline's older v2 networks upsample like v1: both are looked at."""
    kernels = []
    while vocoder.upsampler and (name := f"dec.{vocoder.upsampler.format(len(kernels))}") in shapes:
        kernels.append(_shape(shapes, name, 3)[-1])
    known = [(rate, one) for (other, rate), one in STANDARD.items() if other in vocoder.versions]
    fitting = [(rate, one) for rate, one in known if (not vocoder.upsampler or one.kernels == tuple(kernels)) and _fits(one, shapes)]
    if sample_rate is not None:
        fitting = [(rate, one) for rate, one in fitting if rate == sample_rate]
    if len(set(fitting)) == 1:
        return fitting[0]
    rates = sorted({rate for rate, _ in fitting})
    if rates:
        raise FormatError(f"These weights fit networks for {' and '.join(map(str, rates))} Hz.", fix="State the sample rate.")
    wanted = f"for {sample_rate} Hz" if sample_rate else "this program knows"
    said = f" (upsampling kernels {kernels})" if vocoder.upsampler else f" with the vocoder {vocoder.name}"
    raise FormatError(f"These weights belong to no {version} network {wanted}{said}.")


def _block_kernels(shapes: Mapping[str, Shape], vocoder: Vocoder, width: int) -> tuple[int, ...]:
    """Of the residual blocks of the first stage: HiFi-GAN numbers those of all stages in a row, but no later one is ``width`` wide."""
    kernels: list[int] = []
    while (shape := shapes.get(f"dec.{vocoder.block.format(len(kernels))}", ()))[:1] == (width,):
        kernels.append(shape[-1])
    return tuple(kernels) or BLOCK_KERNELS  # of which refuse_misfit then names the first


def _fits(standard: Standard, shapes: Mapping[str, Shape]) -> bool:
    """Whether the spectrogram and the source, where the network has them, are those of ``standard``."""
    spectrogram = shapes.get("enc_q.pre.weight")
    if spectrogram and spectrogram[1:2] != (standard.n_fft // 2 + 1,):
        return False
    first_noise_conv = shapes.get("dec.noise_convs.0.weight")  # its kernel is twice the hop of the first stage's output
    return not first_noise_conv or first_noise_conv[-1] == 2 * (standard.hop_length // standard.rates[0])


def _shape(shapes: Mapping[str, Shape], name: str, rank: int) -> Shape:
    if name not in shapes:
        raise FormatError(f"These are not the weights of an RVC generator: there is no {name}.")
    if len(shapes[name]) != rank:
        raise FormatError(f"These are not the weights of an RVC generator: {name} has {len(shapes[name])} dimensions.")
    return shapes[name]
