"""Listening to a network in training without leaving a trace in it.

Scores and auditions are asked for between two steps. Nothing of what they do may reach the next step: no weight, no mode, no
random state. And nothing that goes wrong with them may end a training that is otherwise well.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rvc.errors import RvcError
from rvc.events import Event, Note

logger = logging.getLogger("timbre.train")


@contextmanager
def undisturbed(network: torch.nn.Module, device: torch.device, seed: int) -> Iterator[None]:
    """Inside the block ``network`` is in eval mode, without gradients, in float32, and every draw begins at ``seed``.

    Afterwards, also after a failure, each of its modules has the mode it had, and the random states are what they were. Models that
    are loaded inside draw weights before they read theirs: that leaves no trace either.
    """
    modes = [(module, module.training) for module in network.modules()]
    try:
        with own_randomness(device, seed), torch.no_grad(), torch.autocast(device.type, enabled=False):
            network.eval()
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """The CPU's generator and that of ``device`` begin at ``seed`` and are put back afterwards. Other devices' are not touched."""
    accelerator = getattr(torch, device.type) if device.type in ("cuda", "mps") else None
    where = (device,) if device.type == "cuda" else ()
    before = accelerator.get_rng_state(*where) if accelerator else None
    with torch.random.fork_rng(devices=[]):
        try:
            torch.default_generator.manual_seed(seed)
            if accelerator:
                accelerator.set_rng_state(torch.Generator(device).manual_seed(seed).get_state(), *where)
            yield
        finally:
            if accelerator:
                accelerator.set_rng_state(before, *where)


def not_fatal(events: Iterator[Event], what: str) -> Iterator[Event]:
    """``events``; a failure among them becomes a warning, with its traceback in the log.

    ``what`` begins the sentence. The checkpoint that belongs to them is on disk already, and the next save tries again: what is lost
    is the look at one epoch, which must not cost a training of days.
    """
    try:
        yield from events
    except Exception as error:
        logger.exception("%s failed", what)
        why = str(error) if isinstance(error, RvcError) else f"{type(error).__name__}: {error}".splitlines()[0]
        yield Note(level="warning", message=f"{what} failed, and the training goes on: {why}")
