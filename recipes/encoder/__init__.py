"""The built-in content encoder: a small network that learns what Whisper hears, and not from whom."""
