"""Reference numbers: outputs of Applio's own classes on synthetic weights, and the key tables of its files."""

import functools
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rvc.checkpoint import new_names, old_names
from rvc.models.config import ModelConfig, config_for
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer
from rvc.models.vocoders import HIFI_GAN, MRF_HIFI_GAN, REFINEGAN

DATA = Path(__file__).resolve().parent.parent / "data"
VOCODERS_OF_FILES = {"": HIFI_GAN, "mrf": MRF_HIFI_GAN, "refinegan": REFINEGAN}  # by the end of the reference files' names


@pytest.fixture(scope="session")
def key_table() -> Callable[[str], list[tuple[str, tuple[int, ...]]]]:
    """Names and shapes of a file's tensors, in its order."""

    def read(name: str) -> list[tuple[str, tuple[int, ...]]]:
        lines = (DATA / "keys" / f"{name}.tsv").read_text().splitlines()[1:]
        rows = [line.split("\t") for line in lines]
        return [(key, () if shape == "scalar" else tuple(map(int, shape.split(",")))) for key, shape in rows]

    return read


@pytest.fixture(scope="session")
def optimizer_order() -> Callable[[str], list[str]]:
    """Names of the parameters by their position in a file's optimizer state."""

    def read(name: str) -> list[str]:
        lines = (DATA / "keys" / f"OPTORDER_{name}.tsv").read_text().splitlines()[1:]
        return [line.split("\t")[1] for line in lines]

    return read


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, torch.Tensor]]:
    def read(name: str) -> dict[str, torch.Tensor]:
        with np.load(DATA / "golden" / f"{name}.npz") as file:
            return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}

    return read


@pytest.fixture(scope="module")
def with_recipe_weights() -> Callable[[torch.nn.Module], torch.nn.Module]:
    """Fills a network on the meta device with the weights that the reference outputs were made with."""
    drawn = functools.cache(_recipe)  # networks share most of their tensors

    def fill(network: torch.nn.Module) -> torch.nn.Module:
        shapes = {name: tuple(one.shape) for name, one in old_names(network.state_dict()).items()}
        state = new_names({name: drawn(name, shape) for name, shape in shapes.items()})
        network.load_state_dict(state, assign=True)  # the networks share these tensors: nobody may change them
        return network.eval()

    return fill


def _recipe(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    r = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("weight_g"):
        r = 1 + 0.1 * r
    elif name.endswith("weight_v"):
        pass
    elif "emb_rel" in name:
        r = r / np.sqrt(shape[-1])
    elif name.startswith("emb_g"):
        r = 0.5 * r
    elif "emb_pitch" in name:
        r = 0.1 * r
    elif name.endswith("gamma"):
        r = 1 + 0.05 * r
    elif name.endswith(("beta", "bias")):
        r = 0.02 * r
    elif len(shape) >= 2:
        r = r / np.sqrt(np.prod(shape[1:]))
    else:
        r = 1e-3 * abs(r)
    return torch.from_numpy(r.astype(np.float32))


@pytest.fixture
def tiny_config() -> Callable[..., ModelConfig]:
    """A network that builds in milliseconds: a quarter of a second of sound takes as long."""

    def make(
        version: str = "v2", sample_rate: int = 24000, pitch_guidance: bool = True, vocoder: str = HIFI_GAN, **changes: object
    ) -> ModelConfig:
        return replace(config_for(version, sample_rate, pitch_guidance, vocoder, size="tiny", n_speakers=4), **changes)

    return make


@pytest.fixture
def tiny(tiny_config) -> Callable[..., Synthesizer]:
    """A seeded tiny network in which every weight does something, also those that training starts at zero."""

    def make(*, seed: int = 0, **config: object) -> Synthesizer:
        torch.manual_seed(seed)
        network = Synthesizer(tiny_config(**config))
        for coupling in network.flow.flows[::2]:
            torch.nn.init.normal_(coupling.post.weight, std=0.1)
        for block in getattr(network.dec, "upsample_conv_blocks", ()):  # RefineGAN starts nearly silent
            torch.nn.init.kaiming_normal_(block.input_conv.weight)
        return network.eval()

    return make


def clip_of(speech: Speech, i: int, length: int) -> Speech:
    """One clip of ``speech``, without its padding."""
    cut = {name: None if value is None else value[i : i + 1] for name, value in vars(speech).items()}
    for name in ("content", "coarse", "f0_hz"):
        cut[name] = None if cut[name] is None else cut[name][:, :length]
    return Speech(**{**cut, "lengths": torch.tensor([length])})


@pytest.fixture
def speech() -> Callable[..., Speech]:
    """Seeded speech of T frames: voiced, with a pause in the middle."""

    def make(config: ModelConfig, n_frames: int, *, batch: int = 1, seed: int = 1) -> Speech:
        draw = torch.Generator().manual_seed(seed)
        f0_hz = 220 + 30 * torch.randn(batch, n_frames, generator=draw)
        f0_hz[:, n_frames // 3 : n_frames // 2] = 0.0
        return Speech(
            content=torch.randn(batch, n_frames, config.content_channels, generator=draw),
            lengths=torch.full((batch,), n_frames),
            coarse=torch.randint(1, 256, (batch, n_frames), generator=draw) if config.pitch_guidance else None,
            f0_hz=f0_hz if config.pitch_guidance else None,
            speaker_id=torch.randint(0, config.n_speakers, (batch,), generator=draw),
        )

    return make
