"""What *auto* came to, in sentences with the reason."""

from rvc.download import starter
from rvc.download.pairs import OFFICIAL_EMBEDDER
from rvc.train.bases import SCRATCH
from rvc.train.chosen import remarks
from rvc.train.run import Resolved
from rvc.train.settings import TrainingSettings


def sentences(settings: TrainingSettings, resolved: Resolved) -> list[str]:
    """One sentence for each choice that was left open, and how several devices share the batch. Often empty."""
    asked = settings.model
    said = []
    if asked.embedder == "auto":
        said.append(f"Embedder: {resolved.embedder}.{_why_embedder(resolved)}")
    if asked.f0_method == "auto" and asked.pitch_guidance:
        said.append(f"Pitch detector: {resolved.f0_method}.{_why_detector(resolved)}")
    if asked.base_model == "auto":
        said.append(_pretrain(settings, resolved))
    said += remarks(settings.fit, fine_tune=resolved.base_model != SCRATCH)
    if len(settings.fit.devices) > 1:
        said.append(f"Batch {settings.fit.shares}: {', '.join(settings.fit.devices)} share it.")
    return said


def _why_embedder(resolved: Resolved) -> str:
    if resolved.embedder != "builtin":
        return ""
    return f" {OFFICIAL_EMBEDDER}, which gives better voices, is not downloaded. The built-in one is for first steps."


def _why_detector(resolved: Resolved) -> str:
    return " rmvpe is not downloaded." if resolved.f0_method == "fcpe" else ""


def _pretrain(settings: TrainingSettings, resolved: Resolved) -> str:
    if resolved.base_model == starter.NAME:
        return (f"Pretrain: {starter.NAME}, which comes with Timbre and is for first steps and for machines without a model hub. "
                f"{OFFICIAL_EMBEDDER} with an official pretrain gives better voices, where they can be downloaded.")
    if resolved.base_model != SCRATCH:
        return f"Pretrain: {resolved.base_model}."
    if settings.model.model_size != "standard":
        why = "the official pretrains are of the standard size"
    elif settings.model.vocoder != "HiFi-GAN":
        why = f"there is no official one for {settings.model.vocoder}"
    elif resolved.embedder != OFFICIAL_EMBEDDER:
        why = f"the official pretrains understand {OFFICIAL_EMBEDDER} only"
    else:
        why = f"none is downloaded for {settings.data.sample_rate / 1000:g} kHz and {settings.model.version}"
    return f"Pretrain: none, from scratch, because {why}. A good voice from scratch needs hours of recordings."
