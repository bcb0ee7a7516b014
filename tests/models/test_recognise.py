"""The network of a training checkpoint is told from its tensors' shapes."""

from dataclasses import replace

import pytest
import torch

from rvc.checkpoint import old_names
from rvc.errors import FormatError
from rvc.models.config import config_for
from rvc.models.discriminators import Discriminator
from rvc.models.recognise import config_from_shapes, discriminator_of, refuse_misfit
from rvc.models.synthesizer import Synthesizer

ALL = [(v, f0, rate) for v, rates in (("v1", (32, 40, 48)), ("v2", (24, 32, 40, 48))) for f0 in (True, False) for rate in rates]


@pytest.mark.parametrize(("version", "f0", "rate"), ALL)
def test_every_standard_generator_is_recognised_without_being_told_its_rate(version, f0, rate, key_table):
    shapes = dict(key_table(f"G_{version}_{'f0' if f0 else 'nof0'}_{rate}k"))
    assert config_from_shapes(shapes) == config_for(version, rate * 1000, f0)


@pytest.mark.parametrize(("version", "rate", "size", "vocoder"), [
    ("v1", 48000, "tiny", "HiFi-GAN"), ("v2", 24000, "small", "HiFi-GAN"), ("v2", 40000, "small", "MRF HiFi-GAN")])
def test_a_smaller_generator_with_few_speakers_is_recognised(version, rate, size, vocoder):
    config = config_for(version, rate, size=size, n_speakers=3, vocoder=vocoder)
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


@pytest.mark.parametrize("rate", [24, 32, 40, 48])
def test_mrf_generators_are_recognised_with_their_rate(rate, key_table):
    shapes = dict(key_table(f"G_v2_f0_{rate}k_mrf"))
    assert config_from_shapes(shapes) == config_for("v2", rate * 1000, vocoder="MRF HiFi-GAN")


def test_refinegan_is_recognised_once_its_rate_is_stated(key_table):
    """Its shapes do not depend on the rate but for the spectrogram, which two rates share."""
    shapes = dict(key_table("G_v2_f0_32k_refinegan"))
    assert shapes == dict(key_table("G_v2_f0_24k_refinegan"))
    for rate in (24000, 32000):
        assert config_from_shapes(shapes, sample_rate=rate) == config_for("v2", rate, vocoder="RefineGAN")
    with pytest.raises(FormatError, match="24000 and 32000 Hz") as caught:
        config_from_shapes(shapes)
    assert "sample rate" in caught.value.fix
    with pytest.raises(FormatError, match="no v2 network for 40000 Hz with the vocoder RefineGAN"):
        config_from_shapes(shapes, sample_rate=40000)


@pytest.mark.parametrize(("vocoder", "rate"), [("MRF HiFi-GAN", 48000), ("RefineGAN", 24000)])
def test_tiny_generators_of_the_further_vocoders_are_recognised(vocoder, rate):
    config = config_for("v2", rate, vocoder=vocoder, size="tiny", n_speakers=3)
    with torch.device("meta"):
        state = old_names(Synthesizer(config).state_dict())
    assert config_from_shapes({name: tuple(one.shape) for name, one in state.items()}, sample_rate=rate) == config


def test_the_old_refinegan_is_refused_by_name(key_table):
    shapes = dict(key_table("G_v2_f0_32k_refinegan")) | {"dec.pre_conv.weight_v": (256, 1, 7)}
    with pytest.raises(FormatError, match=r"RefineGAN of the old kind.*3\.2\.9"):
        config_from_shapes(shapes, sample_rate=32000)
    with pytest.raises(FormatError, match="RefineGAN of the old kind"):
        refuse_misfit(config_for("v2", 32000, vocoder="RefineGAN"), shapes)


def test_a_file_that_names_another_vocoder_than_its_tensors_have_is_refused(key_table):
    with pytest.raises(FormatError, match="they have a RefineGAN vocoder, not HiFi-GAN"):
        refuse_misfit(config_for("v2", 32000), dict(key_table("G_v2_f0_32k_refinegan")))


@pytest.mark.parametrize("kind", ["v1", "v2", "v3"])
def test_discriminators_are_told_apart(kind, key_table):
    assert discriminator_of(dict(key_table(f"D_{kind}"))) == kind
    with torch.device("meta"):
        thin = old_names(Discriminator(kind, width=1 / 16).state_dict())
    assert discriminator_of({name: tuple(one.shape) for name, one in thin.items()}) == kind


def test_what_is_no_discriminator_is_none_of_them(key_table):
    assert discriminator_of({}) is None
    assert discriminator_of(dict(key_table("G_v2_f0_40k"))) is None
    assert discriminator_of({"discriminators.8.convs.0.weight_v": (32, 1, 7, 7)}) is None


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
