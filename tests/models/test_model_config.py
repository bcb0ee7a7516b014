"""Configs: the standard networks, the 18-entry list of voice files, and what is refused."""

from dataclasses import replace

import pytest

from rvc.errors import FormatError
from rvc.models.config import SIZES, ModelConfig, config_for, sample_rates

# The list that Applio exports at 40 kHz, entry by entry.
APPLIO_40K = [1025, 32, 192, 192, 768, 2, 6, 3, 0, "1", [3, 7, 11], [[1, 3, 5], [1, 3, 5], [1, 3, 5]], [10, 10, 2, 2], 512,
              [16, 16, 4, 4], 109, 256, 40000]


def changed(**entries) -> list:
    """The list with entry ``_<i>`` replaced."""
    return [entries.get(f"_{i}", value) for i, value in enumerate(APPLIO_40K)]


def test_the_list_is_that_of_applio():
    assert config_for("v2", 40000).as_list() == APPLIO_40K


@pytest.mark.parametrize(("version", "rate", "n_fft", "hop", "n_mels", "frames"), [
    ("v1", 32000, 1024, 320, 80, 40), ("v1", 40000, 2048, 400, 125, 32), ("v1", 48000, 2048, 480, 128, 24),
    ("v2", 24000, 1024, 240, 80, 36), ("v2", 32000, 1024, 320, 80, 40), ("v2", 40000, 2048, 400, 125, 32),
    ("v2", 48000, 2048, 480, 128, 36),
])
def test_standard_networks_have_the_familys_numbers(version, rate, n_fft, hop, n_mels, frames):
    config = config_for(version, rate)
    assert (config.n_fft, config.hop_length, config.n_mels, config.segment_frames) == (n_fft, hop, n_mels, frames)
    assert config.content_channels == (256 if version == "v1" else 768)


@pytest.mark.parametrize("pitch_guidance", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_list_says_everything_but_the_training_segment(version, size, pitch_guidance):
    for rate in sample_rates(version):
        config = config_for(version, rate, pitch_guidance, size=size, n_speakers=7)
        again = ModelConfig.from_list(config.as_list(), version=version, pitch_guidance=pitch_guidance)
        assert again == replace(config, segment_samples=32 * config.hop_length)


def test_whole_numbers_may_be_written_as_fractions():
    assert ModelConfig.from_list(changed(_17=40000.0, _8=0), version="v2").sample_rate == 40000


@pytest.mark.parametrize(("values", "said"), [
    (APPLIO_40K[:17], "18 entries"),
    ("a text of eighteen", "18 entries"),
    ({}, "18 entries"),
    (changed(_2="192"), "inter_channels"),
    (changed(_2=192.5), "inter_channels"),
    (changed(_2=True), "inter_channels"),
    (changed(_2=0), "inter_channels"),
    (changed(_2=10**12), "inter_channels"),
    (changed(_2=191), "even"),
    (changed(_5=5), "n_heads"),
    (changed(_6=float("inf")), "n_layers"),
    (changed(_8=2), "p_dropout"),
    (changed(_9="2"), "type '2'"),
    (changed(_10=[3, 7]), "resblock"),
    (changed(_10=[3, 8, 11]), "odd"),
    (changed(_11=7), "resblock_dilation_sizes"),
    (changed(_12=None), "upsample_rates"),
    (changed(_12=[10, 10, 2.205, 2]), "upsample_rates"),
    (changed(_12=[10, 10, 2]), "belong together"),
    (changed(_12=[]), "belong together"),
    (changed(_12=[20, 10, 2, 1]), "belong together"),
    (changed(_13=100), "halved"),
    (changed(_17=48000), "40000 samples a second"),
])
def test_a_list_that_makes_no_network_is_refused_with_the_reason(values, said):
    with pytest.raises(FormatError, match=said):
        ModelConfig.from_list(values, version="v2")


@pytest.mark.parametrize("vocoder", ["MRF HiFi-GAN", "RefineGAN"])
def test_the_further_vocoders_exist_for_v2_with_pitch_only(vocoder):
    assert ModelConfig.from_list(APPLIO_40K, version="v2", vocoder=vocoder).vocoder == vocoder
    for asked in ({"version": "v1"}, {"version": "v2", "pitch_guidance": False}):
        with pytest.raises(FormatError, match=f"{vocoder} vocoder exists for v2 voices with pitch guidance only"):
            config_for(**asked, sample_rate=32000, vocoder=vocoder)
        with pytest.raises(FormatError, match=f"{vocoder} vocoder exists for v2"):
            ModelConfig.from_list(APPLIO_40K, **asked, vocoder=vocoder)


def test_a_vocoder_decides_what_it_is_trained_against():
    kinds = {(version, vocoder): config_for(version, 32000, vocoder=vocoder) for version, vocoder in (
        ("v1", "HiFi-GAN"), ("v2", "HiFi-GAN"), ("v2", "MRF HiFi-GAN"), ("v2", "RefineGAN"))}
    assert [one.discriminator for one in kinds.values()] == ["v1", "v2", "v2", "v3"]
    assert [one.harmonics for one in kinds.values()] == [1, 1, 9, 1]
    assert [one.multiscale_mel for one in kinds.values()] == [False, False, False, True]


def test_refinegan_is_trained_at_two_rates_and_read_at_others():
    for rate in (24000, 32000):
        assert config_for("v2", rate, vocoder="RefineGAN").sample_rate == rate
    with pytest.raises(FormatError, match="no RefineGAN network for 40000 Hz") as caught:
        config_for("v2", 40000, vocoder="RefineGAN")
    assert "24000, 32000" in caught.value.fix


def test_refinegan_halves_its_channels_once_more_than_hifigan():
    ModelConfig.from_list(changed(_13=16), version="v2")
    with pytest.raises(FormatError, match="16 cannot be halved 5 times"):
        ModelConfig.from_list(changed(_13=16), version="v2", vocoder="RefineGAN")


@pytest.mark.parametrize("asked", [
    {"version": "v1", "sample_rate": 24000}, {"version": "v2", "sample_rate": 44100}, {"version": "v3", "sample_rate": 40000},
    {"version": "v2", "sample_rate": 40000, "vocoder": "WaveGlow"}, {"version": "v2", "sample_rate": 40000, "size": "huge"},
])
def test_combinations_that_do_not_exist_are_refused(asked):
    with pytest.raises(FormatError):
        config_for(**asked)
