"""What a file is: a voice, a training checkpoint or an index, in plain facts."""

from pathlib import Path
from typing import Any

from rvc import checkpoint
from rvc.errors import FormatError
from rvc.index.search import Index
from rvc.models.recognise import discriminator_of, vocoder_of
from rvc.voices import VoiceModel


def inspected(path: Path) -> dict[str, Any]:
    """Facts about ``path`` with ``kind`` first; a ``FormatError`` when it is none of ours."""
    if path.suffix.lower() == ".index":
        index = Index.load(path)
        return {"kind": "index", "path": path, "vectors": index.vectors, "dim": index.dim, "version": {256: "v1", 768: "v2"}.get(index.dim)}
    content = checkpoint.read(path, mmap=True)
    if "weight" in content:
        return {"kind": "voice", **VoiceModel.read(path).as_dict()}
    if isinstance(content.get("model"), dict):
        return _checkpoint(path, content)
    raise FormatError(f"{path.name} is neither a voice, a checkpoint nor an index.")


def _checkpoint(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    model = content["model"]
    generator = "enc_p.emb_phone.weight" in model
    facts = {"kind": "checkpoint", "path": path, "network": "generator" if generator else "discriminator",
             "tensors": len(model), "parameters": sum(one.numel() for one in model.values()),
             "epoch": content.get("iteration"), "learning_rate": content.get("learning_rate"), "optimizer": "optimizer" in content}
    if generator:
        width = model["enc_p.emb_phone.weight"].shape[1]
        facts |= {"version": {256: "v1", 768: "v2"}.get(width), "pitch_guidance": "enc_p.emb_pitch.weight" in model,
                  "speakers": len(model["emb_g.weight"]), "vocoder": vocoder_of(model)}
    else:
        facts |= {"discriminator": discriminator_of({name: tuple(one.shape) for name, one in checkpoint.old_names(model).items()})}
    return facts
