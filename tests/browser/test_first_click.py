"""The first start: a voice and a clip are there, Convert is the first click, and what is heard is as long as what was said."""

import io
from collections.abc import Iterator

import pytest
import soundfile
from playwright.sync_api import expect

from rvc.paths import ASSETS, Home
from tabs.studio import SAMPLES
from tests.browser.conftest import Server, Watch, opened, samples_of
from tests.starter_kit import put_pair, put_voice

pytestmark = pytest.mark.browser
CONVERTING_MS = 120_000


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Iterator[Server]:
    """A studio that was never used, with what it comes with; where that is nothing, with small voices of random weights in its place."""
    root = tmp_path_factory.mktemp("fresh")
    shipped = ASSETS / "starter"
    home = Home(root / "home", shipped if (shipped / "voices").is_dir() else root / "kit")
    if home.starter != shipped:
        put_pair(home)
        for name in ("lark", "owl"):
            put_voice(home, name)
    server = Server(home, TIMBRE_STARTER=str(home.starter)).start()
    yield server
    server.stop()


def test_convert_is_the_first_click(page, fresh):
    watch = Watch(page)
    opened(page, fresh.url)
    expect(page.locator("#infer-voice input")).to_have_value("lark · comes with Timbre")
    page.locator("#infer-convert").click()
    expect(page.locator("#infer-status .tm-run")).to_have_attribute("data-status", "finished", timeout=CONVERTING_MS)
    samples, rate = soundfile.read(io.BytesIO(samples_of(page, "#infer-player")))
    assert abs(len(samples) / rate - soundfile.info(SAMPLES / "source.flac").duration) < 0.01
    assert samples.std() > 0.001
    watch.check()


def test_what_the_voice_was_made_from_can_be_read(page, fresh):
    opened(page, fresh.url)
    page.locator("#infer-card").get_by_role("button", name="What this voice was made from").click()
    expect(page.locator("#infer-card").get_by_role("heading", name="lark")).to_be_visible()
