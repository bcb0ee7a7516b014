"""Every choice of a training run. No torch here: forms, flags and manifests are made from these fields."""

from typing import Literal

from pydantic import model_validator

from rvc.settings import Settings, option


class DataSettings(Settings):
    """How recordings become clips (stage *preprocess*)."""

    dataset: str = option("", help="A folder of recordings, or one recording. Several speakers: one sub-folder each, numbered or named.")
    sample_rate: Literal[24000, 32000, 40000, 48000] = option(40000, help="Sample rate of the voice, in Hz.")
    high_pass: bool = option(True, advanced=True, help="Remove rumble below 48 Hz before slicing.")
    slicing: Literal["automatic", "simple", "whole"] = option(
        "automatic", advanced=True,
        help="automatic: cut at silences, then into slices. simple: slices of fixed length. whole: each file is one clip.")
    slice_seconds: float = option(3.0, low=0.8, high=8.0, step=0.1, advanced=True, help="Longest clip made by slicing, in seconds.")
    overlap_seconds: float = option(0.3, low=0.0, high=0.5, step=0.05, advanced=True, help="How much neighbouring slices share.")
    loudness: Literal["clip", "file", "none"] = option(
        "clip", advanced=True, help="Bring each clip, or each whole file, to a common peak before training.")
    held_out_percent: float = option(
        4.0, low=0.0, high=20.0, step=0.5, label="Held out, in percent", advanced=True,
        help="How much of the recordings, whole files only, is never trained on: every save is scored on it. 0 holds out nothing.")


class ModelSettings(Settings):
    """What kind of voice is made and what it listens to."""

    embedder: str = option(
        "auto", help="What turns speech into content features: auto (contentvec once downloaded, else builtin), "
                     "contentvec, spin, spin-v2, builtin, or a folder with a HuBERT. builtin comes with Timbre, for first steps and for "
                     "machines without a model hub: contentvec with an official pretrain gives better voices.")
    f0_method: Literal["auto", "rmvpe", "fcpe", "crepe", "crepe-tiny", "swift"] = option(
        "auto", label="Pitch detector", help="auto takes rmvpe when its weights are installed, else fcpe.")
    base_model: str = option(
        "auto", label="Pretrain", help="What the run starts from: auto (the official pair for these settings when installed, else one that "
                                       "comes with Timbre if it fits, else from scratch), scratch, the name of a G/D pair, or another run "
                                       "as run:NAME or run:NAME@STEP.")
    version: Literal["v1", "v2"] = option("v2", advanced=True, help="RVC model version.")
    pitch_guidance: bool = option(True, advanced=True, help="Guide the voice by pitch. Needed for singing.")
    vocoder: Literal["HiFi-GAN", "MRF HiFi-GAN", "RefineGAN"] = option(
        "HiFi-GAN", advanced=True,
        help="The network that makes the waveform. HiFi-GAN voices load in every RVC program, the others in Applio only; RefineGAN "
             "exists for 24 and 32 kHz.")
    model_size: Literal["standard", "small", "tiny"] = option(
        "standard", advanced=True,
        help="small: a fifth of the weights, for machines without a GPU. tiny: trains in seconds, to try the studio. Voices of all sizes "
             "load everywhere; the smaller the rougher.")


