"""A starter kit for tests: files of the shape of those in ``assets/starter``, in a folder of their own."""

from pathlib import Path

from rvc.download import sidecar, starter
from rvc.download.sidecar import Sidecar
from rvc.export import VoiceFacts, export_voice
from rvc.models.config import config_for
from rvc.models.synthesizer import Synthesizer
from rvc.paths import Home
from tests.download.files import checkpoint


def put_pair(home: Home, **changes) -> Path:
    """G, D and JSON; the weights are none, but whole files. ``changes`` of what the JSON says. -> the folder"""
    home.starter.mkdir(parents=True, exist_ok=True)
    weights = starter.weights(home)
    for seed, path in enumerate(weights.values()):
        path.write_bytes(checkpoint(2_000, seed))
    about = {"name": starter.NAME, **vars(starter.NETWORK), "hours": 1.5, "speakers": 12, "steps": 3000, "epochs": 7,
             "started_from": "scratch", "datasets": ["corpus"], "created": "2026-01-01T00:00:00+00:00",
             "sha256": {letter: sidecar.digest(path) for letter, path in weights.items()}, **changes}
    (home.starter / "starter.json").write_text(Sidecar.model_validate(about).text(), encoding="utf-8")
    return home.starter


def put_voice(home: Home, name: str, *, card: str = "A preview.") -> Path:
    """A voice of random weights, with a card and without an index. -> its file"""
    path = home.starter / "voices" / name / f"{name}.pth"
    path.parent.mkdir(parents=True)
    config = config_for("v2", 24000, size="tiny", n_speakers=1)
    export_voice(Synthesizer(config), config, path, VoiceFacts(name=name, embedder="builtin"))
    path.with_suffix(".md").write_text(f"# {name}\n\n{card}\n", encoding="utf-8")
    return path
