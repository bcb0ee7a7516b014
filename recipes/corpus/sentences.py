"""Short sentences to be spoken, from Debian's collections of sayings."""

import re

from recipes.corpus.packages import Packages

_FILES = {"en": ("wisdom", "science", "people", "education", "platitudes"), "cs": ("cs/citat", "cs/prislovi", "cs/stopar", "cs/murphy"),
          "it": ("it/leggi", "it/zuse", "it/formiche", "it/italia")}
_WORDS = range(5, 12)
_SPEAKABLE = re.compile(r"[^\W\d_](?:[^\W\d_]|[ ,'])*[.!?]")  # letters of any alphabet; no digits, no abbreviations
TRAIN, HELD_OUT = 110, 40


def of(language: str, packages: Packages) -> list[str]:
    """``TRAIN`` sentences and, after them, ``HELD_OUT`` that nothing is trained on."""
    text = "\n%\n".join((packages.fortunes / name).read_text(encoding="utf-8", errors="replace") for name in _FILES[language])
    found = dict.fromkeys(sentence for saying in text.split("\n%\n") for sentence in _sentences(saying))
    return list(found)[:: len(found) // (TRAIN + HELD_OUT)][: TRAIN + HELD_OUT]  # from all over the collections


def _sentences(saying: str) -> list[str]:
    parts = re.split(r"(?<=[.!?])\s+", " ".join(saying.split()))
    return [part for part in parts if len(part.split()) in _WORDS and _SPEAKABLE.fullmatch(part)]
