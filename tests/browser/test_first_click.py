"""The first start: a voice and a clip are there, Convert is the first click, and what is heard says what was said."""

from collections.abc import Iterator

import pytest
import soundfile
from playwright.sync_api import expect

from recipes.judges import SAMPLE_RATE, Recogniser, character_error_rate
from rvc import audio
from rvc.paths import ASSETS, Home
from tabs.studio import SAMPLES
from tests.browser.conftest import Server, Watch, opened, samples_of

pytestmark = pytest.mark.browser
CONVERTING_MS = 120_000
MOST_WRONG = 0.25  # of the letters: what docs/starter.md promises of a voice that is shipped


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Iterator[Server]:
    """A studio that was never used, with what it comes with."""
    home = Home(tmp_path_factory.mktemp("fresh"), ASSETS / "starter")
    server = Server(home, TIMBRE_STARTER=str(home.starter)).start()
    yield server
    server.stop()


def test_convert_is_the_first_click(page, fresh, tmp_path):
    watch, source = Watch(page), SAMPLES / "source.flac"
    opened(page, fresh.url)
    expect(page.locator("#infer-voice input")).to_have_value("lark · comes with Timbre")
    expect(page.locator("#infer-recording")).to_contain_text("0:07")  # the clip is drawn, so it is there to be converted
    page.locator("#infer-convert").click()
    expect(page.locator("#infer-status .tm-run")).to_have_attribute("data-status", "finished", timeout=CONVERTING_MS)
    heard = tmp_path / "heard.wav"
    heard.write_bytes(samples_of(page, "#infer-player"))
    assert abs(soundfile.info(heard).duration - soundfile.info(source).duration) < 0.01
    recogniser = Recogniser()
    said, wanted = (recogniser.said(audio.load(path, SAMPLE_RATE).samples) for path in (heard, source))
    assert len(wanted) > 40
    assert character_error_rate(said, wanted) <= MOST_WRONG, f"{wanted!r} became {said!r}"
    watch.check()


def test_what_the_voice_was_made_from_can_be_read(page, fresh):
    opened(page, fresh.url)
    page.locator("#infer-card").get_by_role("button", name="What this voice was made from").click()
    expect(page.locator("#infer-card").get_by_role("heading", name="lark")).to_be_visible()
