"""The sine source: pitch in, a sine in phase out, in one piece or in many."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate
from torch.testing import assert_close

from rvc.models.draws import Given
from rvc.models.nsf import SineSource, _cycles, interpolated, phase_after, sine
from rvc.models.refinegan import InterpolatedSource

RATE = {"hop_length": 400, "sample_rate": 40000}


def test_a_constant_pitch_is_a_sine_that_starts_one_sample_in():
    f0_hz = torch.full((1, 50), 441.3)
    n = np.arange(1, 50 * 400 + 1)
    expected = np.sin(2 * np.pi * float(f0_hz[0, 0]) * n / 40000)
    assert_close(sine(f0_hz, **RATE)[0].double(), torch.from_numpy(expected), atol=1e-6, rtol=0)


def test_twenty_minutes_do_not_drift():
    f0_hz = torch.full((1, 120_000), 440.1, dtype=torch.float32)
    tail = sine(f0_hz[:, :10], phase=phase_after(f0_hz[:, 10:], **RATE), **RATE)[0]
    n = np.arange(119_990 * 400 + 1, 120_000 * 400 + 1, dtype=np.longdouble)
    expected = np.sin(2 * np.longdouble(math.pi) * ((np.longdouble(float(f0_hz[0, 0])) * n / 40000) % 1))
    assert_close(tail.double(), torch.from_numpy(expected.astype(np.float64)), atol=2e-6, rtol=0)


def test_the_phase_is_continuous_across_frames_of_changing_pitch():
    f0_hz = torch.tensor([[110.0, 220.0, 440.0, 55.0, 880.0] * 4])
    steps = sine(f0_hz, **RATE)[0].diff().abs()
    assert steps.max() <= 2 * math.pi * 880 / 40000 + 1e-6, "no jump larger than the fastest slope"


def test_unvoiced_frames_hold_the_phase():
    f0_hz = torch.tensor([[213.0, 0.0, 0.0, 213.0]])
    assert phase_after(f0_hz, **RATE).item() == pytest.approx(phase_after(f0_hz[:, [0, 3]], **RATE).item())
    held = sine(f0_hz, **RATE)[0]
    assert_close(torch.cat([held[:400], held[1200:]]), sine(torch.full((1, 2), 213.0), **RATE)[0])


@pytest.mark.parametrize("cuts", [[1], [7, 8], [50], [13, 29, 61, 99]])
def test_a_source_made_in_chunks_is_the_one_made_at_once_to_the_last_bit(cuts):
    torch.manual_seed(3)
    source = SineSource(**RATE)
    f0_hz = torch.rand(2, 100) * 900 * (torch.rand(2, 100) > 0.2)
    noise = torch.randn(2, 100 * 400, 1)
    whole = source(f0_hz, Given(source=noise))
    pieces, phase, start = [], None, 0
    for end in [*cuts, 100]:
        piece = f0_hz[:, start:end]
        pieces.append(source(piece, Given(phase=phase, source=noise[:, start * 400 : end * 400])))
        phase, start = phase_after(piece, phase=phase, **RATE), end
    assert torch.equal(torch.cat(pieces, dim=-1), whole)


@pytest.mark.parametrize("cuts", [[1], [7, 8], [13, 29, 61, 99]])
def test_overtones_made_in_chunks_are_those_made_at_once(cuts):
    torch.manual_seed(3)
    source = SineSource(**RATE, harmonics=9)
    f0_hz = torch.rand(2, 100) * 900 * (torch.rand(2, 100) > 0.2)
    noise = torch.randn(2, 100 * 400, 9)
    whole = source(f0_hz, Given(source=noise))
    pieces, phase, start = [], None, 0
    for end in [*cuts, 100]:
        pieces.append(source(f0_hz[:, start:end], Given(phase=phase, source=noise[:, start * 400 : end * 400])))
        phase, start = phase_after(f0_hz[:, start:end], phase=phase, **RATE), end
    assert_close(torch.cat(pieces, dim=-1), whole, atol=1e-6, rtol=0)


def test_overtones_are_at_multiples_of_the_pitch():
    source = SineSource(**RATE, harmonics=3)
    waves = source._sines(_cycles(torch.full((1, 30), 150.0), 400, 40000, None), None)
    for harmonic in range(3):
        assert_close(waves[..., harmonic], sine(torch.full((1, 30), 150.0 * (harmonic + 1)), **RATE), atol=2e-5, rtol=0)


def test_an_interpolated_pitch_runs_straight_from_middle_to_middle():
    hz = interpolated(torch.tensor([[100.0, 0.0, 300.0]]), 4)
    assert hz.dtype == torch.float64
    expected = torch.tensor([100, 100, 87.5, 62.5, 37.5, 12.5, 37.5, 112.5, 187.5, 262.5, 300, 300], dtype=torch.float64)
    assert_close(hz.flatten(), expected)
    assert_close(hz.flatten().float(), interpolate(torch.tensor([[[100.0, 0.0, 300.0]]]), scale_factor=4, mode="linear").flatten())


@pytest.mark.parametrize("cut", [1, 2, 50, 99])
def test_an_interpolated_source_in_chunks_is_off_only_for_half_a_frame_on_either_side(cut):
    torch.manual_seed(4)
    source = InterpolatedSource(**RATE)
    f0_hz = torch.rand(2, 100) * 900 * (torch.rand(2, 100) > 0.2)
    noise = torch.randn(2, 100 * 400, 1)
    whole = source(f0_hz, Given(source=noise))
    first = source(f0_hz[:, :cut], Given(source=noise[:, : cut * 400]))
    second = source(f0_hz[:, cut:], Given(phase=phase_after(f0_hz[:, :cut], **RATE), source=noise[:, cut * 400 :]))
    assert_close(first[..., :-200], whole[..., : cut * 400 - 200], atol=1e-6, rtol=0)
    assert_close(second[..., 200:], whole[..., cut * 400 + 200 :], atol=1e-6, rtol=0)


def test_a_voiced_source_is_loud_and_an_unvoiced_one_is_noise():
    torch.manual_seed(4)
    source = SineSource(**RATE)
    torch.nn.init.ones_(source.l_linear.weight)
    torch.nn.init.zeros_(source.l_linear.bias)
    with torch.no_grad():
        voiced, unvoiced = (torch.atanh(source(torch.full((1, 200), hz))[0, 0]) for hz in (220.0, 0.0))
    noise = voiced - 0.1 * sine(torch.full((1, 200), 220.0), **RATE)[0]
    assert noise.std().item() == pytest.approx(0.003, rel=0.03)
    assert unvoiced.std().item() == pytest.approx(0.1 / 3, rel=0.03)


def test_only_the_mixing_layer_learns():
    f0_hz = torch.full((1, 3), 100.0, requires_grad=True)
    source = SineSource(**RATE)
    source(f0_hz).sum().backward()
    assert f0_hz.grad is None
    assert source.l_linear.weight.grad.abs() > 0


def test_the_source_stays_in_full_precision_under_autocast():
    torch.manual_seed(5)
    source, f0_hz, noise = SineSource(**RATE), torch.full((1, 30), 333.3), torch.randn(1, 12000, 1)
    plain = source(f0_hz, Given(source=noise))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(source(f0_hz, Given(source=noise)), plain)
