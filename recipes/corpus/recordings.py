"""Real speakers: the spoken prompts of Asterisk, a telephone exchange."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from recipes.corpus.clips import Clip, at_16k, is_held_out
from recipes.corpus.packages import Packages

NO_SPEECH = ("beep", "2tone", "silence", "confbridge-join", "confbridge-leave", "tt-monkeys")  # signals, pauses, a zoo
_FORMATS = {".g722": "g722", ".gsm": "gsm", ".wav": "wav"}


@dataclass(frozen=True)
class Speaker:
    """``folder``: below Asterisk's sounds. ``unheard``: nothing of this speaker is trained on."""

    name: str
    folder: str
    unheard: bool = False


# es-allison and en-allison are one person. The three unheard ones were published at 8 kHz.
SPEAKERS = (
    Speaker("en-allison", "en_US_f_Allison"),
    Speaker("es-allison", "es_MX_f_Allison"),
    Speaker("fr-june", "fr_CA_f_June"),
    Speaker("it-carlo", "it_IT_m_Carlo"),
    Speaker("ru-ivrvoice", "ru_RU_f_IvrvoiceRU"),
    Speaker("it-menardi", "it_IT_f_Menardi", unheard=True),
    Speaker("fr-armelle", "fr", unheard=True),
    Speaker("es-colombian", "es", unheard=True),
)


def clips(packages: Packages) -> Iterator[Clip]:
    for speaker in SPEAKERS:
        folder = packages.sounds / speaker.folder
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _FORMATS and not _is_signal(path, folder)):
            name = "_".join(path.relative_to(folder).with_suffix("").parts)
            yield Clip(speaker.name, name, _decoded(path), held_out=speaker.unheard or is_held_out(name))


def _is_signal(path: Path, folder: Path) -> bool:
    return any(word in str(path.relative_to(folder)) for word in NO_SPEECH)


def _decoded(path: Path) -> np.ndarray:
    with av.open(str(path), format=_FORMATS[path.suffix]) as container:
        resampler = av.AudioResampler("flt", "mono")
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        samples = np.concatenate([np.zeros(0, np.float32), *parts])  # a few files hold nothing
        return at_16k(samples, container.streams.audio[0].rate)
