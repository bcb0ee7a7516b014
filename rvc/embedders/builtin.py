"""The built-in embedder: a small encoder of our own (``rvc/embedders/mini.py``), whose weights come with the studio.

``recipes/encoder`` trained it; ``assets/embedders/timbre-mini.md`` says from what, and what it is good for. v2 voices take its 768
values. v1 voices take 256: a fixed orthonormal projection of these, which nearly keeps distances.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rvc import checkpoint
from rvc.embedders.frames import FRAME_FIELD, FRAME_STEP, frame_count, padded, windowed
from rvc.embedders.mini import FIELD_SECONDS, OUTPUT, LogMel, MiniEncoder
from rvc.embedders.registry import BUILTIN_CONTENT, BUILTIN_WEIGHTS, RESTORE
from rvc.errors import FormatError, MissingAssetError
from rvc.paths import written_whole

WINDOW_SECONDS, CONTEXT_SECONDS = 60.0, 1.0  # the context holds half the field; windows only bound the memory
V1_DIM, V1_SEED = 256, 20_221_206
assert CONTEXT_SECONDS > FIELD_SECONDS / 2


class Builtin:
    """An embedder over ``MiniEncoder``."""

    name = "builtin"

    def __init__(self, version: str, device: torch.device, weights: Path = BUILTIN_WEIGHTS) -> None:
        self.dim = V1_DIM if version == "v1" else OUTPUT
        self._device = device
        self._log_mel = LogMel().to(device)
        self._network = read(weights).to(device).eval().requires_grad_(False)
        self._projection = _projection().to(device) if version == "v1" else None

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples: float32 [B, n] at 16 kHz. -> float32 [B, N, dim]"""
        return windowed(samples, self._extract, WINDOW_SECONDS, CONTEXT_SECONDS)

    @torch.inference_mode()
    def _extract(self, samples: np.ndarray) -> np.ndarray:
        whole = padded(samples)[:, : (frame_count(samples.shape[1]) - 1) * FRAME_STEP + FRAME_FIELD]  # what is less than a frame would be
        features = self._network(self._log_mel(torch.from_numpy(whole).to(self._device)))  # heard at the end of a file, but not of a piece
        if self._projection is not None:
            features = features @ self._projection
        return features.cpu().numpy()


def read(path: Path) -> MiniEncoder:
    """The network with the weights in ``path``. ``MissingAssetError``, or ``FormatError`` that says what is wrong with the file."""
    if not path.is_file():
        raise MissingAssetError(f"The weights of the built-in encoder, {path}, are missing.", fix=RESTORE)
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dictionary
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path} is damaged: {error}.", fix=RESTORE) from error
    if about.get("content") != BUILTIN_CONTENT:
        raise FormatError(f"{path} holds {about.get('content', 'something else')}; this version of the studio needs {BUILTIN_CONTENT}.",
                          fix=RESTORE)
    if about.get("sha256") != _digest(weights):
        raise FormatError(f"{path} is damaged: its checksum is another one.", fix=RESTORE)
    network = MiniEncoder()
    checkpoint.load_state(network, {name: value.float() for name, value in weights.items()}, what="the built-in encoder")
    return network


def write(path: Path, network: nn.Module) -> None:
    """In half precision, which halves the file and moves features by a thousandth."""
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    with written_whole(path) as unfinished:
        save_file(weights, unfinished, {"content": BUILTIN_CONTENT, "sha256": _digest(weights)})


def _digest(weights: dict[str, Tensor]) -> str:
    """Of names and values; the format itself has no checksum."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].numpy().tobytes())
    return digest.hexdigest()


def _projection() -> Tensor:
    """(OUTPUT, 256) with orthonormal columns, which keeps the features' deviation; the same on every machine."""
    random = np.random.default_rng(V1_SEED).standard_normal((OUTPUT, V1_DIM))
    q, r = np.linalg.qr(random)
    return torch.from_numpy((q * np.sign(np.diag(r))).astype(np.float32))
