"""How much disk a run will need, worked out from its settings before it starts. No torch here.

Sizes of networks are parameter counts, which ``tests/train/test_disk.py`` compares with the networks themselves and with the files of
a real fit.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from rvc.errors import StorageError
from rvc.index.build import CENTRES, KMEANS_ABOVE
from rvc.models.config import CONTENT_CHANNELS, ModelConfig, config_for
from rvc.train.settings import FitSettings, TrainingSettings

_FLOAT, _HALF = 4, 2  # bytes
# What a voice holds of the generator: with pitch guidance, without.
_EXPORTED = {
    "standard": {
        ("v1", 32000): (27_471_170, 27_402_432), ("v1", 40000): (27_439_042, 27_367_616), ("v1", 48000): (27_479_362, 27_402_432),
        ("v2", 24000): (27_922_370, 27_859_136), ("v2", 32000): (28_057_538, 27_990_208), ("v2", 40000): (27_537_346, 27_465_920),
        ("v2", 48000): (28_716_994, 28_645_568)},
    "small": {
        ("v1", 32000): (3_869_730, 3_835_360), ("v1", 40000): (3_869_346, 3_833_632), ("v1", 48000): (3_873_826, 3_835_360),
        ("v2", 24000): (4_012_706, 3_981_088), ("v2", 32000): (4_047_522, 4_013_856), ("v2", 40000): (3_918_498, 3_882_784),
        ("v2", 48000): (4_213_410, 4_177_696)},
    "tiny": {
        ("v1", 32000): (453_242, 442_600), ("v1", 40000): (452_978, 442_000), ("v1", 48000): (454_266, 442_600),
        ("v2", 24000): (474_482, 464_528), ("v2", 32000): (477_042, 466_576), ("v2", 40000): (469_362, 458_384),
        ("v2", 48000): (487_794, 476_816)},
}
_EXPORTED_REFINEGAN = {"standard": 26_273_682, "small": 3_604_938, "tiny": 446_204}  # at every sample rate
_MRF_MORE = {"standard": 522, "small": 266, "tiny": 74}  # than HiFi-GAN
# enc_q, never exported: so much, and so much per spectrogram bin.
_POSTERIOR = {"standard": (8_724_672, 192), "small": (1_993_824, 96), "tiny": (220_192, 32)}
_DISCRIMINATOR = {"standard": {"v1": 54_968_286, "v2": 71_410_594, "v3": 47_028_034},
                  "small": {"v1": 1_203_738, "v2": 1_462_550, "v3": 1_079_210},
                  "tiny": {"v1": 623_046, "v2": 688_294, "v3": 591_784}}

_ADAM_COPIES = 3  # a weight, and two moments of its gradient
_CHECKPOINT_OVERHEAD = 1_500_000  # names and headers of some thousands of tensors in zip files
_VOICE_OVERHEAD = 250_000
_CONTENT_RATE, _FEATURES_PER_SECOND, _F0_PER_SECOND = 16_000, 50, 100
_AUDITION_SECONDS, _FLAC_BYTES = 20.0, 2  # at most; FLAC of 16 bits needs less than that a sample
_BOARD_BYTES = 700_000  # mel images and three seconds of audio in TensorBoard's file, at each save


@dataclass(frozen=True)
class DiskNeed:
    """Bytes. ``checkpoints`` counts those that are there at once, the one being written included."""

    data: int  # clips at both rates, pitch, content features
    index: int
    checkpoint: int  # of one
    checkpoints: int
    voice: int  # of one
    voices: int
    listening: int  # auditions and previews of all saves

    @property
    def kept(self) -> int:
        """Beside the data, once everything was saved."""
        return self.index + self.checkpoint * self.checkpoints + self.voice * self.voices + self.listening

    @property
    def total(self) -> int:
        return self.data + self.kept

    @property
    def in_words(self) -> str:
        parts = {f"{self.checkpoints} checkpoint{'s' * (self.checkpoints > 1)}": self.checkpoint * self.checkpoints,
                 f"{self.voices} voice{'s' * (self.voices > 1)}": self.voice * self.voices,
                 "prepared recordings and index": self.data + self.index, "clips to listen to": self.listening}
        return f"about {_size(self.total)} ({', '.join(f'{name} {_size(count)}' for name, count in parts.items())})"


def estimate(settings: TrainingSettings, dataset_seconds: float) -> DiskNeed:
    """dataset_seconds: of the recordings, as they come. Silence that is cut out of them makes the run smaller than this."""
    model, fit = settings.model, settings.fit
    config = config_for(model.version, settings.data.sample_rate, model.pitch_guidance, model.vocoder, model.model_size)
    exported, generator, discriminator = _parameters(config, model.model_size)
    seconds = dataset_seconds * _repeated(settings)
    weights = _ADAM_COPIES * (generator + discriminator) + (generator if fit.ema_decay else 0)
    saves = ceil(fit.epochs / fit.save_every_epochs)
    audition = round(_AUDITION_SECONDS * config.sample_rate * _FLAC_BYTES)
    return DiskNeed(
        data=round(seconds * _data_bytes_per_second(config)),
        index=_index_bytes(settings, seconds),
        checkpoint=weights * _FLOAT + _CHECKPOINT_OVERHEAD,
        checkpoints=min(saves, _kept(fit) + 1),
        voice=exported * _HALF + _VOICE_OVERHEAD,
        voices=saves if fit.export_every_save else 1,
        listening=saves * (_BOARD_BYTES + audition))


def check(folder: Path, need: DiskNeed) -> str | None:
    """Whether the disk of the run ``folder`` has room for what is not there yet: ``None``, or a warning when not for all of it.

    ``StorageError`` when not even for the data and one checkpoint: such a run would lose its first hours.
    """
    free, first, whole = _room(folder, need)
    if first > free:
        raise StorageError(f"The disk of {folder} has {_size(free)} free; the data and one checkpoint of this run need {_size(first)}.",
                           fix="Free some space there.")
    if whole > free:
        return (f"The whole run will need {_size(whole)} more on the disk of {folder}, which has {_size(free)} free: it will stop when "
                f"that is full, and can be resumed. {_advice(need)}")
    return None


def need_sentence(settings: TrainingSettings, dataset_seconds: float, folder: Path) -> str:
    """For the form: what the run will need and what is free. ``folder`` need not be there yet."""
    need = estimate(settings, dataset_seconds)
    free, _, whole = _room(folder, need)
    said = f"Disk: {need.in_words}; {_size(free)} free."
    return said if whole <= free else f"{said} That is not enough. {_advice(need)}"


# -- how much of what ----------------------------------------------------------------------------------------------------------


def _parameters(config: ModelConfig, size: str) -> tuple[int, int, int]:
    """Of what is exported, of the whole generator, of the discriminator."""
    if config.vocoder == "RefineGAN":
        exported = _EXPORTED_REFINEGAN[size]
    else:
        with_pitch, without = _EXPORTED[size][config.version, config.sample_rate]
        exported = (with_pitch if config.pitch_guidance else without) + (_MRF_MORE[size] if config.vocoder == "MRF HiFi-GAN" else 0)
    posterior, per_bin = _POSTERIOR[size]
    return exported, exported + posterior + per_bin * config.spec_channels, _DISCRIMINATOR[size][config.discriminator]


def _repeated(settings: TrainingSettings) -> float:
    """How often a second of a recording is there, because neighbouring slices share their ends."""
    data = settings.data
    return 1.0 if data.slicing == "whole" else data.slice_seconds / (data.slice_seconds - data.overlap_seconds)


def _data_bytes_per_second(config: ModelConfig) -> int:
    """All of it is kept as float32."""
    features = _FEATURES_PER_SECOND * CONTENT_CHANNELS[config.version]
    return _FLOAT * (config.sample_rate + _CONTENT_RATE + _F0_PER_SECOND + features)


def _index_bytes(settings: TrainingSettings, seconds: float) -> int:
    vectors, algorithm = seconds * _FEATURES_PER_SECOND, settings.index.index_algorithm
    if algorithm == "kmeans" or (algorithm == "auto" and vectors > KMEANS_ABOVE):
        vectors = min(vectors, CENTRES)
    return round(vectors * (CONTENT_CHANNELS[settings.model.version] * _FLOAT + 8))  # a vector and its number


def _kept(fit: FitSettings) -> int:
    """Checkpoints that stay: the newest ones, and those of every so many epochs."""
    return fit.keep_checkpoints + (fit.epochs // fit.keep_every_epochs if fit.keep_every_epochs else 0)


# -- what there is -------------------------------------------------------------------------------------------------------------


def _room(folder: Path, need: DiskNeed) -> tuple[int, int, int]:
    """Bytes that are free, that the data and one more checkpoint want, and that the whole run still wants."""
    data = max(0, need.data - sum(_bytes_in(folder / name) for name in ("clips", "clips_16k", "f0", "features")))
    kept = max(0, need.kept - _bytes_in(folder / "eval") - _bytes_in(folder, (".pth", ".pt", ".index")))
    first = data + need.checkpoint
    return shutil.disk_usage(_there(folder)).free, first, max(first, data + kept)


def _bytes_in(folder: Path, endings: tuple[str, ...] = ("",)) -> int:
    """Of the files right in ``folder``. One that a worker removes meanwhile counts nothing."""
    total = 0
    for entry in os.scandir(folder) if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            total += entry.stat().st_size if entry.is_file() and entry.name.endswith(endings) else 0
    return total


def _there(folder: Path) -> Path:
    """``folder``, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _advice(need: DiskNeed) -> str:
    """The setting that saves most."""
    if need.voice * need.voices + need.listening > need.checkpoint * need.checkpoints:
        return "Free some space, or save less often (save every epochs)."
    return "Free some space, or keep fewer checkpoints (keep checkpoints, keep every epochs)."


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count, 0) / 1e6:.0f} MB"
