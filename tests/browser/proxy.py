"""A proxy that shows a server under a path, as Jupyter and many clouds do: it takes the path off and hands the rest on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

PER_CONNECTION = {"transfer-encoding", "connection", "content-length"}


@contextmanager
def stripping_proxy(port: int, path: str, behind: int) -> Iterator[str]:
    """The server on port ``behind`` of this machine, under ``path`` on ``port``; the address, with a slash at its end."""
    client = httpx.AsyncClient(timeout=None, trust_env=False)

    async def handed_on(request: Request) -> Response:
        url = httpx.URL(f"http://127.0.0.1:{behind}/{request.path_params['rest']}", query=request.url.query.encode())
        asked = client.build_request(request.method, url, headers=request.headers.raw, content=await request.body())
        answer = await client.send(asked, stream=True)
        headers = {name: value for name, value in answer.headers.items() if name not in PER_CONNECTION}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose))

    app = Starlette(routes=[Route(path + "/{rest:path}", handed_on, methods=["GET", "POST", "HEAD"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}{path}/"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
