"""Writing voices: the weights that inference needs, in half precision, with what Applio and mainline RVC read beside them."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rvc import checkpoint
from rvc.embedders import registry as embedders
from rvc.errors import FormatError
from rvc.models.config import ModelConfig
from rvc.models.recognise import config_from_shapes
from rvc.models.synthesizer import Synthesizer

_TRAINING_ONLY = "enc_q."


@dataclass(frozen=True, kw_only=True)
class VoiceFacts:
    """What a voice says about itself beside its network."""

    name: str
    epoch: int = 0
    step: int = 0
    embedder: str = "contentvec"
    n_speakers: int = 1  # trained speakers, not rows of the table
    dataset_seconds: float | None = None
    author: str = ""
    speakers: dict[int, str] = field(default_factory=dict)  # names by id; empty for one speaker
    info: str = ""  # empty: "<epoch>epoch", as mainline writes
    weights: str = "as trained"  # or which mean of them


def export_voice(synthesizer: Synthesizer, config: ModelConfig, path: Path, facts: VoiceFacts) -> None:
    """The voice of a network in training, into ``path``. The network is not changed."""
    tensors = {name: one for name, one in checkpoint.state_of(synthesizer).items() if not name.startswith(_TRAINING_ONLY)}
    assert any(name.endswith(".weight_g") for name in tensors), "a network made ready for inference has lost what the file format needs"
    _write(path, tensors, config, facts)


def voice_from_checkpoint(
    g_path: Path, path: Path, facts: VoiceFacts, *, sample_rate: int | None = None, weights: dict[str, Tensor] | None = None
) -> ModelConfig:
    """The voice of a ``G_*.pth`` of ours, Applio's or mainline's, into ``path``; its network is told from the tensors.

    sample_rate: in Hz, must be the network's; ``None`` works it out. weights: a mean of the generator's, to be taken instead of those
    in the file. An epoch of 0 in ``facts`` takes that of the file.
    """
    content = checkpoint.read(g_path)
    state = weights or content.get("model", content)
    if not isinstance(state, dict):
        raise FormatError(f"{Path(g_path).name}: its 'model' is not a dictionary of weights.")
    state = checkpoint.old_names(state)
    config = config_of_state(state, what=Path(g_path).name, sample_rate=sample_rate)
    with torch.random.fork_rng(devices=[]):  # only its names and shapes are wanted
        network = Synthesizer(config, posterior=False)
    tensors = checkpoint.old_names(checkpoint.fitted(network, state, what=Path(g_path).name, ignore=(_TRAINING_ONLY,)))
    epoch = facts.epoch or content.get("iteration") or 0
    _write(path, tensors, config, replace(facts, epoch=int(epoch)))
    return config


def config_of_state(state: dict[str, Any], *, what: str, sample_rate: int | None = None) -> ModelConfig:
    """The network that the tensors of a generator belong to; ``FormatError`` with ``what`` in front when it is none of ours."""
    shapes = {name: tuple(value.shape) for name, value in checkpoint.old_names(state).items() if isinstance(value, Tensor)}
    try:
        return config_from_shapes(shapes, sample_rate=sample_rate)
    except FormatError as error:
        raise FormatError(f"{what}: {error.message}", fix=error.fix) from error


def model_hash(facts: VoiceFacts, config: ModelConfig) -> str:
    """Applio's fingerprint of a voice: of its description, not of its weights."""
    text = f"{facts.name}-{facts.epoch}-{facts.step}-{config.sample_rate}-{config.version}-{config.as_list()}"
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, tensors: dict[str, Tensor], config: ModelConfig, facts: VoiceFacts) -> None:
    checkpoint.write(path, {
        "weight": checkpoint.halved(tensors, what="The voice"),
        "config": config.as_list(),
        "sr": config.sample_rate,
        "f0": int(config.pitch_guidance),
        "version": config.version,
        "vocoder": config.vocoder,
        "info": facts.info or f"{facts.epoch}epoch",
        "epoch": facts.epoch,
        "step": facts.step,
        "creation_date": datetime.now().strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "model_hash": model_hash(facts, config),
        "dataset_length": _clock(facts.dataset_seconds),
        "model_name": facts.name,
        "author": facts.author or "None",
        "embedder_model": facts.embedder,
        "speakers_id": facts.n_speakers,
        "weights_are": facts.weights,
    } | _content_of(facts.embedder) | ({"speakers": dict(facts.speakers)} if facts.speakers else {}))


def _content_of(embedder: str) -> dict[str, str]:
    """For embedders whose features have versions."""
    content = embedders.content(embedder)
    return {} if content == embedder else {"embedder_content": content}


def _clock(seconds: float | None) -> str | None:
    """As "HH:MM:SS", which is how Applio writes durations."""
    if seconds is None:
        return None
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"
