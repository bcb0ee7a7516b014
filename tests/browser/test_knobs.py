"""The options of an optimizer in the page: fields that follow the choice, and one text behind them."""

import pytest
from playwright.sync_api import expect

from rvc.settings import from_flat
from rvc.train import new_run
from rvc.train.settings import TrainingSettings
from tests.browser.conftest import opened

pytestmark = pytest.mark.browser
OPTIONS = "#train-optimizer_options"


def test_options_follow_the_optimizer_refuse_in_words_and_come_back_with_a_run(studio, server):
    new_run.create(server.home, "lion", from_flat(TrainingSettings, {
        "dataset": str(server.home.root), "model_size": "tiny", "embedder": "builtin", "f0_method": "swift", "base_model": "scratch",
        "optimizer": "Lion", "optimizer_options": "beta1=0.95", "optimizer_d": "SGD", "optimizer_options_d": "momentum=0.5"}))
    page = opened(studio, server.url, "train")
    page.locator("#train-advanced > button").first.click()
    expect(page.locator(f"{OPTIONS}-1 input")).to_have_value("0.8")  # beta1 of AdamW
    expect(page.locator("#train-learning_rate_d input")).to_have_value("")

    page.locator("#train-optimizer input").click()
    page.locator("#train-optimizer input").fill("Prodigy")
    page.get_by_role("option").filter(has_text="Prodigy").first.click()
    expect(page.locator(f"{OPTIONS}-0")).to_contain_text("d_coef")
    expect(page.locator("#train-learning_rate input")).to_have_value("1")
    page.locator(f"{OPTIONS}-0 input").fill("99")
    expect(page.locator("#train-banner")).to_contain_text("d_coef of Prodigy must be between 0.01 and 10")
    page.locator(f"{OPTIONS}-0 input").fill("0.5")  # its default: nothing is asked for
    expect(page.locator(f"{OPTIONS} textarea, {OPTIONS} input").first).to_have_value("")

    page.locator("#train-shown input").click()
    page.get_by_role("option", name="lion").click()
    expect(page.locator(f"{OPTIONS}-1 input")).to_have_value("0.95")
    expect(page.locator(f"{OPTIONS}_d-0 input")).to_have_value("0.5")
    expect(page.locator(f"{OPTIONS}_d-0")).to_contain_text("momentum of D")
    page.locator("#train-new").click()
    expect(page.locator(f"{OPTIONS}-1 input")).to_have_value("0.8")
    expect(page.locator(f"{OPTIONS}_d-0")).to_be_hidden()
