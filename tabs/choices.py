"""What is offered where the settings leave it open, with what is not here marked as such."""

from rvc import gpus
from rvc.download.pairs import base_pairs
from rvc.embedders import registry as embedders
from rvc.f0 import registry as detectors
from rvc.paths import Home
from tabs.form import Choices

AUTO = ("Automatic", "auto")


def embedder_choices(home: Home) -> Choices:
    return [AUTO, *((_marked(name, embedders.missing(name, home)), name) for name in embedders.EMBEDDERS)]


def detector_choices(home: Home) -> Choices:
    return [AUTO, *((_marked(method.title, detectors.missing(name, home)), name) for name, method in detectors.METHODS.items())]


def pretrain_choices(home: Home) -> Choices:
    """G/D pairs that are there, each with its sample rate."""
    pairs = [(" · ".join(part for part in (pair.name, rate(pair.sample_rate), pair.version, pair.source) if part), pair.name)
             for pair in base_pairs(home)]
    return [AUTO, ("None, from scratch", "scratch"), *pairs]


def gpu_choices() -> Choices:
    """Each NVIDIA GPU, and all together. Where none is known only the automatic choice is offered; a list can still be typed."""
    here = gpus.installed() or ()
    every = [(f"All {len(here)} GPUs", ",".join(str(one.index) for one in here))] if len(here) > 1 else []
    return [("One, automatic", ""), *((f"GPU {one.index} · {one.title}", str(one.index)) for one in here), *every]


def rate(sample_rate: int | None) -> str:
    """As people write it."""
    return f"{sample_rate / 1000:g} kHz" if sample_rate else "sample rate unknown"


def _marked(title: str, lacking: str | None) -> str:
    return f"{title} (not here yet)" if lacking else title
