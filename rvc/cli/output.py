"""What a command says: JSON on stdout, words on stderr."""

import json
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from rvc.events import Event, Metrics, Progress
from rvc.words import in_words, tenth


def print_json(document: Any) -> None:
    """One JSON document on stdout. Paths become text; NaN, which JSON lacks, becomes null."""
    print(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Left-aligned columns on stdout."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


class Narrator:
    """Events in words on stderr; what only counts upwards is drawn over itself on a terminal, and thinned elsewhere."""

    def __init__(self) -> None:
        self._drawn = 0
        self._told: tuple[str, int] = ("", -1)
        self._tty = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        words = in_words(event)
        if not words:
            return
        if isinstance(event, (Metrics, Progress)):
            self._counting(event, words)
            return
        self._clear()
        print(words, file=sys.stderr, flush=True)

    def _counting(self, event: Metrics | Progress, words: str) -> None:
        if self._tty:
            print("\r" + words.ljust(self._drawn), end="", file=sys.stderr, flush=True)
            self._drawn = len(words)
        elif (now := tenth(event)) != self._told:
            self._told = now
            print(words, file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._drawn:
            print(file=sys.stderr)
            self._drawn = 0


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
