"""The normalising flow between the posterior's and the prior's latent frames.

Mean-only coupling layers (Dinh et al., RealNVP, 2017) with a WaveNet inside, as in Kim et al., VITS (2021). Four couplings with a
reversal of the channels after each; being volume-preserving they need no log-determinant.

Dimensions: B batch, Z latent channels, T frames, G speaker channels.
"""

import torch
from torch import Tensor, nn

from rvc.models.config import ModelConfig
from rvc.models.layers import WaveNet

_COUPLINGS = 4
_WAVENET_LAYERS = 3


class Coupling(nn.Module):
    """Shifts one half of the channels by what the other half says."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        half, hidden = config.inter_channels // 2, config.hidden_channels
        self.pre = nn.Conv1d(half, hidden, 1)
        self.enc = WaveNet(channels=hidden, n_layers=_WAVENET_LAYERS, gin_channels=config.gin_channels)
        self.post = nn.Conv1d(hidden, half, 1)
        # Training starts from the identity.
        nn.init.zeros_(self.post.weight)
        nn.init.zeros_(self.post.bias)

    def forward(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        kept, shifted = x.chunk(2, dim=1)
        return torch.cat([kept, self._shift(kept, mask, g) + shifted * mask], dim=1)

    def reverse(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        kept, shifted = x.chunk(2, dim=1)
        return torch.cat([kept, (shifted - self._shift(kept, mask, g)) * mask], dim=1)

    def _shift(self, kept: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        return self.post(self.enc(self.pre(kept) * mask, mask, g)) * mask


class Flip(nn.Module):
    """Reverses the channels, so that the next coupling shifts the other half. Takes a number in the files' key names, no weights."""

    def forward(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        return x.flip(1)

    reverse = forward


class Flow(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.flows = nn.ModuleList(layer for _ in range(_COUPLINGS) for layer in (Coupling(config), Flip()))

    def forward(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        """Posterior to prior. x (B, Z, T), mask (B, 1, T), speaker g (B, G, 1) -> (B, Z, T)"""
        for layer in self.flows:
            x = layer(x, mask, g)
        return x

    def reverse(self, x: Tensor, mask: Tensor, g: Tensor) -> Tensor:
        """Prior to posterior: the inverse of ``forward``."""
        for layer in reversed(self.flows):
            x = layer.reverse(x, mask, g)
        return x
