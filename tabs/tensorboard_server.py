"""TensorBoard as a child process, handed through by the studio's own server: one origin, one tunnel and one login for both.

The child listens on a free port of this machine only. Its pages are built with relative addresses, so they also work under a
sub-path that a proxy strips.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from rvc.errors import RvcError
from rvc.paths import PROJECT

PREFIX = "/tensorboard"
FONTS = "/font-roboto"  # TensorBoard's page asks for them at the root, whatever its prefix
START_SECONDS = 60.0
RELOAD_SECONDS = 5
# Headers that belong to one connection (RFC 9110, 7.6.1), and those that are none of TensorBoard's business.
_PER_CONNECTION = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"}
_NOT_SENT = _PER_CONNECTION | {"host", "content-length", "cookie", "authorization"}
_NOT_RETURNED = _PER_CONNECTION | {"set-cookie", "content-length"}


class TensorBoard:
    """The one TensorBoard of this server, over ``logs``. ``allowed`` says whether a request may see it."""

    def __init__(self, logs: Path) -> None:
        self.allowed: Callable[[Request], bool] = lambda request: True
        self._logs = logs
        self._child: subprocess.Popen | None = None
        self._port = 0
        self._guard = threading.Lock()
        self._client: httpx.AsyncClient | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def routes(self) -> list[Route]:
        return [Route(PREFIX + "/{path:path}", self._handed_through, methods=["GET", "HEAD", "POST"]),
                Route(FONTS + "/{font}", self._font)]

    def start(self) -> None:
        """Start it unless it runs; returns when it answers. ``RvcError`` when it does not."""
        with self._guard:
            if self.running:
                return
            self._logs.mkdir(parents=True, exist_ok=True)
            self._port = _free_port()
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tabs.tensorboard_child", "--logdir", str(self._logs), "--host", "127.0.0.1",
                 "--port", str(self._port), "--path_prefix", PREFIX, "--reload_interval", str(RELOAD_SECONDS)],
                cwd=PROJECT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self._wait_until_it_answers(self._child)

    def stop(self) -> None:
        with self._guard:
            if self._child is not None:
                self._child.terminate()
                self._child.wait(10)
                self._child = None

    def _wait_until_it_answers(self, child: subprocess.Popen) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and child.poll() is None:
            try:
                if httpx.get(self._address("/"), trust_env=False, timeout=5).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)  # not listening yet
        child.kill()
        raise RvcError("TensorBoard did not start.", fix=f"Try `python -m tensorboard.main --logdir {self._logs}` to see why.")

    def _address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{PREFIX}{path}"

    async def _handed_through(self, request: Request) -> Response:
        return await self._answer(request, "/" + request.path_params["path"])

    async def _font(self, request: Request) -> Response:
        return await self._answer(request, f"{FONTS}/{request.path_params['font']}")

    async def _answer(self, request: Request, path: str) -> Response:
        if not self.allowed(request):
            return PlainTextResponse("Log in first.", 401)
        if not self.running:
            return PlainTextResponse("TensorBoard is not running. Start it in the TensorBoard tab.", 503)
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=60, trust_env=False)
        url = httpx.URL(self._address(path), query=request.url.query.encode())
        headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_SENT]
        try:
            asked = self._client.build_request(request.method, url, headers=headers, content=await request.body())
            answer = await self._client.send(asked, stream=True)
        except httpx.TransportError as error:
            return PlainTextResponse(f"TensorBoard does not answer: {error}", 502)
        returned = {name: value for name, value in answer.headers.items() if name not in _NOT_RETURNED}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, returned, background=BackgroundTask(answer.aclose))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
