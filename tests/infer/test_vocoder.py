"""The vocoder in windows makes the samples of the vocoder at once."""

from dataclasses import replace

import pytest
import torch

from rvc.infer.noise import BlockNoise
from rvc.infer.vocoder import WindowedVocoder, in_windows
from rvc.models.config import config_for
from rvc.models.draws import Given
from rvc.models.refinegan import Noise, RefineGAN
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer
from rvc.models.vocoders import HIFI_GAN, MRF_HIFI_GAN, REFINEGAN

KINDS = [("v2", 24_000, True, HIFI_GAN), ("v2", 40_000, True, HIFI_GAN), ("v2", 40_000, False, HIFI_GAN), ("v1", 48_000, True, HIFI_GAN),
         ("v2", 48_000, True, MRF_HIFI_GAN), ("v2", 24_000, True, REFINEGAN)]


def wake(dec: RefineGAN) -> None:
    """Untrained, it is nearly silent; now its sine, its way down and its noise are all heard."""
    torch.nn.init.constant_(dec.m_source.merge[0].weight, 10.0)
    for conv in (dec.pre_conv, *dec.downsample_blocks):
        torch.nn.init.constant_(conv.parametrizations.weight.original0, 2.0)
    for block in dec.upsample_conv_blocks:
        torch.nn.init.kaiming_normal_(block.input_conv.weight)
    for module in dec.modules():
        if isinstance(module, Noise):
            torch.nn.init.constant_(module.weight, 0.1)


@pytest.mark.parametrize(("version", "sample_rate", "pitch_guidance", "vocoder"), KINDS)
def test_windows_change_nothing(version, sample_rate, pitch_guidance, vocoder):
    torch.manual_seed(3)
    tiny = config_for(version, sample_rate, pitch_guidance, vocoder, size="tiny", n_speakers=1)
    config = replace(tiny, upsample_initial_channel=32)  # thin, but it sees as far as the standard one
    network = Synthesizer(config)
    if vocoder == REFINEGAN:
        wake(network.dec)
    network.for_inference()
    frames = 2 * WindowedVocoder(network.dec, config).window + 37
    f0_hz = 200 + 100 * torch.sin(torch.arange(frames) / 9)[None]
    f0_hz[:, 150:190] = 0
    speech = Speech(
        content=torch.randn(1, frames, config.content_channels),
        lengths=torch.tensor([frames]),
        coarse=torch.randint(1, 256, (1, frames)) if pitch_guidance else None,
        f0_hz=f0_hz if pitch_guidance else None,
        speaker_id=torch.tensor([0]),
    )
    given = Given(latent=torch.randn(1, config.inter_channels, frames))
    if pitch_guidance:
        given = replace(given, phase=torch.tensor([1234.56], dtype=torch.float64),
                        source=torch.randn(1, frames * config.hop_length, config.harmonics),
                        draws=BlockNoise(5, -30, frames - 30, torch.device("cpu")))
    whole = network.infer(speech, given)
    windowed = in_windows(network).infer(speech, given)
    assert windowed.shape == whole.shape == (1, 1, frames * config.hop_length)
    assert whole.abs().max() > 0.01
    tolerance = 5e-6 if vocoder == REFINEGAN else 2e-6  # its filters on the way down see a little further than its windows
    torch.testing.assert_close(windowed, whole, atol=tolerance, rtol=0)


def test_less_than_a_window_is_passed_on():
    torch.manual_seed(0)
    network = in_windows(Synthesizer(config_for("v2", 40_000, pitch_guidance=False, size="tiny", n_speakers=1)).for_inference())
    speech = Speech(content=torch.randn(1, 5, 768), lengths=torch.tensor([5]), coarse=None, f0_hz=None, speaker_id=torch.tensor([0]))
    audio = network.infer(speech)
    assert audio.shape == (1, 1, 2000)
