"""What a new run is asked for where nothing is said: to start from the pretrain that comes with the studio, while no official one is here.

The command line and the page both ask here, so that both mean the same. No torch.
"""

from collections.abc import Mapping
from typing import Any

from rvc.download import starter
from rvc.download.pairs import base_pairs
from rvc.paths import Home
from rvc.settings import flat, from_flat
from rvc.train.settings import TrainingSettings

# What the starter pair settles. Of the rest of a network the defaults are its own, and another wish is a wish for another pretrain.
SETTLED = ("sample_rate", "model_size", "embedder")
SENTENCE = (f"Starting from the pretrain that comes with Timbre ({starter.NETWORK.sample_rate / 1000:g} kHz, {starter.NETWORK.model_size}, "
            "built-in embedder), for no official one is downloaded; --sample-rate, --model-size or --embedder ask for something else.")


def settings_for(home: Home, given: Mapping[str, Any]) -> TrainingSettings:
    """The settings of a new run of which ``given`` was said, by flat name."""
    return from_flat(TrainingSettings, {**taken(home, given), **given})


def taken(home: Home, given: Mapping[str, Any]) -> dict[str, Any]:
    """The starter pair's sample rate, size and embedder, by flat name, for a new run of which ``given`` was said.

    Empty where there is no such pair or an official one, and where what was said is against it. A damaged pair counts: that it is one is
    told when the run is made, or when its form is looked at.
    """
    said = {**flat(TrainingSettings()), **given}
    network = vars(starter.NETWORK)
    against = any(name in given for name in SETTLED) or said["base_model"] != "auto" or any(
        said[name] != value for name, value in network.items() if name not in SETTLED)
    if against or not starter.present(home) or any(pair.source == "official" for pair in base_pairs(home)):
        return {}
    return {name: network[name] for name in SETTLED}
