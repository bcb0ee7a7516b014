"""Which network a set of tensors belongs to: training checkpoints carry weights but no ``config`` list. No torch here."""

from collections.abc import Mapping

from rvc.errors import FormatError
from rvc.models.config import ATTENTION_WINDOW, CONTENT_CHANNELS, HIFI_GAN, STANDARD, ModelConfig, Standard

Shape = tuple[int, ...]


def config_from_shapes(shapes: Mapping[str, Shape], *, sample_rate: int | None = None) -> ModelConfig:
    """The config of a generator whose tensors (weight norm in the old spelling) have ``shapes``.

    sample_rate: in Hz; ``None`` works it out, which the shapes of all standard networks allow while ``enc_q`` is among them.
    ``FormatError`` when this is no generator of ours, or not one for ``sample_rate``.
    """
    refuse_other_vocoders(shapes)
    content, attention, feed_forward = (
        _shape(shapes, f"enc_p.{name}", rank)
        for name, rank in (("emb_phone.weight", 2), ("encoder.attn_layers.0.emb_rel_k", 3), ("encoder.ffn_layers.0.conv_1.weight", 3))
    )
    generator, speakers = _shape(shapes, "dec.conv_pre.weight", 3), _shape(shapes, "emb_g.weight", 2)
    version = next((name for name, channels in CONTENT_CHANNELS.items() if channels == content[1]), None)
    if version is None:
        raise FormatError(f"The content encoder reads {content[1]} channels; v1 networks read 256 and v2 networks 768.")
    rate, standard = _standard(shapes, version, sample_rate)
    config = ModelConfig(
        version=version,
        pitch_guidance="enc_p.emb_pitch.weight" in shapes,
        vocoder=HIFI_GAN,
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
        upsample_rates=standard.rates,
        upsample_initial_channel=generator[0],
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
    hidden, initial = config.hidden_channels, config.upsample_initial_channel
    head = hidden // config.n_heads
    wanted: dict[str, Shape] = {
        "enc_p.emb_phone.weight": (hidden, config.content_channels),
        "enc_p.encoder.attn_layers.0.emb_rel_k": (1, 2 * ATTENTION_WINDOW + 1, head),
        "enc_p.encoder.ffn_layers.0.conv_1.weight": (config.filter_channels, hidden, config.kernel_size),
        f"enc_p.encoder.ffn_layers.{config.n_layers - 1}.conv_1.weight": (config.filter_channels, hidden, config.kernel_size),
        "dec.conv_pre.weight": (initial, config.inter_channels, 7),
        "emb_g.weight": (config.n_speakers, config.gin_channels),
    }
    for stage, kernel in enumerate(config.upsample_kernel_sizes):
        wanted[f"dec.ups.{stage}.weight_v"] = (initial >> stage, initial >> (stage + 1), kernel)
    for block, kernel in enumerate(config.resblock_kernel_sizes):
        wanted[f"dec.resblocks.{block}.convs1.0.weight_v"] = (initial // 2, initial // 2, kernel)
    for name, shape in wanted.items():
        if shapes.get(name) != shape:
            has = "×".join(map(str, shapes[name])) if name in shapes else "missing"
            raise FormatError(f"The weights are not those of the network it describes: {name} is {has}, not {'×'.join(map(str, shape))}.")


def refuse_other_vocoders(names: Mapping[str, object]) -> None:
    """``FormatError`` that names the vocoder when the tensors are those of one that only other programs have."""
    if any(name.startswith(("dec.upsamples.", "dec.mrfs.")) for name in names):
        raise FormatError("These are weights of the MRF HiFi-GAN vocoder, which is not part of this program.")
    if any(name.startswith(("dec.mel_conv.", "dec.downsample_blocks.")) for name in names):
        raise FormatError("These are weights of the RefineGAN vocoder, which is not part of this program.")


def _standard(shapes: Mapping[str, Shape], version: str, sample_rate: int | None) -> tuple[int, Standard]:
    """The standard upsampling that fits, in Hz and as such. Mainline's older v2 networks upsample like v1: both are looked at."""
    kernels = []
    while (name := f"dec.ups.{len(kernels)}.weight_v") in shapes:
        kernels.append(_shape(shapes, name, 3)[-1])
    fitting = [(rate, one) for (_, rate), one in STANDARD.items() if one.kernels == tuple(kernels) and _fits(one, shapes)]
    if sample_rate is not None:
        fitting = [(rate, one) for rate, one in fitting if rate == sample_rate]
    if len(set(fitting)) == 1:
        return fitting[0]
    rates = sorted({rate for rate, _ in fitting})
    if rates:
        raise FormatError(f"These weights fit networks for {' and '.join(map(str, rates))} Hz.", fix="State the sample rate.")
    wanted = f"for {sample_rate} Hz" if sample_rate else "this program knows"
    raise FormatError(f"These weights belong to no {version} network {wanted} (upsampling kernels {kernels}).")


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
