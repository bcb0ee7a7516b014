"""``python -m recipes.encoder.train WORK OUT.safetensors --minutes 25``: train the student on what was prepared in WORK.

The learning rate follows the clock, so the training ends when it was said to, on whatever machine. Started again with the same WORK it
goes on from the last checkpoint.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from recipes.encoder.examples import Batch, Examples
from recipes.encoder.finishing import finish
from recipes.encoder.objective import Objective
from recipes.encoder.perturbations import perturbed
from rvc.embedders import builtin
from rvc.embedders.mini import MiniEncoder, Size

RATE, WARM_UP, DECAY = 2e-3, 0.03, 0.01
AVERAGE_SECONDS = 60.0  # of training: the weights that are kept are a running mean over about so long
SAVE_SECONDS = 60.0


@dataclass
class Course:
    """All that a training is."""

    student: nn.Module
    objective: Objective
    minutes: float
    device: torch.device
    seconds: float = 0.0
    steps: int = 0
    average: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        learning = [*self.student.parameters(), *self.objective.parameters()]
        self.optimizer = torch.optim.AdamW(learning, RATE, (0.9, 0.98), weight_decay=DECAY)
        self.average = {name: value.clone() for name, value in self.student.state_dict().items()}

    @property
    def progress(self) -> float:
        return min(1.0, self.seconds / (60 * self.minutes))

    def rate(self) -> float:
        """Up in a line, down in half a cosine."""
        if self.progress < WARM_UP:
            return RATE * max(0.01, self.progress / WARM_UP)
        return RATE * (0.005 + 0.995 * (1 + math.cos(math.pi * (self.progress - WARM_UP) / (1 - WARM_UP))) / 2)

    def step(self, batch: Batch, random: torch.Generator) -> dict[str, float]:
        """One update; the losses."""
        began = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        batch = Batch(*(part.to(self.device) for part in (batch.mel, batch.target, batch.phones)))
        losses = self.objective(self.student(perturbed(batch.mel, random)), batch)
        self.optimizer.zero_grad()
        losses["total"].backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self._count(time.perf_counter() - began)
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _count(self, seconds: float) -> None:
        self.steps, self.seconds = self.steps + 1, self.seconds + seconds
        share = min(1.0, max(seconds / AVERAGE_SECONDS, 1 / self.steps))
        for name, value in self.student.state_dict().items():
            self.average[name].lerp_(value, share)

    def save(self, path: Path) -> None:
        unfinished = path.with_suffix(".part")
        torch.save({"student": self.student.state_dict(), "objective": self.objective.state_dict(), "average": self.average,
                    "optimizer": self.optimizer.state_dict(), "seconds": self.seconds, "steps": self.steps}, unfinished)
        unfinished.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.seconds, self.steps = state["average"], state["seconds"], state["steps"]


def train(course: Course, examples: Examples, batch_size: int, checkpoint: Path, seed: int = 0) -> Iterator[dict[str, float]]:
    """The losses of every step, until the time is up."""
    if checkpoint.is_file():
        course.load(checkpoint)
    random = torch.Generator(course.device).manual_seed(seed + course.steps)
    saved = course.seconds
    for batch in examples.batches(batch_size, seed + course.steps):
        if course.progress >= 1:
            break
        yield course.step(batch, random)
        if course.seconds - saved > SAVE_SECONDS:
            course.save(checkpoint)
            saved = course.seconds
    course.save(checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    examples = Examples.read(arguments.work)
    print(f"{sum(len(one) for one in examples.streams) / 180_000:.1f} h in all copies, {len(examples.phone_names)} sounds", flush=True)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    course = Course(MiniEncoder(Size()).to(device), Objective(len(examples.phone_names)).to(device), arguments.minutes, device)
    for losses in train(course, examples, arguments.batch_size, arguments.work / "checkpoint.pt"):
        if course.steps % 50 == 0:
            shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
            print(f"{course.seconds / 60:5.1f} min  step {course.steps:6}  {shown}", flush=True)
    course.student.load_state_dict(course.average)
    finish(course.student, examples, arguments.batch_size, device)
    builtin.write(arguments.out, course.student.cpu())


if __name__ == "__main__":
    main()