class FitSettings(Settings):
    """How the networks learn (stage *fit*)."""

    epochs: int = option(200, low=1, high=100_000, help="How many times the whole dataset is gone through.")
    minutes: float = option(
        0.0, low=0.0, high=100_000.0, step=0.5, label="Minutes at most", advanced=True,
        help="End the fit after so much time, with a checkpoint and a voice, as if the last epoch were over. 0 is no limit.")
    batch_size: int = option(
        4, low=1, high=256, help="Clips per step, over all devices together. 4 suits under 30 minutes of speech, 8 suits more.")
    save_every_epochs: int = option(10, low=1, high=10_000, help="Save a checkpoint and a voice to listen to this often.")
    keep_checkpoints: int = option(2, low=2, high=1000, advanced=True, help="How many resumable checkpoints are kept, the newest ones.")
    keep_every_epochs: int = option(
        0, low=0, high=10_000, advanced=True,
        help="Of the saved epochs, also keep for good every one that is a multiple of this. 0 keeps only the newest.")
    export_every_save: bool = option(True, advanced=True, help="Export a voice at every save, not only at the end.")
    evaluate: bool = option(True, label="Score every save", advanced=True, help="At every save, score the recordings that were held out.")
    audition: str = option(
        "", label="Clip to listen to", advanced=True,
        help="A recording that every saved epoch is converted from, to compare them by ear. Empty: one of the held-out clips.")
    audition_pitch_shift: int = option(
        0, low=-24, high=24, step=1, label="Pitch of that clip", advanced=True, help="Semitones added to its pitch.")
    optimizer: str = option("AdamW", advanced=True, help="What turns gradients into steps. AdamW is what the RVC family trains with.")
    optimizer_options: str = option("", advanced=True, help="Its own settings, as name=value with commas between them.")
    optimizer_d: str = option("", label="Optimizer of D", advanced=True, help="Empty: that of G, or what goes with it.")
    optimizer_options_d: str = option(
        "", label="Optimizer options of D", advanced=True, help="Empty: those of G where D has no optimizer of its own, else as they come.")
    learning_rate: float | None = option(
        None, low=0.0, high=1e5, label="Learning rate of G", advanced=True, help="Initial learning rate. Empty: the optimizer's own.")
    learning_rate_d: float | None = option(
        None, low=0.0, high=1e5, label="Learning rate of D", advanced=True, help="Empty: that of G, or the optimizer's own.")
    schedule: Literal["exponential", "cosine", "linear", "constant"] = option(
        "exponential", label="Learning rate schedule", advanced=True,
        help="exponential: multiplied by the decay after each epoch, as RVC does. cosine, linear: down to zero at the last step.")
    lr_decay: float = option(0.999875, low=0.9, high=1.0, label="Learning rate decay", advanced=True,
                            help="The exponential schedule multiplies the learning rate by this after each epoch.")
    warmup_steps: int = option(0, low=0, high=100_000, advanced=True, help="The learning rate rises from near zero over so many steps.")
    clip_generator: float = option(
        0.0, low=0.0, high=1e6, label="Gradient limit of G", advanced=True,
        help="A larger gradient norm of the generator is scaled down to this. 0 is off.")
    clip_discriminator: float = option(
        0.0, low=0.0, high=1e6, label="Gradient limit of D", advanced=True,
        help="A larger gradient norm of the discriminator is scaled down to this. 0 is off.")
    accumulate: int = option(
        1, low=1, high=256, label="Gradient accumulation", advanced=True,
        help="Compute each batch in so many parts, one after another: less memory, the same result, more time.")
    activation_checkpointing: bool = option(
        False, advanced=True, help="Compute parts of the networks twice instead of keeping their values: less memory, more time.")
    ema_decay: float = option(
        0.0, low=0.0, high=0.99999, label="EMA decay", advanced=True,
        help="Keep a running mean of the generator's weights, 0.999 say, and make the voices from it. 0 is off.")
    generator_alone_steps: int = option(
        0, low=0, high=1_000_000, label="Steps of G alone", advanced=True,
        help="From scratch: so many first steps on the mel and KL losses only, without a discriminator. They cost less, and bear a higher "
             "learning rate.")
    mel_loss: Literal["auto", "single-scale", "multi-scale"] = option(
        "auto", label="Mel loss", advanced=True,
        help="How spectra are compared: at one resolution, or at seven, which hears the pitch and short sounds better and takes a little "
             "longer. auto is what the vocoder is usually trained on: multi-scale for RefineGAN, single-scale for the others.")
    mel_weight: float = option(45.0, low=0.0, high=1000.0, advanced=True, help="Weight of the mel loss.")
    kl_weight: float = option(1.0, low=0.0, high=100.0, label="KL weight", advanced=True, help="Weight of the KL loss.")
    seed: int = option(1234, low=0, high=2**31 - 1, advanced=True, help="Seed of every random draw.")
    device: str = option("auto", advanced=True, help="auto, cpu, cuda, cuda:N or mps.")
    gpus: str = option(
        "", label="Several devices", advanced=True,
        help="Train on several at once, one process each: GPU numbers such as 0,1 (or cpu,cpu). The batch is divided among them.")
    precision: Literal["auto", "fp32", "tf32", "bf16", "fp16"] = option(
        "auto", advanced=True, help="auto tries bf16, then fp16, on a GPU and takes what this machine computes correctly; fp32 elsewhere.")
    cache_on_device: bool = option(
        True, label="Keep the data on the GPU", advanced=True, help="Keep all clips in the GPU's memory when half of it holds them.")
    compile: bool = option(
        False, label="torch.compile", advanced=True, help="Compile the discriminator: minutes at the first step, less time at the others.")

    @property
    def devices(self) -> tuple[str, ...]:
        """Where the fit computes, one process each; a single entry is this process."""
        named = [one.strip() for one in self.gpus.split(",") if one.strip()]
        return tuple(f"cuda:{one}" if one.isdecimal() else one for one in named) or (self.device,)

    @property
    def shares(self) -> str:
        """The batch as the devices share it: "8", or "8 = 2 x 4" with two of them."""
        n_devices = len(self.devices)
        return f"{self.batch_size} = {n_devices} x {self.batch_size // n_devices}" if n_devices > 1 else str(self.batch_size)

    @model_validator(mode="after")
    def _divides(self) -> "FitSettings":
        n_devices = len(self.devices)
        if self.batch_size % n_devices:
            raise ValueError(f"A batch_size of {self.batch_size} cannot be divided among {n_devices} devices; "
                             f"choose a multiple of {n_devices}.")
        gpus = [one for one in self.devices if one != "cpu"]
        if len(set(gpus)) < len(gpus):
            raise ValueError(f"gpus names one device twice: {self.gpus}.")
        if n_devices > 1 and any(not (one == "cpu" or one.startswith("cuda:")) for one in self.devices):
            raise ValueError(f"gpus is a list of GPU numbers such as 0,1; {self.gpus!r} is not.")
        return self


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
        if self.model.vocoder != "HiFi-GAN" and not (self.model.version == "v2" and self.model.pitch_guidance):
            raise ValueError(f"The vocoder {self.model.vocoder} exists for v2 voices with pitch guidance only.")
        if self.model.vocoder == "RefineGAN" and self.data.sample_rate not in (24000, 32000):
            raise ValueError("RefineGAN exists for a sample_rate of 24000 or 32000.")
        if self.data.overlap_seconds > self.data.slice_seconds / 2:
            raise ValueError("overlap_seconds must be at most half of slice_seconds.")
        return self
