"""Voices: the files that people share, what each says about itself, and where they lie."""

from rvc.voices.library import VoiceEntry, VoiceLibrary
from rvc.voices.model import DEFAULT_EMBEDDER, VoiceModel

__all__ = ["DEFAULT_EMBEDDER", "VoiceEntry", "VoiceLibrary", "VoiceModel"]
