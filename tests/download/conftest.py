"""A real server on the loopback interface that does what servers and networks do to downloads."""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from rvc.download import fetch
from rvc.paths import Home


@dataclass
class Site:
    """What the server has, how it behaves, and what it was asked: (path, Range header or "")."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    cut_after: list[int] = field(default_factory=list)  # for each coming answer: bytes to send before the connection drops
    status: int | None = None
    content_type: str = "application/octet-stream"
    honours_ranges: bool = True
    sends_lengths: bool = True
    redirects: dict[str, str] = field(default_factory=dict)
    stall_seconds: float = 0.0
    hold: threading.Event | None = None  # the second half of a body is sent when it is set


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("TIMBRE_MIRROR", server.site.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(fetch, "TIMEOUTS", httpx.Timeout(5.0))
    yield server.site
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "Heim ü")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site
        wanted = self.headers.get("Range", "")
        site.asked.append((self.path, wanted))
        if site.stall_seconds:
            time.sleep(site.stall_seconds)
        if self.path in site.redirects:
            self._head(302, {"Location": site.redirects[self.path], "Content-Length": "0"})
        elif site.status:
            self._head(site.status, {"Content-Length": "0"})
        elif self.path not in site.files:
            self._head(404, {"Content-Length": "0"})
        else:
            self._send(site.files[self.path], wanted)

    def _send(self, body: bytes, wanted: str) -> None:
        site: Site = self.server.site
        start = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted and site.honours_ranges else 0
        if start >= len(body) > 0:
            self._head(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
            return
        headers = {"Content-Type": site.content_type} | ({"Content-Length": str(len(body) - start)} if site.sends_lengths else {})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._head(206 if start else 200, headers)
        rest = body[start:]
        if site.cut_after:
            rest = rest[: site.cut_after.pop(0)]
        half = len(rest) // 2 if site.hold else len(rest)
        self.wfile.write(rest[:half])
        self.wfile.flush()
        if site.hold:
            site.hold.wait(10)
            self.wfile.write(rest[half:])
        self.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_) -> None:
        """Nothing on stderr."""
