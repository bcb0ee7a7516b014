"""What a pretrain's networks are, and the small JSON beside a pair that says so: ``<name>.json`` beside ``G_<name>.pth``. No torch.

Files that people share say little about themselves: weights and, with luck, a sample rate in the name. Pairs made here say the rest.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rvc.errors import FormatError

FORMAT = 1
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Network:
    """What decides whether weights can be gone on with. ``None``: it is not known."""

    sample_rate: int | None = None  # Hz
    version: str | None = None
    pitch_guidance: bool | None = None
    vocoder: str | None = None
    embedder: str | None = None  # of a folder of one's own only its name: it lies elsewhere on another machine
    model_size: str | None = None

    def differences(self, wanted: "Network") -> dict[str, tuple[Any, Any]]:
        """What is known on both sides and not the same: by name, what it is here and what it is in ``wanted``."""
        pairs = {one.name: (getattr(self, one.name), getattr(wanted, one.name)) for one in fields(self)}
        return {name: pair for name, pair in pairs.items() if None not in pair and pair[0] != pair[1]}

    def completed(self, other: "Network") -> "Network":
        """What is not known here taken from ``other``."""
        return Network(**{name: getattr(other, name) if value is None else value for name, value in asdict(self).items()})


class Sidecar(BaseModel):
    """The JSON itself. Entries of later versions of it are passed over."""

    model_config = ConfigDict(frozen=True, strict=True)

    format: Literal[1] = FORMAT
    name: str
    sample_rate: int
    version: str
    pitch_guidance: bool
    vocoder: str
    embedder: str
    model_size: str
    hours: float = Field(ge=0)  # of recordings that were trained on
    speakers: int = Field(ge=1)
    steps: int = Field(ge=0)
    epochs: int = Field(ge=0)
    started_from: str  # "scratch", or what the run started from
    datasets: tuple[str, ...] = Field(strict=False)  # names only, no paths
    weights: str = "as trained"
    created: str
    sha256: dict[Literal["G", "D"], str]

    @property
    def network(self) -> Network:
        return Network(**{one.name: getattr(self, one.name) for one in fields(Network)})

    def text(self) -> str:
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False) + "\n"


def path_beside(g_path: Path) -> Path | None:
    """Where the JSON of this G is; ``None`` for names that have no place for one."""
    return g_path.with_name(f"{g_path.stem.removeprefix('G_')}.json") if g_path.stem.startswith("G_") else None


def read(path: Path) -> Sidecar:
    """``FormatError`` says in a sentence what is wrong with it."""
    try:
        return Sidecar.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its content"
        raise FormatError(f"{path.name} is damaged: {where}: {first['msg'].lower()}.") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path.name} is damaged: it is no JSON file.") from error


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha.update(chunk)
    return sha.hexdigest()
