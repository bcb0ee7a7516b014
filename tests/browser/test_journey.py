"""One person's way through the studio, by clicking: train on the sample material, lose sight of it, come back, stop, go on, convert.

The tests of this file are the steps of that way and use one page; each goes on where the one before it ended.
"""

import io
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from rvc import jobs
from tests.browser.conftest import Server, Watch, opened, samples_of

pytestmark = pytest.mark.browser
TRAINING_TIMEOUT_MS = 200_000  # far more than a machine of its own needs; tests run beside one another


@pytest.fixture(scope="module")
def visit(browser, browser_context_args, server):
    context = browser.new_context(**browser_context_args)
    page = context.new_page()
    watch = Watch(page)
    yield opened(page, server.url, "train")
    context.close()
    watch.check()


def fact(page: Page, name: str) -> str:
    return page.locator("#train-card .tm-facts div", has_text=name).locator("dd").inner_text()


def step(page: Page) -> int:
    return int(re.sub(r"\D", "", fact(page, "Step").split("/")[0]))


def expect_status(page: Page, status: str) -> None:
    expect(page.locator("#train-card .tm-run")).to_have_attribute("data-status", status, timeout=TRAINING_TIMEOUT_MS)


def expect_step_beyond(page: Page, count: int) -> None:
    page.wait_for_function("""count => {
        const fact = [...document.querySelectorAll('#train-card .tm-facts div')].find(one => one.textContent.startsWith('Step'));
        return fact && parseInt(fact.querySelector('dd').textContent.split('/')[0].replace(/\\D/g, '')) > count;
    }""", arg=count, timeout=TRAINING_TIMEOUT_MS)


def test_one_click_fills_the_form_with_the_sample_material(visit):
    visit.locator("#train-sample").click()
    expect(visit.locator("#train-name input, #train-name textarea").first).to_have_value("sample")
    expect(visit.locator("#train-dataset input, #train-dataset textarea").first).to_have_value(re.compile("samples.dataset$"))
    expect(visit.locator("#train-banner")).to_contain_text("Embedder: builtin")
    expect(visit.locator("#train-banner")).to_contain_text("standard size")


def test_the_settings_are_changed_and_training_starts(visit, server: Server):
    visit.locator("#train-epochs input").fill("300")
    visit.get_by_role("button", name="More settings").locator("visible=true").click()
    visit.locator("#train-f0_method input").click()
    visit.get_by_role("option", name="SwiftF0").click()
    expect(visit.locator("#train-banner")).not_to_contain_text("Pitch detector")
    visit.locator("#train-start").click()
    expect_status(visit, "running")
    assert [folder.name for folder in jobs.active(server.home)] == ["sample"]


def test_stages_steps_curves_and_log_are_seen_as_they_come(visit):
    expect(visit.locator("#train-card li[data-stage=fit]")).to_have_attribute("data-state", "started", timeout=TRAINING_TIMEOUT_MS)
    expect_step_beyond(visit, 3)
    assert re.match(r"\d+ / 300", fact(visit, "Epoch"))
    assert "it/s" in fact(visit, "Speed")
    assert re.search(r"\d+ (s|min|h)", fact(visit, "Time left"))
    for tag in ("loss/g/mel", "loss/g/kl", "loss/d/adv", "loss/g/total"):
        expect(visit.locator(f'#train-curves [data-tag="{tag}"] path.tm-smooth')).to_be_visible()
    expect(visit.locator("#train-log pre")).to_contain_text(re.compile(r"step \d+/\d+"))
    top, height, shown = visit.locator("#train-log pre").evaluate("log => [log.scrollTop, log.scrollHeight, log.clientHeight]")
    assert top + shown >= height - 30  # the end of the log is what is in view


def test_a_second_worker_for_the_run_is_refused_in_a_sentence(visit):
    visit.locator("#train-start").click()
    expect(visit.locator(".toast-body")).to_contain_text("being trained already")
    visit.evaluate("document.querySelectorAll('.toast-close').forEach(button => button.click())")  # one that goes by itself is no failure


def test_a_reload_finds_the_same_tab_run_and_settings(visit):
    before = step(visit)
    visit.reload()
    expect(visit.locator("#tab-train-button")).to_have_attribute("aria-selected", "true")
    expect_status(visit, "running")
    expect_step_beyond(visit, before)
    expect(visit.locator("#train-epochs input")).to_have_value("300")
    expect(visit.locator("#train-name input, #train-name textarea").first).to_have_value("sample")


def test_another_person_sees_the_run_that_is_being_trained(browser, server):
    context = browser.new_context()
    other = opened(context.new_page(), server.url, "train")
    expect(other.locator("#train-shown input")).to_have_value("sample")
    expect_status(other, "running")
    expect(other.locator("#train-name input, #train-name textarea").first).to_have_value("")  # their form is their own
    context.close()


def test_a_restart_of_the_server_finds_the_same_run(visit, server: Server):
    before = step(visit)
    server.restart()
    opened(visit, server.url, "train")
    expect_status(visit, "running")
    expect_step_beyond(visit, before)


