"""TensorBoard: the tags that users of this family know, written into the run folder itself."""

from collections import deque
from pathlib import Path

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

AVERAGED_STEPS = 50
# What Applio calls the running means: the same words below loss_avg_50/ and grad_avg_50/.
# The mean of grad/clipped_* is how often a gradient met its limit.
_AVERAGED = ("grad/norm_d", "grad/norm_g", "grad/clipped_d", "grad/clipped_g", "loss/d/adv", "loss/g/adv", "loss/g/fm", "loss/g/kl",
             "loss/g/mel", "loss/g/total")
_SOMETIMES = "update/"


class Board:
    """One writer for one attempt of a fit. ``step`` is the global step everywhere."""

    def __init__(self, folder: Path, first_step: int) -> None:
        # purge: what a killed attempt wrote beyond the checkpoint it resumes from would draw a second line
        self._writer = SummaryWriter(str(folder), purge_step=first_step + 1 if first_step else None)
        self._last: dict[str, float] = {}
        self._recent = {tag: deque(maxlen=AVERAGED_STEPS) for tag in _AVERAGED}

    def step(self, step: int, values: dict[str, float]) -> None:
        """Called at every step; the means appear every 50, and what is not measured at every step when it is."""
        self._last = values
        for tag in self._recent.keys() & values.keys():
            self._recent[tag].append(values[tag])
        if step % AVERAGED_STEPS == 0:
            for tag, recent in self._recent.items():
                if not recent:  # of a discriminator that has not learnt yet
                    continue
                self._writer.add_scalar(tag.replace("loss/", "loss_avg_50/").replace("grad/", "grad_avg_50/"), np.mean(recent), step)
        for tag, value in values.items():
            if tag.startswith(_SOMETIMES):
                self._writer.add_scalar(tag, value, step)

    def epoch(self, step: int) -> None:
        """The values of an epoch's last step."""
        for tag, value in self._last.items():
            if not tag.startswith(_SOMETIMES):
                self._writer.add_scalar(tag, value, step)
        self._writer.flush()

    def preview(self, step: int, mels: dict[str, torch.Tensor], audio: torch.Tensor, sample_rate: int) -> None:
        """Mel spectrograms (n_mels, T) by tag, and generated audio (N,) at ``sample_rate``."""
        for tag, mel in mels.items():
            self._writer.add_figure(tag, _figure(mel), step, close=False)
        self._writer.add_audio(f"gen/audio_{step:07d}", audio.float().cpu()[None], step, sample_rate=sample_rate)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class NoBoard(Board):
    """In the place of a board in processes that write nothing."""

    def __init__(self) -> None:
        pass

    def step(self, step: int, values: dict[str, float]) -> None:
        pass

    def epoch(self, step: int) -> None:
        pass

    def close(self) -> None:
        pass


def _figure(mel: torch.Tensor):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2))
    FigureCanvasAgg(figure)
    # Places in shares of the figure: a layout that matplotlib finds itself draws everything three times to measure it.
    axes, bar = figure.add_axes((0.06, 0.26, 0.85, 0.68)), figure.add_axes((0.93, 0.26, 0.015, 0.68))
    image = axes.imshow(mel.float().cpu().numpy(), aspect="auto", origin="lower", interpolation="none")
    figure.colorbar(image, cax=bar)
    axes.set(xlabel="Frames", ylabel="Mel bands")
    return figure
