"""What the tests of evaluation and audition share: a network of random weights, and everything that listening must not change."""

import hashlib
import random

import numpy as np
import torch

from rvc.f0.detector import HOP
from rvc.f0.track import F0Track
from rvc.models.config import ModelConfig, config_for
from rvc.models.synthesizer import Synthesizer
from rvc.train.data.clips import ClipList
from rvc.train.run import TrainingRun

CPU = torch.device("cpu")


class Constant:
    """A pitch detector that always hears ``hz``. It draws, as models that are being loaded do."""

    def __init__(self, hz: float) -> None:
        self.hz = hz
        torch.randn(3)

    def detect(self, samples: np.ndarray) -> F0Track:
        return F0Track(np.full(len(samples) // HOP + 1, self.hz))


def config_of(run: TrainingRun) -> ModelConfig:
    settings = run.settings
    return config_for(settings.model.version, settings.data.sample_rate, settings.model.pitch_guidance, settings.model.vocoder,
                      settings.model.model_size, n_speakers=4)


def random_network(run: TrainingRun, seed: int = 0) -> Synthesizer:
    """In train mode, but for one part: modes are kept module by module."""
    torch.manual_seed(seed)
    network = Synthesizer(config_of(run)).train()
    network.flow.eval()
    return network


def hold_out(run: TrainingRun, count: int) -> None:
    """The last ``count`` clips are not trained on."""
    clips = ClipList.read(run.filelist).clips
    ClipList(clips[:-count]).write(run.filelist)
    ClipList(clips[-count:]).write(run.held_out_list)


def mark(network: torch.nn.Module) -> tuple:
    """Everything about ``network`` and every random state: equal marks, undisturbed."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    numpy_state = np.random.get_state()
    return (digest.hexdigest(), [module.training for module in network.modules()],
            [(one.requires_grad, one.grad is None) for one in network.parameters()],
            torch.get_rng_state().numpy().tobytes(), random.getstate(), numpy_state[1].tobytes(), numpy_state[2])
