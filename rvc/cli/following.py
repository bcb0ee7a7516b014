"""A worker followed in a terminal, until it ends."""

import sys

from rvc import jobs
from rvc.cli.output import Narrator
from rvc.train.job_folder import JobFolder


def follow(job: JobFolder, start: int) -> None:
    """Tell what the worker does from byte ``start`` of its events on. The first Ctrl-C stops it politely, the second kills it."""
    narrate, asked = Narrator(), False
    while True:
        try:
            for event in job.events.follow(lambda: jobs.state(job.folder).active, start):
                narrate(event)
            jobs.wait(job.folder)
            return
        except KeyboardInterrupt:
            start = job.events.end_position()
            if asked:
                jobs.stop(job.folder, wait_seconds=0, kill=True)
                return
            asked = True
            print("\nStopping after this step; once more to kill it.", file=sys.stderr)
            jobs.stop(job.folder)
