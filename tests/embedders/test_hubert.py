"""HuBERT folders against transformers' own HubertModel, and every way in which a folder can be wrong."""

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import HubertConfig, HubertModel

from rvc import checkpoint
from rvc.embedders import registry
from rvc.embedders.hubert import ContentHubert, Hubert
from rvc.errors import FormatError
from rvc.paths import Home

CPU = torch.device("cpu")
KEYS = Path(__file__).parent.parent / "data" / "keys" / "HUBERT_contentvec_with_final_proj.tsv"
# As wide as RVC needs and as thin as it can be elsewhere.
SMALL = HubertConfig(num_hidden_layers=10, intermediate_size=8, conv_dim=(8,) * 7, num_conv_pos_embeddings=8)


@pytest.fixture(scope="module")
def original() -> tuple[HubertModel, nn.Linear]:
    """A HuBERT of random weights, and the projection beside it."""
    torch.manual_seed(0)
    return HubertModel(SMALL).eval(), nn.Linear(768, 256)


@pytest.fixture(scope="module")
def state(original) -> dict[str, torch.Tensor]:
    """As ContentVec's file has it: old names, and the projection."""
    network, projection = original
    return checkpoint.state_of(network) | {f"final_proj.{name}": value.detach() for name, value in projection.state_dict().items()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory, state) -> Path:
    folder = tmp_path_factory.mktemp("embedders") / "small"
    folder.mkdir()
    (folder / "config.json").write_text(SMALL.to_json_string())
    torch.save(state, folder / "pytorch_model.bin")
    return folder


@pytest.fixture(scope="module")
def loaded(installed) -> dict[str, Hubert]:
    return {version: Hubert.from_folder(installed, "small", version, CPU) for version in ("v1", "v2")}


@pytest.fixture
def copy(tmp_path, installed) -> Path:
    """The folder's config; a test adds weights."""
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(installed / "config.json", folder)
    return folder


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)


def test_v2_features_are_the_last_hidden_state(original, loaded):
    samples = noise(2, 8000)
    with torch.no_grad():
        expected = original[0](torch.from_numpy(samples)).last_hidden_state
    features = loaded["v2"].extract(samples)
    assert features.dtype == np.float32
    assert features.shape == (2, 24, 768)
    assert loaded["v2"].dim == 768
    assert np.allclose(features, expected.numpy(), atol=1e-5)


def test_v1_features_are_the_ninth_layer_projected(original, loaded):
    network, projection = original
    samples = noise(2, 8000)
    with torch.no_grad():
        expected = projection(network(torch.from_numpy(samples), output_hidden_states=True).hidden_states[9])
        another = projection(network(torch.from_numpy(samples)).last_hidden_state)
    features = loaded["v1"].extract(samples)
    assert features.shape == (2, 24, 256)
    assert loaded["v1"].dim == 256
    assert np.allclose(features, expected.numpy(), atol=1e-5)
    assert not np.allclose(features, another.numpy(), atol=1e-2)


def test_the_network_has_the_tensors_of_contentvecs_file():
    lines = KEYS.read_text().splitlines()[1:]
    with torch.device("meta"):
        network = ContentHubert(HubertConfig())
    shapes = {name: ",".join(map(str, value.shape)) for name, value in checkpoint.old_names(network.state_dict()).items()}
    assert shapes == dict(line.split("\t") for line in lines)


