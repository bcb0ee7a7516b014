"""What a fit begins with: the run's newest checkpoint, the pair it starts from, or nothing; and the network that follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass

from rvc.errors import TrainingError
from rvc.events import Event
from rvc.models.config import STANDARD_SPEAKERS, ModelConfig, config_for
from rvc.paths import Home
from rvc.train import base_weights, bases
from rvc.train.data.clips import ClipList
from rvc.train.fitting import checkpoints
from rvc.train.fitting.checkpoints import Snapshot
from rvc.train.run import TrainingRun


@dataclass(frozen=True)
class Beginning:
    """Of ``checkpoint``, to go on from, and ``base``, of which only the weights are taken, one at most is there."""

    config: ModelConfig
    checkpoint: Snapshot | None
    base: Snapshot | None

    @property
    def weights(self) -> Snapshot | None:
        """G and D; ``None`` from scratch."""
        return self.checkpoint or self.base


def beginning(run: TrainingRun, home: Home, clips: ClipList, *, anew: bool = False) -> Iterator[Event | Beginning]:
    """Warnings of damaged checkpoints, then the beginning as the last item. anew: as if there were no checkpoints.

    ``TrainingError`` when the clips are fewer than a batch or of more speakers than the network has; errors of checkpoints and pairs.
    """
    clips.refuse_larger_batch(run.settings.fit.batch_size)
    checkpoint = None
    for item in () if anew else checkpoints.newest(run):
        if isinstance(item, Snapshot):
            checkpoint = item
        else:
            yield item
    base = None if checkpoint or run.resolved.base_model == bases.SCRATCH else _base(run, home)
    config = _config(run, checkpoint or base)
    _refuse_unknown_speakers(config, clips)
    yield Beginning(config, checkpoint, base)


def _base(run: TrainingRun, home: Home) -> Snapshot:
    resolved = run.resolved
    return base_weights.read(bases.named(resolved.base_model, home), bases.network_of(run.settings, resolved.embedder))


def _config(run: TrainingRun, weights: Snapshot | None) -> ModelConfig:
    """The network of the settings; its speaker table is as large as the one it starts from."""
    settings = run.settings
    table = (weights.generator if weights else {}).get("model", {}).get("emb_g.weight")
    return config_for(settings.model.version, settings.data.sample_rate, settings.model.pitch_guidance, settings.model.vocoder,
                      settings.model.model_size, n_speakers=STANDARD_SPEAKERS if table is None else len(table))


def _refuse_unknown_speakers(config: ModelConfig, clips: ClipList) -> None:
    if clips.n_speakers > config.n_speakers:
        raise TrainingError(f"The dataset has a speaker {clips.n_speakers - 1}; the speaker table this run starts from has "
                            f"{config.n_speakers} rows, 0 to {config.n_speakers - 1}.", fix="Give the speakers lower numbers.")
