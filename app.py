"""Opens the studio's page: ``python app.py``. Reads the server's flags, makes a studio, builds the tabs, launches."""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tabs  # noqa: F401 - first of all: it settles analytics and stubs before Gradio is imported  # isort: skip
import gradio as gr

from rvc.paths import Home
from tabs import api, download, inference, tensorboard, theme, train, widgets
from tabs.page import Page
from tabs.studio import SAMPLES, Studio

DEFAULT_PORT = 7860
PORTS_TRIED = 100
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
LARGEST_UPLOAD = "8gb"
CACHE_CLEANED = (3600, 24 * 3600)  # every hour, what is older than a day: uploads and copies of results, never the results
TABS = (
    ("inference", "Inference", inference.build),
    ("train", "Train", train.build),
    ("download", "Download", download.build),
    ("tensorboard", "TensorBoard", tensorboard.build),
)


@dataclass(frozen=True)
class Flags:
    """How the server is opened."""

    host: str
    port: int
    share: bool
    root_path: str | None
    logins: tuple[tuple[str, str], ...]
    open_browser: bool

    @property
    def open_to_others(self) -> bool:
        """Whether anybody but this computer can reach the page without a login."""
        return (self.share or self.host not in LOOPBACK) and not self.logins


def main(arguments: Sequence[str] | None = None) -> None:
    flags = read_flags(arguments, os.environ)
    home = Home.here()
    os.environ["GRADIO_TEMP_DIR"] = str(home.outputs / "page")
    # Without this SIGTERM ends the process where it stands, and nothing is cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(flags, Studio(home))


def read_flags(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> Flags:
    parser = argparse.ArgumentParser(prog="app.py", description="Timbre, a voice-conversion studio, in the browser.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other computers in")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="if it is taken, the next free one is used")
    parser.add_argument("--share", action=argparse.BooleanOptionalAction, default=on_a_notebook_service(environment),
                        help="make a public link through Gradio's tunnel (on by itself on Colab and Kaggle)")
    parser.add_argument("--root-path", help="the path under which a proxy shows the page, such as /timbre")
    parser.add_argument("--auth", action="append", default=[], metavar="USER:PASSWORD", help="ask for a login; can be given several times")
    parser.add_argument("--open", action=argparse.BooleanOptionalAction, default=False, help="open the page in the browser")
    parser.add_argument("--no-browser", action="store_false", dest="open", help="the same as --no-open")
    given = parser.parse_args(arguments)
    logins = tuple(tuple(one.split(":", 1)) for one in given.auth)
    if any(len(login) != 2 or not all(login) for login in logins):
        parser.error("--auth takes USER:PASSWORD, both of them")
    return Flags(given.host, given.port, given.share, given.root_path, logins, given.open)


def on_a_notebook_service(environment: Mapping[str, str]) -> bool:
    """Colab and Kaggle show no port of theirs. Gradio notices them only from inside the notebook's own Python."""
    return "COLAB_RELEASE_TAG" in environment or "KAGGLE_KERNEL_RUN_TYPE" in environment


def free_port(host: str, wanted: int) -> int:
    """``wanted``, or the next one that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        with socket.socket(family) as probe:
            if os.name != "nt":  # there it means something else: two servers on one port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    sys.exit(f"No port from {wanted} on is free on {host}. Give another one with --port.")


def build(studio: Studio) -> gr.Blocks:
    """The whole page."""
    with gr.Blocks(title="Timbre", delete_cache=CACHE_CLEANED, analytics_enabled=False) as demo:
        gr.HTML(widgets.header())
        api.build(studio)  # first, for its names: the page's own handlers are called train and stop as well
        page, parts = Page.of(demo), {}
        with gr.Tabs(overflow_behavior="wrap"):
            for name, title, build_tab in TABS:
                with gr.Tab(title, id=name, elem_id=f"tab-{name}") as tab:
                    tab.select(None, None, None, js=f"() => window.timbre.remember('{name}')")
                    parts[name] = build_tab(studio, page, tab)
        train.wire_use(studio, parts["train"], parts["inference"])
        demo.load(None, None, None, js="() => window.timbre.openWanted()")
    return demo.queue(default_concurrency_limit=4, max_size=64)


def serve(flags: Flags, studio: Studio) -> None:
    """Launch and stay until interrupted."""
    port = free_port(flags.host, flags.port)
    if port != flags.port:
        print(f"Port {flags.port} is taken, so this is port {port}.", flush=True)
    if flags.open_to_others:
        print("Anybody who can reach this address can use the studio and read its folders. Ask for a login with --auth user:password.",
              file=sys.stderr, flush=True)
    studio.home.outputs.mkdir(parents=True, exist_ok=True)
    demo = build(studio)
    app, url, share_url = demo.launch(
        server_name=flags.host, server_port=port, share=flags.share, root_path=flags.root_path, auth=list(flags.logins) or None,
        inbrowser=flags.open_browser, theme=theme.theme(), css_paths=list(theme.CSS), head=theme.head(), favicon_path=theme.FAVICON,
        allowed_paths=[str(studio.home.outputs), str(SAMPLES), str(studio.home.starter)], max_file_size=LARGEST_UPLOAD,
        show_error=True, footer_links=["api", "settings"], run_history=False, pwa=False, ssr_mode=False, mcp_server=False,
        enable_monitoring=False, quiet=True, prevent_thread_lock=True,
        app_kwargs={"routes": studio.tensorboard.routes, "openapi_url": None})
    if flags.logins:  # Gradio's login does not cover routes of our own
        studio.tensorboard.allowed = lambda request: any(
            request.cookies.get(f"{cookie}-{app.cookie_id}") in app.tokens for cookie in ("access-token", "access-token-unsecure"))
    print(f"Timbre is at {url}", flush=True)
    if share_url:
        print(f"and for everybody at {share_url}", flush=True)
    elif flags.share:
        print("The public link could not be made; see the lines above. The address on this computer works.", file=sys.stderr, flush=True)
    demo.block_thread()


if __name__ == "__main__":
    main()
