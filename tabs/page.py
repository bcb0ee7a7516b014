"""What the tabs share of the page they are on."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

# For events that answer nobody's click: no spinner, no entry in the API, and no queue in which one reader waits for another.
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


@dataclass(frozen=True)
class Page:
    """The page itself, and the name of the run this browser showed last.

    ``last_run`` lies outside the tabs: a tab is only set up in the browser when it is opened, too late to be asked when the page loads.
    """

    demo: gr.Blocks
    last_run: gr.BrowserState

    @classmethod
    def of(cls, demo: gr.Blocks) -> "Page":
        """Call it where components are added to ``demo``. Key and secret are fixed: a restarted server must read what it wrote."""
        return cls(demo, gr.BrowserState(None, storage_key="timbre-run", secret="timbre"))