def test_stop_saves_and_resume_goes_on_from_there(visit):
    visit.locator("#train-stop").click()
    expect_status(visit, "stopped")
    stopped_at = step(visit)
    expect(visit.locator("#train-stop")).not_to_be_visible()
    visit.locator("#train-resume").click()
    expect_status(visit, "running")
    expect_step_beyond(visit, stopped_at)
    assert step(visit) < stopped_at + 200  # from there, not from the start and through


def test_a_changed_number_of_epochs_ends_the_run(visit, server: Server):
    visit.locator("#train-stop").click()
    expect_status(visit, "stopped")
    visit.locator("#train-epochs input").fill(fact(visit, "Epoch").split("/")[0].strip())  # the one it is in
    visit.locator("#train-start").click()
    expect_status(visit, "finished")
    expect(visit.locator("#train-card li[data-stage=preprocess]")).to_have_attribute("data-state", "skipped")
    assert (server.home.logs / "sample" / "sample.index").exists()


def test_the_new_voice_is_taken_to_the_inference_tab(visit):
    visit.locator("#train-use").click()
    expect(visit.locator("#tab-inference-button")).to_have_attribute("aria-selected", "true")
    expect(visit.locator("#infer-voice input")).to_have_value(re.compile(r"^sample/sample_\d+e_\d+s$"))
    expect(visit.locator("#infer-about")).to_contain_text("with sample.index")


def test_the_sample_recording_is_converted_played_and_downloaded(visit, server: Server):
    visit.locator("#infer-sample").click()
    expect(visit.locator("#infer-recording button[aria-label=Play]")).to_be_visible()
    visit.locator("#infer-pitch_shift input[type=number]").fill("12")
    visit.locator("#infer-convert").click()
    expect(visit.locator("#infer-status .tm-run")).to_have_attribute("data-status", "finished", timeout=TRAINING_TIMEOUT_MS)
    expect(visit.locator("#infer-status")).to_contain_text("sample.index")
    samples, rate = soundfile.read(io.BytesIO(samples_of(visit, "#infer-player")))
    assert rate == 40000
    assert len(samples) / rate == pytest.approx(7.39, abs=0.05)
    assert 0.01 < np.sqrt(np.mean(samples**2)) < 0.5
    visit.locator("#infer-player button[aria-label=Play]").click()
    expect(visit.locator("#infer-player button[aria-label=Pause]")).to_be_visible()
    assert len(list(server.home.outputs.glob("source_sample_*.wav"))) == 1


def test_several_files_are_converted_at_once_and_what_fails_is_named(visit, server: Server, picture):
    from rvc.paths import ASSETS

    visit.get_by_role("button", name="Several files at once").click()
    clips = [ASSETS / "samples" / "dataset" / "heart_03.flac", picture]
    visit.locator("#infer-files input[type=file]").set_input_files([str(clip) for clip in clips])
    expect(visit.locator("#infer-files")).to_contain_text("holiday")
    visit.locator("#infer-convert").click()
    expect(visit.locator("#infer-status")).to_contain_text("2 of 3 files", timeout=TRAINING_TIMEOUT_MS)
    expect(visit.locator("#infer-status")).to_contain_text("holiday.wav")
    expect(visit.locator("#infer-results")).to_contain_text("heart_03_sample")


@pytest.mark.parametrize("bad", ["picture", "empty"])
def test_a_file_that_is_no_recording_is_told(visit, picture, tmp_path, bad):
    opened(visit, visit.url.split("?")[0], "inference")
    (tmp_path / "empty.wav").touch()
    visit.locator("#infer-recording input[type=file]").set_input_files(str(picture if bad == "picture" else tmp_path / "empty.wav"))
    expect(visit.locator("#infer-recording a[download]")).to_have_attribute("href", re.compile("/gradio_api/file="))
    visit.locator("#infer-convert").click()
    expect(visit.locator("#infer-status [data-tone=bad]")).to_contain_text(".wav", timeout=TRAINING_TIMEOUT_MS)
    expect(visit.locator(".toast-body")).to_contain_text(".wav")


def test_a_recording_from_the_microphone_is_converted(visit):
    opened(visit, visit.url.split("?")[0], "inference")
    recording = visit.locator("#infer-recording")
    recording.locator("button[aria-label='Record audio']").click()
    recording.locator("button.record-button, button:has-text('Record')").first.click()
    visit.wait_for_timeout(1500)
    recording.locator("button:has-text('Stop')").first.click()
    # the player shows the local recording before it has been sent: wait for the server's address of it
    expect(recording.locator("a[download]")).to_have_attribute("href", re.compile("/gradio_api/file="))
    visit.locator("#infer-convert").click()
    expect(visit.locator("#infer-status .tm-run")).to_have_attribute("data-status", "finished", timeout=TRAINING_TIMEOUT_MS)
    samples, rate = soundfile.read(io.BytesIO(samples_of(visit, "#infer-player")))
    assert 0.5 < len(samples) / rate < 4


def test_picking_a_run_shows_its_settings(visit):
    opened(visit, visit.url.split("?")[0], "train")
    visit.locator("#train-new").click()
    expect(visit.locator("#train-name input, #train-name textarea").first).to_have_value("")
    visit.locator("#train-shown input").click()
    visit.get_by_role("option", name="sample").click()
    expect(visit.locator("#train-name input, #train-name textarea").first).to_have_value("sample")
    expect(visit.locator("#train-epochs input")).not_to_have_value("200")
    expect_status(visit, "finished")
