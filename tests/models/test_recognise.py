"""The network of a training checkpoint is told from its tensors' shapes."""

from dataclasses import replace

import pytest
import torch

from rvc.checkpoint import old_names
from rvc.errors import FormatError
from rvc.models.config import config_for
from rvc.models.recognise import config_from_shapes
from rvc.models.synthesizer import Synthesizer

ALL = [(v, f0, rate) for v, rates in (("v1", (32, 40, 48)), ("v2", (24, 32, 40, 48))) for f0 in (True, False) for rate in rates]


@pytest.mark.parametrize(("version", "f0", "rate"), ALL)
def test_every_standard_generator_is_recognised_without_being_told_its_rate(version, f0, rate, key_table):
    shapes = dict(key_table(f"G_{version}_{'f0' if f0 else 'nof0'}_{rate}k"))
    assert config_from_shapes(shapes) == config_for(version, rate * 1000, f0)


def test_a_tiny_generator_with_few_speakers_is_recognised():
    config = config_for("v1", 48000, size="tiny", n_speakers=3)
    with torch.device("meta"):
        state = old_names(Synthesizer(config).state_dict())
    assert config_from_shapes({name: tuple(one.shape) for name, one in state.items()}) == config


def test_a_stated_rate_must_be_that_of_the_network(key_table):
    shapes = dict(key_table("G_v2_f0_40k"))
    assert config_from_shapes(shapes, sample_rate=40000).sample_rate == 40000
    with pytest.raises(FormatError, match="no v2 network for 48000 Hz"):
        config_from_shapes(shapes, sample_rate=48000)


def test_a_rate_that_the_tensors_leave_open_is_asked_for(key_table):
    """Without pitch and without posterior, v1 at 32 and 48 kHz have the same shapes."""
    shapes = dict(key_table("INF_v1_nof0_32k"))
    with pytest.raises(FormatError, match="32000 and 48000") as caught:
        config_from_shapes(shapes)
    assert "sample rate" in caught.value.fix
    assert config_from_shapes(shapes, sample_rate=48000) == config_for("v1", 48000, False)


@pytest.mark.parametrize(("name", "said"), [("dec.upsamples.0.weight_v", "MRF HiFi-GAN"), ("dec.mel_conv.weight_v", "RefineGAN")])
def test_other_vocoders_are_recognised_and_named(name, said, key_table):
    with pytest.raises(FormatError, match=said):
        config_from_shapes(dict(key_table("G_v2_f0_40k")) | {name: (1, 1, 1)})


@pytest.mark.parametrize("change", [
    lambda shapes: {},
    lambda shapes: {name: shape for name, shape in shapes.items() if not name.startswith("emb_g")},
    lambda shapes: shapes | {"enc_p.emb_phone.weight": (192, 512)},
    lambda shapes: shapes | {"dec.conv_pre.weight": (512,)},
    lambda shapes: shapes | {"dec.ups.0.weight_v": (512, 256, 18)},
    lambda shapes: shapes | {"dec.noise_convs.0.weight": (256, 1, 64)},
    lambda shapes: shapes | {"enc_p.encoder.attn_layers.0.emb_rel_k": (1, 21, 0)},
])
def test_shapes_of_something_else_are_refused(change, key_table):
    with pytest.raises(FormatError):
        config_from_shapes(change(dict(key_table("G_v2_f0_40k"))))


def test_the_config_of_a_voice_with_another_table_differs_only_in_that(key_table):
    shapes = dict(key_table("G_v2_f0_40k")) | {"emb_g.weight": (5, 256)}
    assert config_from_shapes(shapes) == replace(config_for("v2", 40000), n_speakers=5)
