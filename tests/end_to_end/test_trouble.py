"""What goes wrong while training, in real processes: nothing that was saved is lost, and one sentence says why."""

import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
import soundfile
import torch

from rvc import jobs
from rvc.events import Metrics, Started
from rvc.paths import PROJECT
from rvc.train import new_run
from rvc.train.run import TrainingRun
from tests.end_to_end.conftest import TINY, wait_for


def weights(run: TrainingRun, step: int) -> dict[str, torch.Tensor]:
    """Of both networks, with the moments of their optimizers."""
    found = {}
    for kind in ("G", "D"):
        content = torch.load(run.checkpoint(kind, step), weights_only=True)
        found |= {f"{kind}.{name}": one for name, one in content["model"].items()}
        found |= {f"{kind}.{i}.{name}": one for i, state in content["optimizer"]["state"].items() for name, one in state.items()}
    return found


def test_a_worker_that_is_killed_has_died_loses_nothing_that_was_saved_and_goes_on_to_the_bit(shell, dataset):
    shell("train", "killed", "--dataset", dataset, "--epochs", "5000", "--save-every-epochs", "1", "--no-export-every-save", *TINY,
          "--detach")
    folder = shell.home.logs / "killed"
    state = wait_for(lambda: (now := jobs.state(folder)).step >= 8 and now, what="two epochs")
    psutil.Process(state.pid).kill()
    wait_for(lambda: jobs.state(folder).status == "died", 20, "the death to be noticed")
    saved = TrainingRun.open(folder).checkpoint_steps()
    assert saved
    listed = {one["run"]: one["status"] for one in shell.json("runs")}
    assert listed["killed"] == "died"
    epochs = int(saved[-1] / (state.total_steps / 5000)) + 1
    done = shell("train", "killed", "--epochs", str(epochs))
    assert done.returncode == 0, done.stderr
    assert f"Resumed from step {saved[-1]}" in done.stderr
    shell.json("train", "never-killed", "--dataset", dataset, "--epochs", epochs, "--save-every-epochs", "1", "--no-export-every-save",
               *TINY)
    killed, whole = (TrainingRun.open(shell.home.logs / name) for name in ("killed", "never-killed"))
    expected = weights(whole, whole.checkpoint_steps()[-1])
    assert all(torch.equal(one, expected[name]) for name, one in weights(killed, killed.checkpoint_steps()[-1]).items())


def test_of_two_resumes_at_once_one_trains_and_the_other_says_so(shell, dataset):
    shell.json("train", "twice", "--dataset", dataset, "--epochs", "1", *TINY)
    folder = shell.home.logs / "twice"
    new_run.create(shell.home, "twice", _with_epochs(TrainingRun.open(folder), 4))
    start = TrainingRun.open(folder).events.end_position()
    both = [shell.start("resume", "twice") for _ in range(2)]
    said = [process.communicate(timeout=240)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], said
    refused = next(error for process, error in zip(both, said, strict=True) if process.returncode)
    assert refused == "'twice' is being trained already. Stop it first, or choose another name.\n"
    events, _ = TrainingRun.open(folder).events.read(start)
    assert sum(isinstance(event, Started) for event in events) == 1
    steps = [event.step for event in events if isinstance(event, Metrics)]
    assert steps == sorted(set(steps))
    assert (jobs.state(folder).status, jobs.state(folder).epoch) == ("finished", 4)


def test_ctrl_c_stops_the_training_politely_with_130(shell, dataset):
    process = shell.start("train", "interrupted", "--dataset", dataset, "--epochs", "5000", "--save-every-epochs", "5000", *TINY)
    folder = shell.home.logs / "interrupted"
    wait_for(lambda: jobs.state(folder).step >= 2, what="two steps")
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert jobs.state(folder).status == "stopped"
    assert TrainingRun.open(folder).checkpoint_steps()


def test_a_full_disk_during_a_save_fails_in_a_sentence_and_keeps_the_last_checkpoint(shell, dataset):
    """The system's own limit on file sizes: enough for the clips and the features, too little for a checkpoint."""
    folder = shell.home.logs / "full"
    shell.json("train", "full", "--dataset", dataset, "--epochs", "1", *TINY)
    before = {path.name: path.read_bytes() for path in folder.glob("[GDs]*_*.p*")}
    size = max(path.stat().st_size for path in folder.glob("G_*.pth"))
    new_run.create(shell.home, "full", _with_epochs(TrainingRun.open(folder), 2))
    program = ("import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
               f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size // 2}, {size // 2})); "
               "from rvc.worker import main; sys.exit(main(sys.argv[1:]))")
    done = subprocess.run([sys.executable, "-c", program, str(folder)], cwd=PROJECT, env=shell.environment, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    state = jobs.state(folder)
    assert state.status == "failed"
    assert "was not written" in state.message
    assert {path.name: path.read_bytes() for path in folder.glob("[GDs]*_*.p*")} == before
    assert not list(folder.glob(".*.part*"))
    assert shell("resume", "full").returncode == 0
    assert jobs.state(folder).epoch == 2


def _with_epochs(run: TrainingRun, epochs: int):
    return run.settings.model_copy(update={"fit": run.settings.fit.model_copy(update={"epochs": epochs})})


@pytest.mark.parametrize(("make", "word"), [
    (lambda folder: None, "does not exist"),
    (lambda folder: folder.mkdir(), "holds no audio files"),
    (lambda folder: (folder.mkdir(), soundfile.write(folder / "nan.wav", np.full(32_000, np.nan), 16_000, subtype="FLOAT")), "nan.wav"),
], ids=["missing", "empty", "NaN"])
def test_a_dataset_without_usable_audio_fails_in_a_sentence(shell, tmp_path, make, word):
    make(tmp_path / "data")
    done = shell("train", f"no audio {tmp_path.name}", "--dataset", tmp_path / "data", "--epochs", "1", *TINY)
    assert done.returncode == 1
    assert word.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
