"""The page as a whole, without a browser: it builds without a warning, every button does something, and it is light."""

import json
import re
import subprocess
import sys
import warnings

import gradio as gr
import pytest

import app
from rvc.paths import ASSETS, PROJECT
from tabs import quick_gradio, theme
from tabs.studio import Studio

PUBLIC = ["convert", "resume", "runs", "status", "stop", "train", "voices"]
HEAVY = ["torch", "torchaudio", "faiss", "transformers", "librosa", "scipy", "numba", "matplotlib", "sklearn", "tensorboard"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    from rvc.paths import Home

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # Gradio's word for a handler that does not fit its components
        warnings.simplefilter("error", DeprecationWarning)
        return app.build(Studio(Home(tmp_path_factory.mktemp("home"))))


def test_the_page_builds_without_a_warning_and_has_its_four_tabs(demo):
    assert [block.label for block in demo.blocks.values() if isinstance(block, gr.Tab)] == ["Inference", "Train", "Download", "TensorBoard"]


def test_every_button_does_something(demo):
    wired = {block for function in demo.fns.values() for block, _ in function.targets}
    buttons = [block for block in demo.blocks.values() if isinstance(block, (gr.Button, gr.UploadButton))]
    assert len(buttons) >= 11
    assert [button.elem_id for button in buttons if button._id not in wired] == []


def test_one_button_of_each_tab_is_the_primary_one(demo):
    primary = [block.elem_id for block in demo.blocks.values() if isinstance(block, gr.Button) and block.variant == "primary"]
    assert primary == ["infer-convert", "train-start", "download-essentials", "board-start"]


def test_only_what_is_promised_is_public(demo):
    assert sorted(function.api_name for function in demo.fns.values() if function.api_visibility == "public") == PUBLIC


def test_no_two_components_share_an_id(demo):
    ids = [block.elem_id for block in demo.blocks.values() if block.elem_id]
    assert len(ids) == len(set(ids))


def test_opening_the_page_needs_nothing_heavy(tmp_path):
    program = ("import json, sys, app; from tabs.studio import Studio; from rvc.paths import Home; from pathlib import Path\n"
               "app.build(Studio(Home(Path(sys.argv[1])))); print(json.dumps(sorted(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "gradio" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_nothing_is_reported_and_no_stub_is_written(tmp_path):
    program = ("import os, sys, app; import gradio.component_meta as meta\n"
               "print(os.environ['GRADIO_ANALYTICS_ENABLED'], meta.create_or_modify_pyi(None, None, None))")
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True,
                          env={**__import__("os").environ, "GRADIO_ANALYTICS_ENABLED": "True"})
    assert done.stdout.split() == ["False", "None"]
    assert not list((PROJECT / "tabs").glob("*.pyi"))


def test_without_the_function_that_is_silenced_gradio_is_merely_slower():
    from types import ModuleType

    later = ModuleType("gradio.component_meta")
    quick_gradio._silence(later)
    assert not hasattr(later, quick_gradio.FUNCTION)


def test_the_theme_fetches_nothing_from_anywhere():
    texts = [file.read_text(encoding="utf-8") for file in theme.FOLDER.iterdir()]
    addresses = {found for text in texts for found in re.findall(r"https?://[\w./-]+|@import|url\(", text)}
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert theme.theme()._stylesheets == []
    assert theme.FOLDER.is_relative_to(ASSETS)


# -- flags -----------------------------------------------------------------------------------------------------------------------


def test_by_default_only_this_computer_can_reach_the_page():
    flags = app.read_flags([], {})
    assert (flags.host, flags.port, flags.share, flags.open_browser, flags.logins) == ("127.0.0.1", 7860, False, False, ())
    assert not flags.open_to_others


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--share"], ["--host", "192.168.1.7"]])
def test_a_page_that_others_can_reach_without_a_login_is_known_as_one(arguments):
    assert app.read_flags(arguments, {}).open_to_others
    assert not app.read_flags([*arguments, "--auth", "anna:geheim:1"], {}).open_to_others


def test_a_password_may_contain_colons():
    assert app.read_flags(["--auth", "anna:a:b", "--auth", "bo:c"], {}).logins == (("anna", "a:b"), ("bo", "c"))


@pytest.mark.parametrize("login", ["anna", "anna:", ":geheim", ""])
def test_half_a_login_is_wrong_usage(login, capsys):
    with pytest.raises(SystemExit) as ended:
        app.read_flags(["--auth", login], {})
    assert ended.value.code == 2
    assert "USER:PASSWORD" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_notebook_services_get_a_public_link_unless_it_is_refused(name):
    assert app.read_flags([], {name: "x"}).share
    assert not app.read_flags(["--no-share"], {name: "x"}).share


def test_a_taken_port_is_passed_over():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.free_port("127.0.0.1", port) > port
    assert app.free_port("127.0.0.1", port) == port
