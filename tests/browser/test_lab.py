"""The optimizer lab in a real browser, on a lab that is finished: who came nearest, and one click that makes it the run's setting."""

import pytest
from playwright.sync_api import expect

from rvc import jobs
from rvc.events import Ended, Started
from rvc.train.lab.asked import Asked
from rvc.train.lab.record import LabFolder, Record
from rvc.train.run import TrainingRun
from tests.browser.conftest import Server, Watch, opened
from tests.train.conftest import make_run
from tests.train.lab.trials import trial

pytestmark = pytest.mark.browser
NAME = "compared"


@pytest.fixture(scope="module")
def run(server: Server) -> TrainingRun:
    made = make_run(server.home, NAME)
    lab = LabFolder.of(made)
    finals = {"Lion": (1.0, 1.1, 1.0), "AdamW": (1.5, 1.6, 1.5)}
    trials = tuple(trial(name, value, seed=seed) for name, values in finals.items() for seed, value in enumerate(values, start=1))
    lab.write(Record(Asked(tuple(finals), 60, 3, (1.0,)), "mark", 2.0, "CPU", 100, 90.0, (trials,)))
    for event in (Started(pid=1, process_started=1.0), Ended(outcome="finished", message="Done.")):
        lab.events.append(event)
    return made


def test_the_winner_is_seen_and_taken_with_a_click(page, server: Server, run: TrainingRun):
    watch = Watch(page)
    opened(page, server.url, "train")
    page.locator("#train-shown input").click()
    page.get_by_role("option", name=NAME, exact=True).click()
    page.get_by_role("button", name="Optimizer lab").click()
    expect(page.locator("#lab-card tbody tr")).to_have_count(2)
    expect(page.locator("#lab-card")).to_contain_text("Lion wins: it is nearer than AdamW")
    expect(page.locator("#lab-estimate")).to_contain_text("at the pace of this run's last lab")
    page.get_by_role("button", name="Train with Lion").click()
    expect(page.locator("#lab-said")).to_contain_text("trains with Lion from now on")
    expect(page.locator("#lab-use")).to_be_hidden()
    assert TrainingRun.open(run.folder).settings.fit.optimizer == "Lion"
    assert jobs.state(run.folder).status == "new"
    watch.check()


def test_what_cannot_be_compared_is_told_before_anything_starts(page, server: Server, run: TrainingRun):
    opened(page, server.url, "train")
    page.locator("#train-shown input").click()
    page.get_by_role("option", name=NAME, exact=True).click()
    page.get_by_role("button", name="Optimizer lab").click()
    page.locator("#lab-steps input").fill("50")
    expect(page.locator("#lab-estimate")).to_contain_text("50 steps are too few")
    page.locator("#lab-start").click()
    expect(page.locator(".toast-body")).to_contain_text("50 steps are too few")
