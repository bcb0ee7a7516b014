"""What programs can ask of a running studio without its page: the endpoints under "Use via API", beside ``/convert``.

Plain values in and out. Errors are the sentences that the page shows.
"""

from dataclasses import asdict
from typing import Any

import gradio as gr

from rvc import jobs
from rvc.settings import flat
from rvc.voices import VoiceLibrary
from tabs.boundary import handler
from tabs.studio import Studio


def build(studio: Studio) -> None:
    """Call it inside the page's ``gr.Blocks``."""

    def train(name: str, dataset: str, settings: dict) -> dict:
        """Train a voice: make or change the run and start its worker.

        Args:
            name: the run's name
            dataset: a folder of recordings on the studio's computer
            settings: any of the settings that `status` lists, by name; the others are as in the form of a new run
        """
        run = studio.train(name, [], flat(studio.new_settings({**settings, "dataset": dataset})))
        return _status(studio, run.name)

    def status(name: str) -> dict:
        """Where a run stands, and with which settings.

        Args:
            name: the run's name
        """
        return _status(studio, name)

    def stop(name: str) -> dict:
        """Ask a run to finish its step, save and end; asked again, end it without saving.

        Args:
            name: the run's name
        """
        studio.stop(name)
        return _status(studio, name)

    def resume(name: str) -> dict:
        """Go on with a run that was stopped, failed or died.

        Args:
            name: the run's name
        """
        return _status(studio, studio.resume(name).name)

    def runs() -> list[str]:
        """Names of all runs, the one touched last first."""
        return studio.run_names()

    def voices() -> list[str]:
        """Names of all voices, as `convert` takes them."""
        return [entry.name for entry in VoiceLibrary(studio.home).entries()]

    for endpoint in (train, status, stop, resume, runs, voices):
        gr.api(handler(endpoint), api_name=endpoint.__name__, concurrency_limit=None)


def _status(studio: Studio, name: str) -> dict[str, Any]:
    run = studio.run(name)
    return {"name": run.name, **asdict(jobs.state(run.folder)), "settings": flat(run.settings), "resolved": asdict(run.resolved)}
