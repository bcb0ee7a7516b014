"""What the shapes of weights say: pairs that do not fit, or do not belong together, are refused by name before the first step."""

import functools
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rvc import checkpoint
from rvc.download.sidecar import Network, digest
from rvc.errors import EmbedderMismatchError, FormatError, RunError, SettingsError
from rvc.models.config import config_for
from rvc.models.discriminators import Discriminator
from rvc.models.synthesizer import Synthesizer
from rvc.train import base_weights
from rvc.train.base_weights import discriminator_kind, generator_network, shapes_of
from rvc.train.bases import Base

KEYS = Path(__file__).parent.parent / "data" / "keys"
WANTED = Network(40000, "v2", True, "HiFi-GAN", "contentvec", "standard")


@functools.cache
def table(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published network."""
    rows = (line.split("\t") for line in (KEYS / f"{name}.tsv").read_text().splitlines()[1:])
    return {key: () if shape == "scalar" else tuple(map(int, shape.split(","))) for key, shape in rows}


def write(path: Path, shapes: dict) -> None:
    """A file with tensors of these shapes that takes no room: all their values are one."""
    checkpoint.write(path, {"model": {name: torch.zeros(1, dtype=torch.half).expand(shape) for name, shape in shapes.items()}})


@pytest.fixture
def base(tmp_path):
    """Makes a pair of these two tables."""

    def made(g: dict | str, d: dict | str, **changes) -> Base:
        one = Base("own", "custom", tmp_path / "G_own.pth", tmp_path / "D_own.pth", Network(), {})
        for path, shapes in ((one.g_path, g), (one.d_path, d)):
            write(path, table(shapes) if isinstance(shapes, str) else shapes)
        return replace(one, **changes)

    return made


@pytest.mark.parametrize(("name", "network"), [
    ("v1_f0_32k", Network(32000, "v1", True, "HiFi-GAN", None, "standard")),
    ("v1_f0_48k", Network(48000, "v1", True, "HiFi-GAN", None, "standard")),
    ("v1_nof0_40k", Network(40000, "v1", False, "HiFi-GAN", None, "standard")),
    ("v2_f0_24k", Network(24000, "v2", True, "HiFi-GAN", None, "standard")),
    ("v2_f0_32k", Network(32000, "v2", True, "HiFi-GAN", None, "standard")),
    ("v2_f0_40k", Network(40000, "v2", True, "HiFi-GAN", None, "standard")),
    ("v2_nof0_48k", Network(48000, "v2", False, "HiFi-GAN", None, "standard")),
    ("v2_f0_24k_mrf", Network(24000, "v2", True, "MRF HiFi-GAN", None, "standard")),
    ("v2_f0_48k_mrf", Network(48000, "v2", True, "MRF HiFi-GAN", None, "standard")),
    ("v2_f0_32k_refinegan", Network(None, "v2", True, "RefineGAN", None, "standard")),  # 24 and 32 kHz have the same shapes
])
def test_a_generator_is_told_by_its_shapes(name, network):
    assert generator_network(table(f"G_{name}")) == network


@pytest.mark.parametrize("kind", ["v1", "v2", "v3"])
def test_a_discriminator_is_told_by_its_critics(kind):
    assert discriminator_kind(table(f"D_{kind}")) == kind


def test_what_is_no_network_of_the_family_says_nothing():
    assert generator_network({"a.weight": (3,), "enc_p.emb_phone.weight": (7,)}) == Network()
    assert discriminator_kind({"a.weight": (3,)}) is None


def test_our_own_tiny_networks_are_told_from_the_files_they_are_saved_in(tmp_path):
    config = config_for("v2", 24000, size="tiny")
    for name, network in (("G", Synthesizer(config)), ("D", Discriminator("v2", 1 / 16))):
        write(tmp_path / f"{name}.pth", {key: one.shape for key, one in checkpoint.state_of(network).items()})
    assert generator_network(shapes_of(tmp_path / "G.pth")) == Network(24000, "v2", True, "HiFi-GAN", None, "tiny")
    assert discriminator_kind(shapes_of(tmp_path / "D.pth")) == "v2"


def test_a_pair_that_fits_is_read(base):
    snapshot = base_weights.read(base("G_v2_f0_40k", "D_v2"), WANTED)
    assert snapshot.generator["model"].keys() == table("G_v2_f0_40k").keys()
    assert snapshot.discriminator["model"].keys() == table("D_v2").keys()


@pytest.mark.parametrize(("g", "d", "sentence"), [
    ("G_v2_f0_48k", "D_v2", r"is for 48000 Hz \(this run: 40000 Hz\)"),
    ("G_v1_f0_40k", "D_v1", r"is for v1 voices \(this run: v2\)"),
    ("G_v2_f0_40k_mrf", "D_v2", r"has the vocoder MRF HiFi-GAN \(this run: HiFi-GAN\)"),
    ("G_v2_f0_32k_refinegan", "D_v3", r"has the vocoder RefineGAN \(this run: HiFi-GAN\)"),
    ("G_v2_nof0_40k", "D_v2", r"without pitch guidance \(this run: with\)"),
])
def test_a_pair_of_another_network_is_refused_though_its_names_say_nothing(base, g, d, sentence):
    with pytest.raises(SettingsError, match=f"The pretrain own does not fit: it .*{sentence}"):
        base_weights.read(base(g, d), WANTED)


def test_what_only_the_json_knows_is_compared_as_well(base):
    with pytest.raises(EmbedderMismatchError, match="the embedder spin"):
        base_weights.read(base("G_v2_f0_40k", "D_v2", network=Network(embedder="spin")), WANTED)


@pytest.mark.parametrize(("g", "d", "word"), [("G_v2_f0_40k", "D_v1", "D is a v1"), ("G_v2_f0_40k", "D_v3", "D is a v3"),
                                              ("G_v1_f0_40k", "D_v2", "D is a v2")])
def test_a_discriminator_of_another_kind_of_model_is_refused_by_name(base, g, d, word):
    version = g[2:4]
    with pytest.raises(FormatError, match=rf"G_own\.pth and D_own\.pth are of two models.*{word}"):
        base_weights.read(base(g, d), replace(WANTED, version=version))


def test_networks_of_two_sizes_are_of_two_models(base):
    tiny = {name: tuple(one.shape) for name, one in checkpoint.state_of(Discriminator("v2", 1 / 16)).items()}
    with pytest.raises(FormatError, match="two models: G is of the standard size, D is of the tiny one"):
        base_weights.read(base("G_v2_f0_40k", tiny), WANTED)


def test_a_file_that_is_not_the_one_of_the_json_is_named(base):
    own = base("G_v2_f0_40k", "D_v2")
    right = {"G": digest(own.g_path), "D": digest(own.d_path)}
    base_weights.read(replace(own, sha256=right), WANTED)
    with pytest.raises(FormatError, match=r"two models: D_own\.pth is not the file"):
        base_weights.read(replace(own, sha256={**right, "D": "0" * 64}), WANTED)
    with pytest.raises(FormatError, match=r"about other files than G_own\.pth and D_own\.pth"):
        base_weights.read(replace(own, sha256={"G": "0", "D": "0"}), WANTED)


@pytest.mark.parametrize(("g", "d", "word"), [("D_v2", "D_v2", r"G_own\.pth .* does not hold a generator"),
                                              ("G_v2_f0_40k", "G_v2_f0_40k", r"D_own\.pth .* does not hold a discriminator")])
def test_files_under_each_others_names_are_told(base, g, d, word):
    with pytest.raises(FormatError, match=word):
        base_weights.read(base(g, d), WANTED)


def test_a_file_that_is_no_training_checkpoint_is_told(base):
    own = base("G_v2_f0_40k", "D_v2")
    checkpoint.write(own.g_path, {"weight": {}})
    with pytest.raises(FormatError, match=r"G_own\.pth has no 'model'"):
        base_weights.read(own, WANTED)


@pytest.mark.parametrize("kind", ["G", "D"])
def test_a_checkpoint_that_its_run_removed_meanwhile_is_told(base, kind):
    of_run = base("G_v2_f0_40k", "D_v2", kind="run", name="run:other@30")
    (of_run.g_path if kind == "G" else of_run.d_path).unlink()
    with pytest.raises(RunError, match="The run 'other' at step 30 has been removed meanwhile"):
        base_weights.read(of_run, WANTED)