@pytest.mark.parametrize("n", [160, 399, 400, 6400, 8000])
def test_any_length_gives_huberts_number_of_finite_frames(loaded, n):
    features = loaded["v2"].extract(noise(1, n))
    assert features.shape[1] == max(1, (n - 400) // 320 + 1)
    assert np.isfinite(features).all()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_silence_gives_finite_features(loaded, version):
    assert np.isfinite(loaded[version].extract(np.zeros((1, 6400), np.float32))).all()


def test_batches_give_what_single_sounds_give(loaded):
    batch = noise(3, 5000)
    together = loaded["v2"].extract(batch)
    for row, features in zip(batch, together, strict=True):
        assert np.allclose(loaded["v2"].extract(row[None])[0], features, atol=1e-5)


def test_both_spellings_of_weight_norm_load(copy, state, loaded):
    torch.save(checkpoint.new_names(state), copy / "pytorch_model.bin")
    assert any("parametrizations" in name for name in checkpoint.new_names(state))
    assert np.array_equal(Hubert.from_folder(copy, "x", "v2", CPU).extract(noise(1, 4000)), loaded["v2"].extract(noise(1, 4000)))


def test_safetensors_load_and_are_taken_before_the_older_file(copy, state, loaded):
    save_file({name: value.contiguous() for name, value in state.items()}, copy / "model.safetensors")
    (copy / "pytorch_model.bin").write_bytes(b"not looked at")
    assert np.array_equal(Hubert.from_folder(copy, "x", "v1", CPU).extract(noise(1, 4000)), loaded["v1"].extract(noise(1, 4000)))


def test_a_plain_hubert_with_a_head_and_a_prefix_serves_v2_and_not_v1(copy, state, loaded):
    plain = {f"hubert.{name}": value for name, value in state.items() if not name.startswith(("final_proj", "masked_spec"))}
    torch.save(plain | {"lm_head.weight": torch.zeros(32, 768)}, copy / "pytorch_model.bin")
    assert np.array_equal(Hubert.from_folder(copy, "x", "v2", CPU).extract(noise(1, 4000)), loaded["v2"].extract(noise(1, 4000)))
    with pytest.raises(FormatError, match="final_proj"):
        Hubert.from_folder(copy, "x", "v1", CPU)


def test_half_precision_is_computed_in_single(copy, state, loaded):
    torch.save({name: value.half() for name, value in state.items()}, copy / "pytorch_model.bin")
    features = Hubert.from_folder(copy, "x", "v2", CPU).extract(noise(1, 4000))
    assert features.dtype == np.float32
    assert np.allclose(features, loaded["v2"].extract(noise(1, 4000)), atol=0.05)


def test_a_missing_tensor_is_named(copy, state):
    missing = "encoder.layers.3.attention.k_proj.weight"
    torch.save({name: value for name, value in state.items() if name != missing}, copy / "pytorch_model.bin")
    with pytest.raises(FormatError, match=r"encoder\.layers\.3\.attention\.k_proj\.weight"):
        Hubert.from_folder(copy, "x", "v2", CPU)


def test_an_unknown_tensor_is_named(copy, state):
    torch.save(state | {"encoder.surprise": torch.zeros(2)}, copy / "pytorch_model.bin")
    with pytest.raises(FormatError, match=r"encoder\.surprise"):
        Hubert.from_folder(copy, "x", "v2", CPU)


@pytest.mark.parametrize(("changes", "said"), [
    ({"hidden_size": 1024}, "1024"),
    ({"model_type": "wavlm"}, "wavlm"),
    ({"num_hidden_layers": 6}, "6"),
    ({"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, "conv_stride"),
    ({"conv_kernel": [10, 3, 3, 3, 3, 2, 3]}, "conv_kernel"),
    ({"conv_dim": [8, 8]}, "config.json"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_a_config_that_voices_cannot_listen_to_is_refused(copy, changes, said):
    (copy / "config.json").write_text(json.dumps(json.loads((copy / "config.json").read_text()) | changes))
    (copy / "pytorch_model.bin").write_bytes(b"not reached")
    with pytest.raises(FormatError, match=said):
        Hubert.from_folder(copy, "x", "v2", CPU)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b'{"hidden_size": "wide"}'])
def test_a_damaged_config_is_reported(copy, content):
    (copy / "config.json").write_bytes(content)
    (copy / "pytorch_model.bin").write_bytes(b"not reached")
    with pytest.raises(FormatError, match=r"config\.json"):
        Hubert.from_folder(copy, "x", "v2", CPU)


@pytest.mark.parametrize("name", registry.WEIGHT_FILES)
def test_damaged_weights_are_reported(copy, name):
    (copy / name).write_bytes(b"\x00" * 1000)
    with pytest.raises(FormatError):
        Hubert.from_folder(copy, "x", "v2", CPU)


def test_loading_by_path_needs_no_network(installed, tmp_path, monkeypatch):
    def refused(*_):
        raise AssertionError("something looked for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    embedder = registry.load(str(installed), "v2", CPU, Home(tmp_path))
    assert embedder.name == str(installed)
    assert embedder.extract(noise(1, 400)).shape == (1, 1, 768)
