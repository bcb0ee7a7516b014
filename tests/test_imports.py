"""Imports point one way, and what must start fast imports nothing heavy."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

# Each floor may import from its own and from those below it. The order is the house's: see docs/architecture.md.
FLOORS = [
    {"rvc.errors", "rvc.paths", "rvc.settings", "rvc.events", "rvc.words", "rvc.gpus", "rvc.interval"},
    {"rvc.audio", "rvc.audio_writer", "rvc.audio_samples", "rvc.device", "rvc.checkpoint"},
    {"rvc.models", "rvc.f0", "rvc.embedders", "rvc.index", "rvc.download", "rvc.optimizers"},
    {"rvc.voices", "rvc.export", "rvc.inspection"},
    {"rvc.infer", "rvc.train"},
    {"rvc.jobs", "rvc.worker", "rvc.doctor"},
    {"rvc.cli", "rvc.__main__", "tabs"},
    {"app"},
]
LEAVES, USES = FLOORS[2], FLOORS[4]
TRAIN_ROOMS = ["data", "fitting", "listening"]
ROOMS_ABOVE = {"processes", "lab"}
# A settings file is values and nothing else: it may be read from anywhere above.
LIGHT = ["rvc.cli", "rvc.jobs", "rvc.train.run", "rvc.train.settings", "rvc.train.listening.epochs", "rvc.train.listening.comparison",
         "rvc.train.lab.apply", "rvc.infer.settings", "rvc.f0.registry", "rvc.embedders.registry", "rvc.optimizers.registry",
         "rvc.download.catalog", "rvc.download.fetch", "rvc.events", "rvc.worker"]
HEAVY = ["torch", "torchaudio", "transformers", "faiss", "librosa", "scipy", "gradio", "matplotlib", "sklearn"]


def modules() -> dict[str, Path]:
    files = [PROJECT / "app.py", *(PROJECT / "rvc").rglob("*.py"), *(PROJECT / "tabs").rglob("*.py")]
    return {".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def unit(module: str) -> str:
    """``rvc.models.flow`` belongs to ``rvc.models``."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "rvc" else parts[0]


def floor(module: str) -> int:
    found = [i for i, names in enumerate(FLOORS) if unit(module) in names]
    if module == "rvc":  # the package itself: its version below, its public names above everything, imported when used
        return 0
    assert found, f"{module} has no floor: say where it stands in FLOORS and in docs/architecture.md"
    return found[0]


def room_of(module: str) -> str | None:
    """``rvc.train.data.clips`` is in ``data``; what binds the rooms is in none."""
    parts = module.split(".")
    return parts[2] if parts[:2] == ["rvc", "train"] and len(parts) > 2 and parts[2] in {*TRAIN_ROOMS, *ROOMS_ABOVE} else None


def imported(file: Path) -> set[str]:
    """Modules of the project that ``file`` imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file.name}: imports are absolute"
            inside = {f"rvc.{alias.name}" for alias in node.names} & modules().keys() if node.module == "rvc" else set()
            names |= inside or {node.module}
    return {name for name in names if name.split(".")[0] in ("rvc", "tabs", "app")}


@pytest.mark.parametrize(("module", "file"), modules().items(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_module_imports_only_from_its_floor_and_below(module, file):
    for other in imported(file) if module != "rvc" else ():
        assert floor(other) <= floor(module), f"{module} imports {other} from above"
        for alone in (LEAVES, USES):
            if unit(module) in alone and unit(other) in alone:
                assert unit(module) == unit(other), f"{module} imports its neighbour {other}"


def test_a_room_of_the_training_uses_only_those_before_it():
    for module, file in modules().items():
        if (room := room_of(module)) in TRAIN_ROOMS:
            for other in filter(None, map(room_of, imported(file))):
                assert other in TRAIN_ROOMS[: TRAIN_ROOMS.index(room) + 1], f"{module} imports from {other}"


def test_the_library_knows_nothing_of_the_page():
    for module, file in modules().items():
        if module.startswith("rvc"):
            text = file.read_text(encoding="utf-8")
            assert "import gradio" not in text, module
            assert "from gradio" not in text, module


def loaded_by(module: str) -> set[str]:
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", LIGHT)
def test_what_must_start_fast_imports_nothing_heavy(module):
    assert not loaded_by(module) & set(HEAVY)
