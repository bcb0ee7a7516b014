"""Which recordings are never trained on, so that every saved epoch can be judged by sound it has not seen. No torch.

Whole recordings only: slices of one recording share a room, a day and often their words, and a score on them would say how well the
networks remember. For the same reason recordings of identical sound are always on the same side.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

FEWEST_RECORDINGS = 8  # of fewer, one is a large part of what there is to learn from
WORTH_SCORING_SECONDS = 1.0  # pitch and spectrum of shorter clips say little


@dataclass(frozen=True)
class Take:
    """A recording that gave clips. ``number`` is the one in their names; equal ``sound`` is equal sound under whatever name."""

    name: str
    number: int
    speaker_id: int
    seconds: float
    longest_clip_seconds: float
    sound: str


@dataclass(frozen=True)
class HeldOut:
    """The takes that are held out, by name with their numbers, and the speakers that are too few recordings to hold any out of."""

    takes: dict[str, int] = field(default_factory=dict)
    too_few: tuple[int, ...] = ()

    @classmethod
    def of(cls, takes: Sequence[Take], percent: float) -> "HeldOut":
        """About ``percent`` of the seconds of every speaker with enough recordings, one recording at least.

        The choice depends on names, lengths and sounds alone, and hardly changes when recordings are added.
        """
        if not percent:
            return cls()
        chosen: list[Take] = []
        too_few = []
        sounds = _sounds(takes)
        for speaker_id in sorted({one.speaker_id for one in takes}):
            own = [one for one in sounds if one.speakers == {speaker_id}]  # what two speakers share is trained on in both
            if len(own) < FEWEST_RECORDINGS:
                too_few.append(speaker_id)
                continue
            wanted = percent / 100 * sum(one.seconds for one in takes if one.speaker_id == speaker_id)
            chosen += [take for one in _chosen(own, wanted) for take in one.takes]
        return cls({one.name: one.number for one in sorted(chosen, key=lambda one: one.number)}, tuple(too_few))


@dataclass(frozen=True)
class _Sound:
    """Takes of identical sound: they are held out together or not at all."""

    takes: tuple[Take, ...]

    @property
    def speakers(self) -> set[int]:
        return {one.speaker_id for one in self.takes}

    @property
    def seconds(self) -> float:
        return sum(one.seconds for one in self.takes)

    @property
    def too_short(self) -> bool:
        return max(one.longest_clip_seconds for one in self.takes) < WORTH_SCORING_SECONDS

    @property
    def mark(self) -> str:
        """What the order of drawing is made from: a name that comes or goes does not move the others."""
        return hashlib.sha256(min(one.name for one in self.takes).encode(errors="surrogateescape")).hexdigest()


def _sounds(takes: Sequence[Take]) -> list[_Sound]:
    ordered = sorted(takes, key=lambda one: (one.sound, one.number))
    return [_Sound(tuple(group)) for _, group in groupby(ordered, key=lambda one: one.sound)]


def _chosen(sounds: list[_Sound], wanted: float) -> list[_Sound]:
    """Drawn until ``wanted`` seconds are met as nearly as whole recordings allow; when all are too long, the nearest to it."""
    chosen, seconds = [], 0.0
    for one in sorted(sounds, key=lambda one: (one.too_short, one.mark)):
        if seconds + one.seconds / 2 <= wanted:
            chosen.append(one)
            seconds += one.seconds
    return chosen or [min(sounds, key=lambda one: (one.too_short, abs(one.seconds - wanted), one.mark))]
