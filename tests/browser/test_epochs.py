"""The Epochs view in a real browser, on a run that was fitted: listen, compare, choose blindly, export, go on from an earlier one."""

import io
import re

import pyloudnorm
import pytest
import soundfile
from playwright.sync_api import Page, expect

from rvc import jobs
from rvc.train.fit import Fit
from rvc.train.run import TrainingRun
from rvc.train.stages import Plan
from tests.browser.conftest import Server, Watch, opened, samples_of
from tests.sounds import singing, write_dataset
from tests.train.conftest import make_run
from tests.train.listening import hold_out

pytestmark = pytest.mark.browser
NAME = "listened & compared"


@pytest.fixture(scope="module")
def run(server: Server, tmp_path_factory) -> TrainingRun:
    """Three epochs, each saved, scored and heard; a worker that resumes it has nothing to prepare."""
    dataset = write_dataset(tmp_path_factory.mktemp("recordings"), files=1, seconds=1)
    run = make_run(server.home, NAME, dataset=str(dataset), f0_method="swift", epochs=3, save_every_epochs=1, keep_checkpoints=3,
                   export_every_save=False)
    hold_out(run, 2)
    plan = Plan.of(run)
    for stage, fingerprint in (("preprocess", plan.preprocess), ("extract", plan.extract), ("fit_data", plan.extract)):
        run.record(stage, fingerprint, {"speakers": {"0": {"name": "0"}}})
    for event in Fit(run, server.home, lambda: False).events():
        if hasattr(event, "as_json"):
            run.events.append(event)
    return run


@pytest.fixture(scope="module")
def visit(browser, browser_context_args, server, run):
    context = browser.new_context(**browser_context_args)
    page = context.new_page()
    watch = Watch(page)
    page.on("dialog", lambda dialog: dialog.accept())
    opened(page, server.url, "train")
    yield page
    jobs.stop(run.folder, wait_seconds=0, kill=True)
    context.close()
    watch.check()


def rows(page: Page):
    return page.locator("#epochs-table tbody tr[data-step]")


def test_the_table_shows_every_save_with_its_scores_the_newest_first(visit, run):
    visit.locator("#train-shown input").click()
    visit.get_by_role("option", name=NAME).click()
    visit.get_by_role("button", name="Epochs").click()
    expect(rows(visit)).to_have_count(3)
    cells = rows(visit).first.locator("td").all_inner_texts()
    assert cells[:2] == ["3", str(run.checkpoint_steps()[-1])]
    assert re.fullmatch(r"\d\.\d{3}", cells[2])
    expect(visit.locator("#epochs-table")).to_contain_text("not necessarily a better voice")


def test_a_clip_to_listen_to_is_uploaded_and_kept(visit, server: Server, tmp_path):
    soundfile.write(tmp_path / "mein Lied.wav", singing(0.6), 24_000)
    visit.get_by_role("button", name="Advanced").locator("visible=true").click()
    with visit.expect_file_chooser() as chooser:
        visit.locator("#train-clip").click()
    chooser.value.set_files(tmp_path / "mein Lied.wav")
    expect(visit.locator("#train-audition input, #train-audition textarea").first).to_have_value(re.compile(r"auditions.mein Lied\.wav$"))
    assert (server.home.outputs / "auditions" / "mein Lied.wav").exists()


def test_an_epoch_is_played(visit):
    rows(visit).nth(1).get_by_role("button", name="Play").click()
    expect(visit.locator("#epochs-player")).to_contain_text("Epoch 2")
    samples, rate = soundfile.read(io.BytesIO(samples_of(visit, "#epochs-player")))
    assert (rate, len(samples) / rate) == (24_000, pytest.approx(1.2))


def test_two_epochs_are_played_against_each_other_at_equal_loudness(visit, server: Server):
    visit.locator("#epochs-play").click()
    expect(visit.locator("#epochs-a")).to_contain_text("Epoch 3")
    expect(visit.locator("#epochs-b")).to_contain_text("Epoch 2")
    for letter in "ab":
        visit.locator(f"#epochs-{letter} button[aria-label=Play]").click()
        expect(visit.locator(f"#epochs-{letter} button[aria-label=Pause]")).to_be_visible()
    played = [soundfile.read(path) for path in (server.home.outputs / "compared").iterdir()]
    levels = [pyloudnorm.Meter(rate).integrated_loudness(samples) for samples, rate in played]
    assert levels == pytest.approx([levels[0]] * 2, abs=0.2)
    expect(visit.locator("#epochs-pick-a")).not_to_be_visible()


def test_a_blind_round_tells_which_was_which_after_the_choice_and_counts(visit):
    visit.locator("#epochs-blind input").check()
    for count in (1, 2):
        visit.locator("#epochs-play").click()
        expect(visit.locator("#epochs-pick-a")).to_be_visible()
        for letter in "ab":
            expect(visit.locator(f"#epochs-{letter}")).not_to_contain_text("poch")
            assert not re.search(r"\d+e_\d+s", visit.locator(f"#epochs-{letter}").inner_html())
        visit.locator("#epochs-pick-b").click()
        expect(visit.locator("#epochs-result")).to_contain_text("You preferred epoch")
        expect(visit.locator("#epochs-a")).to_contain_text("A was epoch")
        wins = [int(one) for one in re.findall(r"epoch \d: (\d)", visit.locator("#epochs-result").inner_text().split("Rounds won:")[1])]
        assert sum(wins) == count


def test_a_phone_shows_it_without_scrolling_sideways(visit):
    size = visit.viewport_size
    visit.set_viewport_size({"width": 375, "height": 800})
    visit.locator("#epochs-table").scroll_into_view_if_needed()
    assert visit.evaluate("document.documentElement.scrollWidth") <= 375
    assert rows(visit).first.get_by_role("button", name="Continue").bounding_box()["x"] >= 0
    visit.set_viewport_size(size)


def test_an_epoch_is_exported_and_can_be_downloaded(visit, run):
    rows(visit).nth(2).get_by_role("button", name="Export").click()
    expect(visit.locator("#epochs-exported a[download]")).to_have_count(1, timeout=60_000)
    name = f"{NAME}_1e_{run.checkpoint_steps()[0]}s.pth"
    expect(rows(visit).nth(2).get_by_role("button", name="Download")).to_be_visible()
    assert (run.folder / name).exists()
    content = visit.request.get(visit.locator("#epochs-exported a[download]").first.get_attribute("href")).body()
    assert content == (run.folder / name).read_bytes()


def test_the_run_goes_on_from_an_earlier_epoch(visit, run):
    earlier = run.checkpoint_steps()[1]
    rows(visit).nth(1).get_by_role("button", name="Continue").click()
    expect(visit.locator("#train-card .tm-run")).to_have_attribute("data-status", re.compile("starting|running"))
    expect(rows(visit).nth(0)).to_have_attribute("data-step", str(earlier))
    expect(rows(visit).nth(0).get_by_role("button", name="Continue")).to_have_count(0)  # a worker is on it
    aside = run.folder / "earlier_1"
    assert sorted(path.suffix for path in (aside / "eval").iterdir()) == [".flac", ".json"]
