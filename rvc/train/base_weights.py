"""The weights a run starts from: what their shapes say is compared with what the run needs, before the first step and by name.

``bases.py`` compares what names and the JSON beside a pair say. Files that say nothing are told apart here, by tables of shapes; that
every single tensor fits is found out when they are loaded.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rvc import checkpoint
from rvc.download import sidecar
from rvc.download.sidecar import Network
from rvc.errors import FormatError, RunError
from rvc.models.config import CONTENT_CHANNELS, SIZES, STANDARD, config_for
from rvc.train.bases import Base, refuse_misfit
from rvc.train.fitting.checkpoints import Snapshot

Shape = tuple[int, ...]

# Tensors that only the generator of one vocoder has.
_VOCODERS = {"dec.ups.": "HiFi-GAN", "dec.upsamples.": "MRF HiFi-GAN", "dec.mel_conv.": "RefineGAN"}
_RESOLUTION_KERNEL = (3, 9)  # of the critics that look at spectrograms, which only the third discriminator has
_CRITICS = {(7, False): "v1", (9, False): "v2", (9, True): "v3"}  # how many there are, and whether some look at spectrograms
_PERIOD_CHANNELS = {32: "standard", 4: "small", 2: "tiny"}  # of the first layer of the critics that fold the waveform


def read(base: Base, wanted: Network) -> Snapshot:
    """Both files, read whole. Errors as of ``refuse_unfit``, and ``RunError`` when another run has removed them meanwhile."""
    refuse_unfit(base, wanted)
    _refuse_changed(base)
    try:
        return Snapshot(0, checkpoint.read(base.g_path), checkpoint.read(base.d_path), {}, base.title)
    except FormatError as error:
        _refuse_removed(base)
        raise error


def refuse_unfit(base: Base, wanted: Network) -> None:
    """``SettingsError`` when the weights are of another network than ``wanted``, ``FormatError`` when G and D are of two models.

    Only names and shapes are read, which takes no time at any size.
    """
    _refuse_removed(base)
    g, d = shapes_of(base.g_path), shapes_of(base.d_path)
    _refuse_other_kind(base, g, d)
    seen = generator_network(g)
    refuse_misfit(replace(base, network=seen.completed(base.network)), wanted)
    _refuse_two_models(base, seen, d)


def shapes_of(path: Path) -> dict[str, Shape]:
    """Of the tensors in a training checkpoint, weight norm in the old spelling."""
    content = checkpoint.read(path, mmap=True)
    model = content.get("model")
    if not isinstance(model, dict):
        raise FormatError(f"{path.name} has no 'model': it is not a training checkpoint.")
    return {str(name): tuple(value.shape) for name, value in checkpoint.old_names(model).items() if hasattr(value, "shape")}


def generator_network(shapes: Mapping[str, Shape]) -> Network:
    """What the shapes of a generator say. They never say the embedder, and of a RefineGAN not always the sample rate."""
    content = shapes.get("enc_p.emb_phone.weight", ())
    hidden, channels = content if len(content) == 2 else (None, None)
    sizes = {config_for("v2", 40000, size=size).hidden_channels: size for size in SIZES}
    return Network(
        sample_rate=_sample_rate(shapes),
        version=next((version for version, count in CONTENT_CHANNELS.items() if count == channels), None),
        pitch_guidance="enc_p.emb_pitch.weight" in shapes if len(content) == 2 else None,
        vocoder=next((vocoder for prefix, vocoder in _VOCODERS.items() if any(name.startswith(prefix) for name in shapes)), None),
        model_size=sizes.get(hidden),
    )


def discriminator_kind(shapes: Mapping[str, Shape]) -> str | None:
    """v1, v2 or v3; ``None`` for what is none of them."""
    critics = {name.split(".")[1] for name in shapes if name.startswith("discriminators.")}
    resolution = any(shape[-2:] == _RESOLUTION_KERNEL for name, shape in shapes.items() if name.endswith(".convs.0.weight_v"))
    return _CRITICS.get((len(critics), resolution))


def _sample_rate(shapes: Mapping[str, Shape]) -> int | None:
    """In Hz, if only one of the standard networks upsamples like this from such a spectrogram."""
    kernels = _kernels(shapes)
    bins = shapes.get("enc_q.pre.weight", (0, 0))[1:2]
    fitting = {rate for (_, rate), one in STANDARD.items() if bins == (one.n_fft // 2 + 1,) and kernels in ((), one.kernels)}
    return fitting.pop() if len(fitting) == 1 else None


def _kernels(shapes: Mapping[str, Shape]) -> tuple[int, ...]:
    names = (f"dec.{prefix}.{{}}.weight_v" for prefix in ("ups", "upsamples"))
    return next((found for name in names if (found := tuple(_kernels_named(shapes, name)))), ())


def _kernels_named(shapes: Mapping[str, Shape], name: str) -> list[int]:
    kernels: list[int] = []
    while shape := shapes.get(name.format(len(kernels))):
        kernels.append(shape[-1])
    return kernels


def _refuse_removed(base: Base) -> None:
    gone = [path.name for path in (base.g_path, base.d_path) if not path.exists()]
    if gone and base.kind == "run":
        raise RunError(f"{base.title[0].upper()}{base.title[1:]} has been removed meanwhile: that run keeps its newest checkpoints only.",
                       fix="Start from another step, or without one from its newest.")
    if gone:
        raise FormatError(f"{gone[0]} of {base.title} is gone.", fix=base.restoring or "Bring it back, or choose another pretrain.")


def _refuse_changed(base: Base) -> None:
    """A pair whose JSON states other files: one of the two was exchanged, or both."""
    other = [path.name for letter, path in (("G", base.g_path), ("D", base.d_path))
             if letter in base.sha256 and sidecar.digest(path) != base.sha256[letter]]
    if len(other) == 1:
        raise FormatError(f"{base.g_path.name} and {base.d_path.name} are of two models: {other[0]} is not the file that {base.title} "
                          "was made with.", fix=base.restoring or "Put its own file back, or take another pretrain.")
    if other:
        raise FormatError(f"The JSON beside {base.title} is about other files than {' and '.join(other)}.",
                          fix=base.restoring or "Remove or correct it.")


def _refuse_other_kind(base: Base, g: Mapping[str, Shape], d: Mapping[str, Shape]) -> None:
    """Files under each other's name, or of something else altogether."""
    for path, shapes, prefix, what in ((base.g_path, g, "enc_p.", "generator"), (base.d_path, d, "discriminators.", "discriminator")):
        if not any(name.startswith(prefix) for name in shapes):
            raise FormatError(f"{path.name} of {base.title} does not hold a {what}.", fix="Look whether G and D were exchanged.")


def _refuse_two_models(base: Base, g: Network, d: Mapping[str, Shape]) -> None:
    kind, size = discriminator_kind(d), _discriminator_size(d)
    belongs = "v3" if g.vocoder == "RefineGAN" else g.version
    if kind and belongs and kind != belongs:
        raise FormatError(f"{base.g_path.name} and {base.d_path.name} are of two models: G is a {g.version} {g.vocoder}, which learns from "
                          f"the discriminator {belongs}; D is a {kind}.", fix="Take the G and the D of one pretrain.")
    if size and g.model_size and size != g.model_size:
        raise FormatError(f"{base.g_path.name} and {base.d_path.name} are of two models: G is of the {g.model_size} size, D is of the "
                          f"{size} one.", fix="Take the G and the D of one pretrain.")


def _discriminator_size(shapes: Mapping[str, Shape]) -> str | None:
    first = shapes.get("discriminators.1.convs.0.weight_v", ())[:1]
    return _PERIOD_CHANNELS.get(*first) if first else None
