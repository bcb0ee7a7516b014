"""What is offered where the settings leave it open, with what is not here marked as such."""

from rvc import gpus
from rvc.embedders import registry as embedders
from rvc.f0 import registry as detectors
from rvc.paths import Home
from rvc.train import bases
from rvc.train.settings import TrainingSettings
from tabs.form import Choices

AUTO = ("Automatic", "auto")


def embedder_choices(home: Home) -> Choices:
    return [AUTO, *((_marked(name, embedders.missing(name, home)), name) for name in embedders.EMBEDDERS)]


def detector_choices(home: Home) -> Choices:
    return [AUTO, *((_marked(method.title, detectors.missing(name, home)), name) for name, method in detectors.METHODS.items())]


def pretrain_choices(home: Home, settings: TrainingSettings, run: str = "") -> Choices:
    """What a run with these settings can start from; what is known not to fit is left out. ``run`` cannot start from itself."""
    embedder = embedders.resolve(settings.model.embedder, home)
    found = [_base(base) for base in bases.offered(settings, embedder, home)]
    return [AUTO, ("None, from scratch", bases.SCRATCH), *(one for one in found if one[1] != f"{bases.RUN}{run}")]


def pretrain_misfit(home: Home, settings: TrainingSettings) -> str:
    """Why the pretrain of these settings does not fit them; empty when nothing is known against it."""
    return bases.misfit(settings, embedders.resolve(settings.model.embedder, home), home)


def _base(base: bases.Base) -> tuple[str, str]:
    """Of another run the newest checkpoint is meant, whichever that will be."""
    if base.kind == "run":
        name, step = base.name.removeprefix(bases.RUN).rsplit("@", 1)
        return f"{name} · this run's newest checkpoint (now step {step})", f"{bases.RUN}{name}"
    network = base.network
    kind = "comes with Timbre" if base.kind == "starter" else base.kind
    return " · ".join(part for part in (base.name, rate(network.sample_rate), network.version, kind) if part), base.name


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
