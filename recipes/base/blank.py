"""What the base model starts from: a pair that knows nothing, but whose vocoder hears its source.

With weights as they usually begin, the sine that carries the pitch reached the filter at 0.035 of full level, and the mel distance alone
did not make it louder: after 1600 steps the vocoder hummed at its frame rate whatever the pitch. With a source as loud as here it sounded
at the pitch asked for after 50 steps (docs/starter.md).
"""

import torch

from rvc import checkpoint
from rvc.download import sidecar
from rvc.download.pairs import BasePair, base_pairs, new_pair
from rvc.download.sidecar import Sidecar
from rvc.download.starter import NETWORK
from rvc.models.config import config_for
from rvc.models.discriminators import Discriminator
from rvc.models.synthesizer import Synthesizer
from rvc.paths import Home, write_text_whole

NAME = "blank"
SOURCE_GAIN = 10.0  # of a sine of amplitude 0.1, before its tanh
SEED = 1234


def pair(home: Home) -> BasePair:
    """Made when it is not there."""
    there = next((one for one in base_pairs(home) if one.name == NAME), None)
    return there or _made(home)


def _made(home: Home) -> BasePair:
    made = new_pair(home, NAME)
    config = config_for(NETWORK.version, NETWORK.sample_rate, NETWORK.pitch_guidance, NETWORK.vocoder, NETWORK.model_size)
    torch.manual_seed(SEED)
    generator, discriminator = Synthesizer(config), Discriminator(config.discriminator, config.discriminator_width)
    with torch.no_grad():
        generator.dec.m_source.l_linear.weight.fill_(SOURCE_GAIN)
        generator.dec.m_source.l_linear.bias.zero_()
    made.g_path.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.write(made.d_path, {"model": checkpoint.state_of(discriminator)})
    checkpoint.write(made.g_path, {"model": checkpoint.state_of(generator)})
    about = Sidecar(name=NAME, **vars(NETWORK), hours=0, speakers=1, steps=0, epochs=0, started_from="scratch", datasets=(), created="",
                    sha256={"G": sidecar.digest(made.g_path), "D": sidecar.digest(made.d_path)})
    write_text_whole(made.sidecar_path or made.g_path.with_name(f"{NAME}.json"), about.text())
    return made
