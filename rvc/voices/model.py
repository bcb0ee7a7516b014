"""What a voice file says about itself, and the network in it.

Reads the voice files of Applio and of mainline RVC in the spellings both have used. Torch is imported only when a file is opened,
so that listing voices stays quick.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rvc.errors import FormatError
from rvc.models.config import ModelConfig
from rvc.models.recognise import refuse_misfit, vocoder_of
from rvc.models.vocoders import HIFI_GAN

if TYPE_CHECKING:
    import torch

    from rvc.models.synthesizer import Synthesizer

DEFAULT_EMBEDDER = "contentvec"  # what voices were trained with that do not say


@dataclass(frozen=True, kw_only=True)
class VoiceModel:
    """What a voice file says about itself. Its weights stay on the disk until ``synthesizer``."""

    path: Path
    config: ModelConfig
    name: str
    embedder: str = DEFAULT_EMBEDDER
    embedder_content: str = ""  # which of its features, where there were several; empty in files that do not say
    n_speakers: int = 1  # ids 0 to n_speakers - 1 were trained; the table in the network may have more rows
    speakers: dict[int, str] = field(default_factory=dict)  # names by id, for those that have one
    epoch: int = 0
    step: int = 0
    author: str = ""
    info: str = ""
    created: str = ""  # ISO time, as written by the program that made it
    dataset_seconds: int | None = None
    model_hash: str = ""
    weights: str = ""  # "as trained", or which mean of them; empty in files that do not say

    @classmethod
    def read(cls, path: Path) -> "VoiceModel":
        """``FormatError`` says in a sentence why ``path`` is not a voice of ours."""
        from rvc import checkpoint

        path = Path(path)
        content = checkpoint.read(path, mmap=True)
        try:
            voice = cls._parsed(path, content)
            refuse_misfit(voice.config, {name: tuple(one.shape) for name, one in checkpoint.old_names(content["weight"]).items()})
            return voice
        except FormatError as error:
            raise FormatError(f"{path.name}: {error.message}", fix=error.fix) from error

    @classmethod
    def _parsed(cls, path: Path, content: dict[str, Any]) -> "VoiceModel":
        weight = _weight(content)
        config = ModelConfig.from_list(
            _with_speakers(content.get("config"), weight),
            version=_version(content.get("version")),
            pitch_guidance=bool(_whole(content, "f0", default=1)),
            vocoder=_text(content, "vocoder") or vocoder_of(weight) or HIFI_GAN,
        )
        _sample_rate(content.get("sr", config.sample_rate))  # config is what counts; this only refuses nonsense
        length = "dataset_length" if "dataset_length" in content else "dataset_lenght"  # as Applio 3.2.5 spelled it
        return cls(
            path=path,
            config=config,
            name=_text(content, "model_name") or path.stem,
            embedder=_text(content, "embedder_model") or DEFAULT_EMBEDDER,
            embedder_content=_text(content, "embedder_content"),
            n_speakers=min(max(1, _whole(content, "speakers_id")), config.n_speakers),
            speakers=named_speakers(content.get("speakers")),
            epoch=_whole(content, "epoch"),
            step=_whole(content, "step"),
            author=_text(content, "author"),
            info=_text(content, "info"),
            created=_text(content, "creation_date"),
            dataset_seconds=_seconds(_text(content, length)),
            model_hash=_text(content, "model_hash"),
            weights=_text(content, "weights_are"),
        )

    def synthesizer(self, device: "torch.device | str" = "cpu") -> "Synthesizer":
        """The network, ready to infer. Every tensor of the file fits and none is missing, or it is a ``FormatError``."""
        import torch

        from rvc import checkpoint
        from rvc.models.synthesizer import Synthesizer

        weight = _weight(checkpoint.read(self.path))
        with torch.random.fork_rng(devices=[]):  # loading a voice must not change what its sound is drawn from
            network = Synthesizer(self.config, posterior=False)
        checkpoint.load_state(network, weight, what=self.path.name, ignore=("enc_q.",))  # a few shared files kept enc_q
        return network.for_inference().to(device)

    def as_dict(self) -> dict[str, Any]:
        """Everything, in plain values, as ``rvc inspect`` shows it."""
        config = self.config
        return {
            "kind": "voice", "path": str(self.path), "name": self.name, "version": config.version, "sample_rate": config.sample_rate,
            "pitch_guidance": config.pitch_guidance, "vocoder": config.vocoder, "embedder": self.embedder, "n_speakers": self.n_speakers,
            "speakers": self.speakers, "epoch": self.epoch, "step": self.step, "author": self.author, "info": self.info,
            "created": self.created,
            "dataset_seconds": self.dataset_seconds, "model_hash": self.model_hash, "weights": self.weights, "config": config.as_list(),
        }


# -- the values of a voice file ------------------------------------------------------------------------------------------------


def _weight(content: dict[str, Any]) -> dict[str, Any]:
    """The tensors, if they are where they belong and nowhere else."""
    if "weight" not in content and "model" in content:
        raise FormatError("This is a training checkpoint, not a voice.", fix="Make a voice of it: python -m rvc export.")
    weight = content.get("weight")
    if not isinstance(weight, dict) or not weight:
        raise FormatError("This is not a voice: it has no weights under the key 'weight'.")
    for name, value in weight.items():
        if not isinstance(name, str) or not _is_tensor(value):
            raise FormatError(f"This is not a voice: 'weight' has an entry {name!r} that is not a tensor.")
    for key, value in content.items():
        if key != "weight" and any(_is_tensor(one) for one in _leaves(value)):
            raise FormatError(f"This is not a voice: it has tensors outside 'weight', under {key!r}.")
    return weight


def named_speakers(value: Any) -> dict[int, str]:
    """Names by id, ascending. The key is ours: what another program may keep under it is passed over."""
    if not isinstance(value, dict):
        return {}
    return {number: value[number] for number in sorted(one for one in value if type(one) is int and one >= 0)
            if isinstance(value[number], str) and value[number]}


def _with_speakers(config: Any, weight: dict[str, Any]) -> Any:
    """The config with as many speakers as the table has rows: older files state another number there."""
    table = weight.get("emb_g.weight")
    if not isinstance(config, (list, tuple)) or len(config) < 16 or table is None or table.dim() != 2:
        return config  # refused with the right sentence by those who read it
    return [*config[:15], len(table), *config[16:]]


def _version(value: Any) -> str:
    return "v1" if value is None else str(value)  # files from before v2 do not say


def _sample_rate(value: Any) -> int:
    """Hz from 40000, "40k" or "40000"."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(k?)\s*", str(value).lower()) if isinstance(value, (int, str, float)) else None
    if not match:
        raise FormatError(f"{value!r} is not a sample rate.")
    return round(float(match[1]) * (1000 if match[2] else 1))


def _whole(content: dict[str, Any], key: str, default: int = 0) -> int:
    """A count; some programs write them as text, some as None."""
    value = content.get(key)
    if value is None or value == "":
        return default
    if isinstance(value, (int, float, str)) and re.fullmatch(r"true|false|-?\d{1,15}(\.0*)?", str(value).lower()):
        return {"true": 1, "false": 0}.get(str(value).lower()) or int(float(value))
    raise FormatError(f"{key!r} is {value!r}, which is not a whole number.")


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key)
    if value is None or value == "None":  # Applio writes the word for an author it does not know
        return ""
    if not isinstance(value, (str, int, float)):
        raise FormatError(f"{key!r} is a {type(value).__name__}, not text.")
    return str(value)


def _seconds(text: str) -> int | None:
    """Of "HH:MM:SS"; ``None`` for anything else, which is only shown."""
    match = re.fullmatch(r"(\d+):(\d+):(\d+)(?:\.\d+)?", text)
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) if match else None


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _leaves(value: Any) -> Iterator[Any]:
    """The values inside nested containers. A stack and not recursion: a file may nest as deep as it likes."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            pending += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple, set)):
            pending += one
        else:
            yield one
