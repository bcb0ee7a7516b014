"""A real studio in a process of its own, and a real Chromium in front of it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import psutil
import pytest
from playwright.sync_api import Page, expect

from rvc import jobs
from rvc.paths import PROJECT, Home
from tests.conftest import chromium

START_SECONDS = 60
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser_type_launch_args():
    return {"executable_path": chromium(), "headless": True,
            "args": ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio",
                     "--autoplay-policy=no-user-gesture-required",
                     "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]}


@pytest.fixture(scope="session")
def browser_context_args():
    return {"viewport": {"width": 1280, "height": 900}, "locale": "en-US"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """``python app.py`` over ``home``; ``program`` replaces what is run, ``flags`` are added."""

    def __init__(self, home: Home, *flags: str, program: tuple[str, ...] = ("app.py",), **environment: str) -> None:
        self.home, self.port = home, free_port()
        self._command = [sys.executable, *program, "--port", str(self.port), *flags]
        self._environment = {**os.environ, "TIMBRE_HOME": str(home.root), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment}
        self._process: subprocess.Popen | None = None
        self.log = home.root / "server.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> "Server":
        self.home.root.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(self._command, cwd=PROJECT, env=self._environment, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return self
            time.sleep(0.1)
        raise RuntimeError(f"The studio did not start:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        """As a service manager would: and nothing it started for the page may outlive it."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        children = [child for child in family if "tensorboard" in " ".join(child.cmdline())]
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(15)
        _, left = psutil.wait_procs(children, timeout=5)
        assert not left, f"TensorBoard outlived the server: {left}"

    def restart(self) -> None:
        self.stop()
        self.start()

    def _answers(self) -> bool:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url, timeout=2) as answer:
                return answer.status == 200
        except (URLError, OSError):
            return False


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """The studio of all tests, with a home whose name has a blank and an umlaut in it."""
    server = Server(Home(tmp_path_factory.mktemp("browser") / "Stimmen für alle")).start()
    yield server
    server.stop()
    for folder in jobs.runs(server.home):
        jobs.stop(folder, wait_seconds=0, kill=True)


class Watch:
    """What must not happen on a page: a script error, or a request that leaves this machine."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.outside: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._look(request.url))

    def _look(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:")):
            self.outside.append(url)

    def check(self) -> None:
        assert not self.errors
        assert not self.outside


def opened(page: Page, url: str, tab: str = "inference") -> Page:
    """``page`` at the studio's ``tab``, ready to click."""
    page.goto(f"{url}?tab={tab}")
    expect(page.locator(f"#tab-{tab}-button")).to_have_attribute("aria-selected", "true")
    answered = {"inference": "#infer-about .tm-note", "train": "#train-banner .tm-note"}.get(tab)
    if answered:  # these two are filled in when the page has loaded: nobody clicks faster than that, but a test does
        expect(page.locator(answered)).to_be_visible()
    return page


@pytest.fixture
def studio(page, server) -> Iterator[Page]:
    """A page at the studio; the test fails on script errors and on requests that leave this machine."""
    watch = Watch(page)
    yield opened(page, server.url)
    watch.check()


def samples_of(page: Page, selector: str) -> bytes:
    """The file behind the download link of a player."""
    link = page.locator(f"{selector} a[download]")
    expect(link).to_have_count(1)
    answer = page.request.get(link.get_attribute("href"))
    assert answer.ok
    return answer.body()


@pytest.fixture(scope="session")
def picture(tmp_path_factory) -> Path:
    """A picture that says it is a recording."""
    path = tmp_path_factory.mktemp("bad") / "holiday.wav"
    path.write_bytes(bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de") + bytes(2000))
    return path
