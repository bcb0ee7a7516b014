"""Trials out of nothing, for what only reads them."""

from rvc.train.lab.trial import Candidate, Point, Trial


def trial(name: str, held_out: float = 1.0, *, seed: int = 0, factor: float = 1.0, steps: int = 10, failure: str = "", before: float = 2.0,
          seconds: float = 5.0) -> Trial:
    """Down from ``before`` to ``held_out`` in a straight line; what broke ends where it began."""
    candidate = Candidate(name, factor, 1e-4 * factor, 1e-4 * factor)
    begin, end = Point(0, before, 0.0, 0.0), Point(steps, held_out, seconds, seconds)
    return Trial(candidate, seed, steps, (begin,) if failure else (begin, end), state_bytes=800, failure=failure)
