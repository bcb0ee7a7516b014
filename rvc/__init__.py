"""Timbre's library: train a voice, convert speech and singing into it. Values in, values out; no page, no printing.

The names below are imported when they are first used, so ``import rvc`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rvc.audio import Audio
    from rvc.f0.track import F0Track
    from rvc.index.search import Index
    from rvc.infer.converter import Converted, Converter
    from rvc.infer.settings import ConversionSettings
    from rvc.paths import Home
    from rvc.train.run import TrainingRun
    from rvc.train.settings import TrainingSettings
    from rvc.voices import VoiceLibrary, VoiceModel

__version__ = "0.1.0"

_WHERE = {
    "Audio": "rvc.audio", "F0Track": "rvc.f0.track", "Index": "rvc.index.search", "Converter": "rvc.infer.converter",
    "Converted": "rvc.infer.converter", "ConversionSettings": "rvc.infer.settings", "Home": "rvc.paths",
    "TrainingRun": "rvc.train.run", "TrainingSettings": "rvc.train.settings", "VoiceLibrary": "rvc.voices", "VoiceModel": "rvc.voices",
}

__all__ = ["Audio", "ConversionSettings", "Converted", "Converter", "F0Track", "Home", "Index", "TrainingRun", "TrainingSettings",
           "VoiceLibrary", "VoiceModel"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'rvc' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
