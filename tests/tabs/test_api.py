"""The studio asked by a program, over HTTP, as its page's "Use via API" describes."""

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

import app
from rvc import jobs
from rvc.paths import Home
from tabs.studio import Studio
from tests.sounds import write_dataset

pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning:gradio.queueing")  # of Gradio's use of pandas


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    return Studio(Home(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def client(studio):
    demo = app.build(studio)
    _, url, _ = demo.launch(server_port=app.free_port("127.0.0.1", 20_000), prevent_thread_lock=True, quiet=True, show_error=True)
    yield Client(url, verbose=False)
    demo.close()


def test_a_run_is_made_and_its_worker_started(client, studio, monkeypatch, tmp_path_factory):
    launched = []
    monkeypatch.setattr(jobs, "launch", lambda run: launched.append(run.name))
    dataset = str(write_dataset(tmp_path_factory.mktemp("data")))
    status = client.predict("mara", dataset, {"epochs": 3, "model_size": "tiny"}, api_name="/train")
    assert launched == ["mara"]
    assert status["settings"]["epochs"] == 3
    assert status["settings"]["dataset"] == dataset
    assert status["resolved"]["embedder"] == "builtin"
    assert client.predict(api_name="/runs") == ["mara"]
    assert client.predict("mara", api_name="/status")["status"] == "new"


def test_there_are_no_voices_before_one_was_made(client):
    assert client.predict(api_name="/voices") == []


@pytest.mark.parametrize(("name", "settings", "sentence"), [
    ("../x", {}, "cannot be a run name"), ("x", {"epochs": 0}, "epochs must be between"), ("x", {"epoch": 3}, "Did you mean 'epochs'"),
    ("x", {}, "does not exist")])
def test_what_is_wrong_is_told_in_the_sentences_of_the_page(client, name, settings, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(name, "/nowhere at all", settings, api_name="/train")


def test_a_run_that_is_not_there_is_told(client):
    with pytest.raises(AppError, match="There is no run"):
        client.predict("gone", api_name="/stop")
