"""The transformer of the content encoder: self-attention that also looks at relative positions within a window.

Shaw et al., Self-Attention with Relative Position Representations (2018), as used by Kim et al., VITS (2021): tables shared by
the heads, post-norm blocks, feed-forward layers that are convolutions.

Dimensions: B batch, C channels, H heads, D channels of a head, T frames, W = 2·window + 1 relative positions.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from rvc.models.config import ATTENTION_WINDOW as WINDOW
from rvc.models.layers import LayerNorm

_MASKED_SCORE = -1e4  # finite, as trained: a fully masked row becomes uniform, not NaN


class MultiHeadAttention(nn.Module):
    def __init__(self, channels: int, n_heads: int, p_dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.head_channels = channels // n_heads
        scale = self.head_channels**-0.5
        self.emb_rel_k = nn.Parameter(torch.randn(1, 2 * WINDOW + 1, self.head_channels) * scale)
        self.emb_rel_v = nn.Parameter(torch.randn(1, 2 * WINDOW + 1, self.head_channels) * scale)
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        self.drop = nn.Dropout(p_dropout)
        for conv in (self.conv_q, self.conv_k, self.conv_v, self.conv_o):
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, C, T), mask (B, 1, T) -> (B, C, T)"""
        q, k, v = (self._heads(conv(x)) for conv in (self.conv_q, self.conv_k, self.conv_v))  # (B, H, T, D)
        q = q / math.sqrt(self.head_channels)
        neighbours, outside = _neighbours(x.shape[-1], x.device)  # (T, W) each
        neighbours = neighbours.expand(*q.shape[:3], -1)  # (B, H, T, W)

        relative = (q @ self.emb_rel_k.mT).masked_fill(outside, 0.0)  # (B, H, T, W)
        scores = (q @ k.mT).scatter_add(-1, neighbours, relative)  # (B, H, T, T)
        pairs = mask.unsqueeze(-1) * mask.unsqueeze(-2)  # (B, 1, T, T)
        weights = self.drop(scores.masked_fill(pairs == 0, _MASKED_SCORE).softmax(dim=-1))
        out = weights @ v + weights.gather(-1, neighbours).masked_fill(outside, 0.0) @ self.emb_rel_v
        return self.conv_o(out.mT.flatten(1, 2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (self.n_heads, self.head_channels)).mT


def _neighbours(n_frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For every frame the W frames around it, and which of them do not exist (those point at some frame that does). (T, W)"""
    around = torch.arange(n_frames, device=device)[:, None] + torch.arange(-WINDOW, WINDOW + 1, device=device)
    outside = (around < 0) | (around >= n_frames)
    return around.clamp(0, n_frames - 1), outside


class FeedForward(nn.Module):
    def __init__(self, channels: int, filter_channels: int, kernel_size: int, p_dropout: float) -> None:
        super().__init__()
        self.padding = ((kernel_size - 1) // 2, kernel_size // 2)
        self.conv_1 = nn.Conv1d(channels, filter_channels, kernel_size)
        self.conv_2 = nn.Conv1d(filter_channels, channels, kernel_size)
        self.drop = nn.Dropout(p_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.drop(torch.relu(self.conv_1(pad(x * mask, self.padding))))
        return self.conv_2(pad(x * mask, self.padding)) * mask


class Transformer(nn.Module):
    """Post-norm blocks over (B, C, T)."""

    def __init__(
        self, *, channels: int, filter_channels: int, n_heads: int, n_layers: int, kernel_size: int, p_dropout: float
    ) -> None:
        super().__init__()
        self.drop = nn.Dropout(p_dropout)
        self.attn_layers = nn.ModuleList(MultiHeadAttention(channels, n_heads, p_dropout) for _ in range(n_layers))
        self.norm_layers_1 = nn.ModuleList(LayerNorm(channels) for _ in range(n_layers))
        self.ffn_layers = nn.ModuleList(FeedForward(channels, filter_channels, kernel_size, p_dropout) for _ in range(n_layers))
        self.norm_layers_2 = nn.ModuleList(LayerNorm(channels) for _ in range(n_layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        layers = zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True)
        for attention, norm_1, feed_forward, norm_2 in layers:
            x = norm_1(x + self.drop(attention(x, mask)))
            x = norm_2(x + self.drop(feed_forward(x, mask)))
        return x * mask
