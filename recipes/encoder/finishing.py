"""What is done to the trained student at the end: its features are turned and stretched so that what tells sounds apart stands out.

Within-class covariance normalisation (Hatch et al. 2006): directions in which frames of the same sound differ, by speaker, neighbours and
chance, are shrunk, the more the more they differ. One matrix, folded into the head: the network stays as it is. On a third of the
report's sentences ABX across speakers fell from 17.7 to 13.9 % (English), 12.5 to 7.9 % (Czech), 17.2 to 13.3 % (Italian); in exchange the
speaker was named from half a second of English in 92 % instead of 88 %.
"""

import torch
from torch import Tensor, nn

from recipes.encoder.examples import NO_PHONE, Examples

BATCHES = 120
RIDGE = 2.0  # of the mean variance within sounds: 0.3 told sounds apart no better and speakers more
FEWEST_FRAMES = 30  # of a sound


@torch.inference_mode()
def finish(student: nn.Module, examples: Examples, batch_size: int, device: torch.device, seed: int = 1) -> None:
    """Changes the head so that speech as it is has mean 0, channels of variance 1 on average, and sounds stand apart."""
    content, phones = _said(student, examples, batch_size, device, seed)
    turn = turned(content, phones)
    head, mean = student.head, content.mean(dim=0)
    head.weight.copy_(turn.T @ head.weight)
    head.bias.copy_(turn.T @ (head.bias - mean))


def turned(content: Tensor, phones: Tensor) -> Tensor:
    """content (n, C), phones (n,) -> the symmetric matrix (C, C) to be multiplied from the right."""
    within = _within(content, phones)
    variances, axes = torch.linalg.eigh(within)
    turn = (axes / (variances + RIDGE * variances.mean()).sqrt()) @ axes.T
    return turn / ((content - content.mean(dim=0)) @ turn).var(dim=0).mean().sqrt()


def _within(content: Tensor, phones: Tensor) -> Tensor:
    """The mean covariance of frames of the same sound; without any known sound the plain one."""
    sounds = [content[phones == one] for one in phones.unique() if one != NO_PHONE]
    groups = [sound for sound in sounds if len(sound) >= FEWEST_FRAMES] or [content]
    centred = torch.cat([group - group.mean(dim=0) for group in groups])
    return centred.T @ centred / len(centred)


@torch.inference_mode()
def _said(student: nn.Module, examples: Examples, batch_size: int, device: torch.device, seed: int) -> tuple[Tensor, Tensor]:
    content, phones = [], []
    for batch, _ in zip(examples.batches(batch_size, seed), range(BATCHES), strict=False):
        content.append(student(batch.mel.to(device)).flatten(0, 1))
        phones.append(batch.phones.flatten().to(device))
    return torch.cat(content), torch.cat(phones)
