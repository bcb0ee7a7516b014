"""Every choice of a conversion. No torch here."""

from typing import Literal

from rvc.settings import Settings, option


class ConversionSettings(Settings):
    """How a recording is turned into a voice."""

    pitch_shift: float = option(0.0, low=-24, high=24, step=1, help="Semitones added to the pitch: +12 for a voice an octave higher.")
    index_rate: float = option(0.75, low=0, high=1, step=0.05, help="How strongly the content features lean on the training data.")
    protect: float = option(0.33, low=0, high=0.5, step=0.01, help="Guards breaths and consonants from the index; 0.5 is off.")
    rms_mix_rate: float = option(1.0, low=0, high=1, step=0.05, label="Loudness",
                                 help="1 keeps the loudness of the result, 0 takes that of the input.")
    f0_method: Literal["auto", "rmvpe", "fcpe", "crepe", "crepe-tiny", "swift"] = option(
        "auto", label="Pitch detector", help="auto takes rmvpe when its weights are installed, else fcpe.")
    output_format: Literal["wav", "flac", "mp3", "ogg", "m4a"] = option("wav", help="File format of the result.")
    speaker: str = option("", advanced=True, help="Which speaker of a voice with several, by name or number. Empty takes the number below.")
    speaker_id: int = option(0, low=0, high=10_000, advanced=True, label="Speaker number", help="Which speaker of a voice with several.")
    autotune: float = option(0.0, low=0, high=1, step=0.05, advanced=True, help="Pull the pitch towards the nearest semitone.")
    embedder: str = option("auto", advanced=True,
                           help="auto is the one the voice was trained with; any other than that one is an error.")
    noise_scale: float = option(0.66666, low=0, high=2, step=0.01, advanced=True,
                                help="Spread of the latent noise; 0 makes the result deterministic but duller.")
    seed: int = option(1234, low=0, high=2**31 - 1, advanced=True, help="The same seed gives the same result.")
    chunk_seconds: float = option(30.0, low=5, high=120, step=5, advanced=True,
                                  help="Long recordings are converted in pieces of about this length, cut at quiet points.")
    device: str = option("auto", advanced=True, help="auto, cpu, cuda, cuda:N or mps.")
