"""Every choice of a training run. No torch here: forms, flags and manifests are made from these fields."""

from typing import Literal

from pydantic import model_validator

from rvc.settings import Settings, option


class DataSettings(Settings):
    """How recordings become clips (stage *preprocess*)."""

    dataset: str = option("", help="A folder of recordings, or one recording. Sub-folders named by a number are speakers.")
    sample_rate: Literal[24000, 32000, 40000, 48000] = option(40000, help="Sample rate of the voice, in Hz.")
    high_pass: bool = option(True, advanced=True, help="Remove rumble below 48 Hz before slicing.")
    slicing: Literal["automatic", "simple", "whole"] = option(
        "automatic", advanced=True,
        help="automatic: cut at silences, then into slices. simple: slices of fixed length. whole: each file is one clip.")
    slice_seconds: float = option(3.0, low=0.8, high=8.0, step=0.1, advanced=True, help="Longest clip made by slicing, in seconds.")
    overlap_seconds: float = option(0.3, low=0.0, high=0.5, step=0.05, advanced=True, help="How much neighbouring slices share.")
    loudness: Literal["clip", "file", "none"] = option(
        "clip", advanced=True, help="Bring each clip, or each whole file, to a common peak before training.")


class ModelSettings(Settings):
    """What kind of voice is made and what it listens to."""

    embedder: str = option(
        "auto", help="What turns speech into content features: auto (contentvec once downloaded, else builtin), "
                     "contentvec, spin, spin-v2, builtin, or a folder with a HuBERT.")
    f0_method: Literal["auto", "rmvpe", "fcpe", "crepe", "crepe-tiny", "swift"] = option(
        "auto", label="Pitch detector", help="auto takes rmvpe when its weights are installed, else fcpe.")
    base_model: str = option(
        "auto", label="Pretrain", help="What the run starts from: auto (the official pair for these settings when installed, else from "
                                       "scratch), scratch, or the name of a G/D pair.")
    version: Literal["v1", "v2"] = option("v2", advanced=True, help="RVC model version.")
    pitch_guidance: bool = option(True, advanced=True, help="Guide the voice by pitch. Needed for singing.")
    vocoder: Literal["HiFi-GAN"] = option("HiFi-GAN", advanced=True, help="The network that makes the waveform.")
    model_size: Literal["standard", "tiny"] = option(
        "standard", advanced=True,
        help="tiny: a small network that trains in seconds, to try the studio. Its voices load everywhere but sound rough.")


class FitSettings(Settings):
    """How the networks learn (stage *fit*)."""

    epochs: int = option(200, low=1, high=100_000, help="How many times the whole dataset is gone through.")
    batch_size: int = option(4, low=1, high=256, help="Clips per step. 4 suits under 30 minutes of speech, 8 suits more.")
    save_every_epochs: int = option(10, low=1, high=10_000, help="Save a checkpoint and a voice to listen to this often.")
    keep_checkpoints: int = option(2, low=2, high=1000, advanced=True, help="How many resumable checkpoints are kept.")
    export_every_save: bool = option(True, advanced=True, help="Export a voice at every save, not only at the end.")
    learning_rate: float = option(1e-4, low=1e-7, high=1e-1, advanced=True, help="Initial learning rate of AdamW, for both networks.")
    lr_decay: float = option(0.999875, low=0.9, high=1.0, label="Learning rate decay", advanced=True,
                            help="The learning rate is multiplied by this after each epoch.")
    mel_weight: float = option(45.0, low=0.0, high=1000.0, advanced=True, help="Weight of the mel loss.")
    kl_weight: float = option(1.0, low=0.0, high=100.0, label="KL weight", advanced=True, help="Weight of the KL loss.")
    seed: int = option(1234, low=0, high=2**31 - 1, advanced=True, help="Seed of every random draw.")
    device: str = option("auto", advanced=True, help="auto, cpu, cuda, cuda:N or mps.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "auto", advanced=True, help="auto tries bf16, then fp16, on a GPU and takes what this machine computes correctly; fp32 elsewhere.")


class IndexSettings(Settings):
    """How the content features are kept for conversion (stage *index*)."""

    index_algorithm: Literal["auto", "all", "kmeans"] = option(
        "auto", advanced=True, help="all keeps every vector, kmeans 10,000 centres; auto changes to kmeans above 200,000 vectors.")


class TrainingSettings(Settings):
    """Everything a run is asked for."""

    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    fit: FitSettings = FitSettings()
    index: IndexSettings = IndexSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainingSettings":
        if self.model.version == "v1" and self.data.sample_rate == 24000:
            raise ValueError("A v1 voice cannot have a sample_rate of 24000; choose 32000, 40000 or 48000, or version v2.")
        if self.data.overlap_seconds > self.data.slice_seconds / 2:
            raise ValueError("overlap_seconds must be at most half of slice_seconds.")
        return self
