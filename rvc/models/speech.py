"""What a voice is asked to say."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Speech:
    """B clips of up to T frames, 100 a second: what is said, at which pitch, and by whom. Pitch is ``None`` without pitch guidance."""

    content: Tensor  # (B, T, F)
    lengths: Tensor  # (B,) frames
    coarse: Tensor | None  # (B, T), 1..255, 0 = padding
    f0_hz: Tensor | None  # (B, T), 0 = unvoiced
    speaker_id: Tensor  # (B,)
