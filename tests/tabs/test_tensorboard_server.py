"""TensorBoard behind the studio's own server."""

import json
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from rvc.paths import PROJECT
from tabs.tensorboard_server import TensorBoard


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    logs = tmp_path_factory.mktemp("logs")
    writer = EventFileWriter(str(logs / "mara"))
    for step in range(3):
        summary = Summary(value=[Summary.Value(tag="loss/g/mel", simple_value=30.0 - step)])
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
    writer.close()
    board = TensorBoard(logs)
    board.start()
    yield board
    board.stop()


@pytest.fixture
def client(board):
    with TestClient(Starlette(routes=board.routes)) as client:
        yield client


def test_the_page_is_handed_through(client):
    answer = client.get("/tensorboard/")
    assert answer.status_code == 200
    assert "<title>TensorBoard</title>" in answer.text


def test_the_runs_of_the_logs_folder_are_seen(client):
    deadline = time.monotonic() + 30
    while "mara" not in (runs := client.get("/tensorboard/data/runs").json()):
        assert time.monotonic() < deadline, runs
        time.sleep(0.2)


def test_questions_with_parameters_and_posts_arrive(client):
    answer = client.get("/tensorboard/data/plugin/scalars/scalars", params={"run": "mara", "tag": "loss/g/mel", "format": "csv"})
    assert answer.status_code == 200
    assert "Wall time,Step,Value" in answer.text
    asked = client.post("/tensorboard/experiment/defaultExperimentId/data/plugin/timeseries/timeSeries",
                        data={"requests": json.dumps([{"plugin": "scalars", "tag": "loss/g/mel"}])})
    assert asked.status_code == 200


def test_its_fonts_are_found_where_its_page_looks_for_them(client):
    font = re.search(r"/font-roboto/[^)]+", client.get("/tensorboard/").text)[0]
    assert client.get(font).content[:4] == b"wOF2"


def test_starting_twice_is_one_tensorboard(board):
    child = board._child
    board.start()
    assert board._child is child


def test_those_who_are_not_logged_in_see_nothing(board, client):
    board.allowed = lambda request: request.cookies.get("login") == "yes"
    try:
        assert client.get("/tensorboard/").status_code == 401
        assert client.get("/tensorboard/", headers={"cookie": "login=yes"}).status_code == 200
    finally:
        board.allowed = lambda request: True


def test_before_it_is_started_a_sentence_says_so(tmp_path):
    with TestClient(Starlette(routes=TensorBoard(tmp_path).routes)) as client:
        answer = client.get("/tensorboard/")
    assert answer.status_code == 503
    assert "Start it in the TensorBoard tab" in answer.text


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_it_ends_with_its_parent_however_that_one_ends(tmp_path, name):
    program = ("import sys, time; from pathlib import Path; from tabs.tensorboard_server import TensorBoard\n"
               "board = TensorBoard(Path(sys.argv[1])); board.start(); print(board._child.pid, flush=True); time.sleep(60)")
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    family = [child, *child.children(recursive=True)]
    parent.send_signal(getattr(signal, name))
    parent.wait(10)
    _, alive = psutil.wait_procs(family, timeout=10)
    parent.stdout.close()
    assert not alive
