"""Downloads that go on while nobody watches: one thread fetches, every open page looks at the same state.

What they are interrupted in the middle of, the next attempt resumes (see ``rvc.download.fetch``).
"""

import threading
from dataclasses import dataclass, replace
from typing import Literal

from rvc.download.catalog import Asset
from rvc.download.fetch import fetch
from rvc.errors import RvcError
from rvc.events import Progress
from rvc.paths import Home


@dataclass(frozen=True)
class Transfer:
    """Where one download stands. ``done`` and ``total`` are bytes."""

    status: Literal["waiting", "running", "finished", "cancelled", "failed"] = "waiting"
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def active(self) -> bool:
        return self.status in ("waiting", "running")


class Downloads:
    """What was asked for since the server started, one after the other. Safe from any thread."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._transfers: dict[str, Transfer] = {}
        self._cancelled: set[str] = set()

    @property
    def transfers(self) -> dict[str, Transfer]:
        """By id of the asset, a copy."""
        with self._guard:
            return dict(self._transfers)

    @property
    def active(self) -> bool:
        return any(one.active for one in self.transfers.values())

    def start(self, asset: Asset) -> None:
        """Fetch ``asset`` as soon as it is its turn; nothing new when that is going on already."""
        with self._guard:
            if self._transfers.get(asset.id, Transfer(status="finished")).active:
                return
            self._cancelled.discard(asset.id)
            self._transfers[asset.id] = Transfer()
        threading.Thread(target=self._fetch, args=(asset,), name=f"download {asset.id}", daemon=True).start()

    def cancel(self, asset_id: str) -> None:
        """Stop at the next block; what has arrived is kept for the next attempt."""
        with self._guard:
            if self._transfers.get(asset_id, Transfer(status="finished")).active:
                self._cancelled.add(asset_id)

    def _fetch(self, asset: Asset) -> None:
        outcome = Transfer(status="failed", message="The download ended unexpectedly. The log of the studio has the details.")
        try:
            with self._turn:
                outcome = self._fetched(asset)
        except RvcError as error:
            outcome = Transfer(status="failed", message=str(error))
        finally:  # also when something unforeseen ends this thread: the page must not wait for ever
            self._set(asset.id, outcome)

    def _fetched(self, asset: Asset) -> Transfer:
        steps = fetch(asset, self._home)
        try:
            for event in steps:
                if self._is_cancelled(asset.id):
                    return Transfer(status="cancelled")
                if isinstance(event, Progress):
                    self._set(asset.id, Transfer("running", event.done, event.total, event.message))
        finally:
            steps.close()
        return replace(self.transfers[asset.id], status="finished", message="")

    def _is_cancelled(self, asset_id: str) -> bool:
        with self._guard:
            return asset_id in self._cancelled

    def _set(self, asset_id: str, transfer: Transfer) -> None:
        with self._guard:
            self._transfers[asset_id] = transfer
