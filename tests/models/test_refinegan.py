"""What only RefineGAN does: filters on the way down, lines on the way up, noise in its blocks."""

import pytest
import torch
from torch.nn.functional import interpolate
from torch.testing import assert_close
from torchaudio.functional import resample

from rvc.models.draws import BLOCKS, ItemDraws
from rvc.models.hifigan import laid_out
from rvc.models.refinegan import Noise, decimated, stretched


@pytest.mark.parametrize(("factor", "frames"), [(2, 7), (6, 9), (8, 30), (10, 30), (10, 1)])
@torch.no_grad()
def test_the_way_down_resamples_as_torchaudio_does(factor, frames):
    x = torch.randn(2, 3, factor * frames)
    expected = resample(x, factor, 1, lowpass_filter_width=64, rolloff=0.9475937167399596, resampling_method="sinc_interp_kaiser",
                        beta=14.769656459379492)
    for layout in (x, laid_out(x)):
        assert_close(decimated(layout, factor).reshape(expected.shape), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rate", [2, 3, 10])
@pytest.mark.parametrize("samples", [1, 2, 50])
@torch.no_grad()
def test_the_way_up_is_linear_interpolation_in_either_layout(rate, samples):
    x = torch.randn(2, 3, samples)
    expected = interpolate(x, scale_factor=rate, mode="linear")
    assert_close(stretched(x, rate), expected, atol=1e-4, rtol=0)  # torch reckons places in float32
    up = stretched(laid_out(x), rate)
    assert_close(up.squeeze(2), stretched(x, rate))
    assert up.is_contiguous(memory_format=torch.channels_last)


def test_every_noise_has_numbers_of_its_own(tiny):
    uses = [module.use for module in tiny(vocoder="RefineGAN").dec.modules() if isinstance(module, Noise)]
    assert uses == list(range(BLOCKS, BLOCKS + 4 * 3 * 2))


def test_noise_is_as_loud_as_its_weight_and_teaches_it():
    noise = Noise(3, BLOCKS)
    assert_close(noise.weight.detach(), torch.full((3,), 1e-4))
    torch.nn.init.constant_(noise.weight, 0.5)
    draws = ItemDraws((1, 2), (9, 9), torch.device("cpu"))
    x = torch.full((2, 3, 4000), 5.0)  # far from the bend
    out = noise(x, draws)
    assert torch.equal(out, noise(x, draws))
    assert (out - 5).std().item() == pytest.approx(0.5, rel=0.03)
    out.square().sum().backward()
    assert noise.weight.grad.abs().min() > 0
