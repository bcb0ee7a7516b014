"""ContentVec, SPIN, and any other HuBERT (Hsu et al. 2021) in a local folder of ``transformers``' layout. Nothing is fetched.

v2 voices take the last hidden state, 768 wide. v1 voices take layer 9 through ``final_proj``, 256 wide, as RVC trained them;
Applio's inference takes the last layer there, which v1 voices were not made for.
"""

import json
from pathlib import Path

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import HubertConfig, HubertModel

from rvc import checkpoint
from rvc.embedders.frames import frame_count, padded, windowed
from rvc.errors import FormatError

V1_LAYER, V1_DIM = 9, 256
WIDTH = 768  # what v2 voices take
KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)  # together: fields of 400 samples, steps of 320
# Training's mask embedding, and what fairseq leaves behind: nothing of it is used here.
_UNUSED = ("masked_spec_embed", "label_embs_concat", "mask_emb", "lm_head")
WINDOW_SECONDS, CONTEXT_SECONDS = 60.0, 2.0  # attention's memory grows with the square of a window


class ContentHubert(HubertModel):
    """HuBERT with the projection that ContentVec's authors trained it with."""

    def __init__(self, config: HubertConfig) -> None:
        super().__init__(config)
        self.final_proj = nn.Linear(config.hidden_size, V1_DIM)


class Hubert:
    """An embedder over ``ContentHubert``."""

    def __init__(self, name: str, network: nn.Module, version: str, device: torch.device) -> None:
        self.name, self.dim, self._version, self._device = name, V1_DIM if version == "v1" else WIDTH, version, device
        self._network = network.to(device).eval().requires_grad_(False)

    @classmethod
    def from_folder(cls, folder: Path, name: str, version: str, device: torch.device) -> "Hubert":
        """``FormatError`` names what is wrong with the folder; nothing is loaded then."""
        config, weights = _config(folder), _weights(folder)
        if version == "v1" and not any(key.startswith("final_proj.") for key in weights):
            raise FormatError(f"The embedder {name} has no final_proj, which v1 voices need.", fix="Use it for v2 voices, or contentvec.")
        network = ContentHubert(config)
        ours = () if version == "v1" else ("final_proj",)
        if ours:  # v2 never looks at the projection, and folders of plain HuBERTs have none
            weights = {key: value for key, value in weights.items() if not key.startswith(ours)} | {
                f"final_proj.{key}": value for key, value in network.final_proj.state_dict().items()}
        mask = {key: value for key, value in network.state_dict().items() if key == "masked_spec_embed"}
        kept = {key: value for key, value in weights.items() if not key.startswith(_UNUSED)}
        checkpoint.load_state(network, {**kept, **mask}, what=f"the embedder {name}")
        return cls(name, network, version, device)

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples: float32 [B, n] at 16 kHz. -> float32 [B, N, dim]"""
        return windowed(samples, self._extract, WINDOW_SECONDS, CONTEXT_SECONDS)

    @torch.inference_mode()
    def _extract(self, samples: np.ndarray) -> np.ndarray:
        frames = frame_count(samples.shape[1])
        output = self._network(torch.from_numpy(padded(samples)).to(self._device), output_hidden_states=self._version == "v1")
        features = self._network.final_proj(output.hidden_states[V1_LAYER]) if self._version == "v1" else output.last_hidden_state
        return features[:, :frames].float().cpu().numpy()


def _config(folder: Path) -> HubertConfig:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        config = HubertConfig(**values)
    except (ValueError, TypeError, StrictDataclassError) as error:  # no text, no JSON, no object, or values of the wrong kind
        raise FormatError(f"{path} is damaged: {error}.") from error
    if values.get("model_type") not in ("hubert", None) or config.hidden_size != WIDTH:
        raise FormatError(f"{folder.name} is no HuBERT of width {WIDTH} (it says {values.get('model_type')}, {config.hidden_size}).")
    if config.num_hidden_layers < V1_LAYER:
        raise FormatError(f"{folder.name} has {config.num_hidden_layers} layers; at least {V1_LAYER} are needed.")
    for field, needed in (("conv_kernel", KERNELS), ("conv_stride", STRIDES)):
        if tuple(getattr(config, field)) != needed:
            raise FormatError(f"{path} says {field} is {getattr(config, field)}; frames of voices need {list(needed)}.")
    return config


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    if (path := folder / "model.safetensors").is_file():
        try:
            weights = load_file(path)
        except SafetensorError as error:
            raise FormatError(f"{path} is damaged: {error}.") from error
    else:
        weights = checkpoint.read(folder / "pytorch_model.bin")
    # HubertForCTC and friends keep the encoder under a prefix
    return {key.removeprefix("hubert."): value for key, value in weights.items()}
