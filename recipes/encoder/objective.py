"""What the student is praised for: features like the targets, from which a linear model can name the speech sound."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from recipes.encoder.examples import EDGE_FRAMES, NO_PHONE, Batch
from rvc.embedders.mini import OUTPUT

PHONE_WEIGHT = 0.1


class Objective(nn.Module):
    """``sounds`` is thrown away after training."""

    def __init__(self, n_phones: int) -> None:
        super().__init__()
        self.sounds = nn.Linear(OUTPUT, n_phones)

    def forward(self, content: Tensor, batch: Batch) -> dict[str, Tensor]:
        """content (B, N, OUTPUT) -> named losses, the sum under ``total``."""
        inner = slice(EDGE_FRAMES, -EDGE_FRAMES)
        content, target, phones = content[:, inner], batch.target[:, inner], batch.phones[:, inner]
        likeness = functional.cosine_similarity(content, target, dim=-1)
        losses = {"square": functional.mse_loss(content, target), "angle": (1 - likeness).mean()}
        if (phones != NO_PHONE).any():
            losses["phone"] = PHONE_WEIGHT * functional.cross_entropy(self.sounds(content).flatten(0, 1), phones.flatten(),
                                                                      ignore_index=NO_PHONE)
        return losses | {"total": torch.stack(list(losses.values())).sum()}
