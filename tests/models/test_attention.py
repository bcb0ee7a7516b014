"""Relative attention against its formula, written out in loops."""

import math

import pytest
import torch
from torch.testing import assert_close

from rvc.models.attention import MultiHeadAttention
from rvc.models.config import ATTENTION_WINDOW as WINDOW
from rvc.models.layers import LayerNorm, frame_mask

CHANNELS, HEADS = 12, 3


def written_out(layer: MultiHeadAttention, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """score_ij = q_i·k_j + [|j-i| <= 10] q_i·Ek_(j-i); out_i = sum_j p_ij v_j + sum over the window of p_ij Ev_(j-i)."""
    width = CHANNELS // HEADS
    out = torch.zeros_like(x)
    for b in range(len(x)):
        q, k, v = (conv(x[b : b + 1])[0].T for conv in (layer.conv_q, layer.conv_k, layer.conv_v))
        n = len(q)
        for head in range(HEADS):
            part = slice(head * width, (head + 1) * width)
            qh, kh, vh = q[:, part] / math.sqrt(width), k[:, part], v[:, part]
            for i in range(n):
                near = [j for j in range(n) if abs(j - i) <= WINDOW]
                scores = qh[i] @ kh.T
                for j in near:
                    scores[j] += qh[i] @ layer.emb_rel_k[0, j - i + WINDOW]
                for j in range(n):
                    if mask[b, 0, i] * mask[b, 0, j] == 0:
                        scores[j] = -1e4
                p = scores.softmax(0)
                out[b, part, i] = p @ vh + sum(p[j] * layer.emb_rel_v[0, j - i + WINDOW] for j in near)
    return layer.conv_o(out)


@pytest.mark.parametrize("n_frames", [1, 2, 10, 11, 12, 27])
@torch.no_grad()
def test_attention_is_its_formula(n_frames):
    torch.manual_seed(n_frames)
    layer = MultiHeadAttention(CHANNELS, HEADS, 0.0)
    x = torch.randn(2, CHANNELS, n_frames)
    mask = frame_mask(torch.tensor([n_frames, max(1, n_frames - 4)]), n_frames)
    assert_close(layer(x, mask), written_out(layer, x, mask), atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_a_clip_of_which_nothing_is_left_gives_no_nan():
    layer = MultiHeadAttention(CHANNELS, HEADS, 0.0)
    assert layer(torch.randn(1, CHANNELS, 5), torch.zeros(1, 1, 5)).isfinite().all()


def test_the_channel_norm_is_that_of_each_frame():
    x = torch.randn(2, 8, 5, dtype=torch.float64)
    norm = LayerNorm(8).double()
    with torch.no_grad():
        norm.gamma.copy_(torch.rand(8))
        norm.beta.copy_(torch.rand(8))
    centred = x - x.mean(1, keepdim=True)
    expected = centred / (centred.pow(2).mean(1, keepdim=True) + 1e-5).sqrt() * norm.gamma[:, None] + norm.beta[:, None]
    assert_close(norm(x), expected)
