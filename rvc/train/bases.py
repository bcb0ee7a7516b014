"""Which base model ("pretrain") a run starts from. No torch here."""

from rvc.download.pairs import BasePair, base_pairs
from rvc.errors import EmbedderMismatchError, MissingAssetError, SettingsError
from rvc.paths import Home
from rvc.train.settings import TrainingSettings

SCRATCH = "scratch"
# All official pairs, and nearly all that people share, were trained on ContentVec features.
OFFICIAL_EMBEDDER = "contentvec"


def resolve(settings: TrainingSettings, embedder: str, home: Home) -> str:
    """``auto`` settled: the official pair for these settings when it is installed and fits, else ``scratch``; any other name checked."""
    asked = settings.model.base_model
    if asked == SCRATCH:
        return SCRATCH
    pairs = base_pairs(home)
    if asked != "auto":
        pair = _named(pairs, asked)
        _refuse_misfit(pair, settings, embedder)
        return pair.name
    if embedder != OFFICIAL_EMBEDDER or settings.model.model_size != "standard":
        return SCRATCH
    return next((pair.name for pair in pairs if pair.source == "official" and _fits(pair, settings)), SCRATCH)


def pair_named(name: str, home: Home) -> BasePair:
    return _named(base_pairs(home), name)


def _named(pairs: list[BasePair], name: str) -> BasePair:
    for pair in pairs:
        if pair.name == name:
            return pair
    known = ", ".join(pair.name for pair in pairs) or "none is installed"
    raise MissingAssetError(f"There is no pretrain {name!r} ({known}).",
                            fix="Download one, or put its G and D files into pretraineds/pretraineds_custom.")


def _fits(pair: BasePair, settings: TrainingSettings) -> bool:
    wanted = (settings.data.sample_rate, settings.model.version, settings.model.pitch_guidance)
    return (pair.sample_rate, pair.version, pair.pitch_guidance) == wanted


def _refuse_misfit(pair: BasePair, settings: TrainingSettings, embedder: str) -> None:
    """What can be told without opening the files; the tensors are compared before the first step."""
    if pair.source == "official" and embedder != OFFICIAL_EMBEDDER:
        raise EmbedderMismatchError(f"The pretrain {pair.name} was trained with {OFFICIAL_EMBEDDER}; this run uses {embedder}.",
                                    fix=f"Use --embedder {OFFICIAL_EMBEDDER}, another pretrain, or --base-model scratch.")
    if pair.sample_rate and pair.sample_rate != settings.data.sample_rate:
        raise SettingsError(f"The pretrain {pair.name} is for {pair.sample_rate} Hz; this run is at {settings.data.sample_rate} Hz.",
                            fix=f"Use --sample-rate {pair.sample_rate}, or another pretrain.")
    if pair.source == "official" and settings.model.model_size != "standard":
        raise SettingsError(f"The pretrain {pair.name} is of the standard size; this run asks for {settings.model.model_size}.")
