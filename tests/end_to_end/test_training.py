"""Training on the command line, in real processes: what it prints, writes, returns, and survives."""

import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
import soundfile

from rvc import jobs
from rvc.events import Stage
from rvc.paths import PROJECT
from rvc.train.run import TrainingRun
from tests.end_to_end.conftest import TINY, wait_for
from tests.sounds import write_dataset


def statuses(run: TrainingRun, start: int = 0) -> dict[str, str]:
    return {event.stage: event.status for event in run.events.read(start)[0] if isinstance(event, Stage)}


# -- train ---------------------------------------------------------------------------------------------------------------------


def test_training_ends_with_a_voice_an_index_and_tensorboard_events(shell, trained):
    folder = shell.home.logs / "demo"
    assert trained["status"] == "finished"
    assert trained["epoch"] == trained["epochs"] == 2
    assert trained["voice"] == str(folder / f"demo_2e_{trained['step']}s.pth")
    assert trained["index"] == str(folder / "demo.index")
    assert trained["resolved"] == {"embedder": "builtin", "f0_method": "swift", "base_model": "scratch"}
    for name in ("run.json", "events.jsonl", "worker.log", "filelist.csv", "demo.index", f"G_{trained['step']}.pth",
                 f"D_{trained['step']}.pth", f"state_{trained['step']}.pt"):
        assert (folder / name).stat().st_size > 0, name
    assert list(folder.glob("events.out.tfevents.*"))
    assert not (folder / "stop").exists()


def test_training_again_does_nothing_and_more_epochs_redo_only_the_fit(shell, dataset, trained):
    run = TrainingRun.open(shell.home.logs / "demo")
    start = run.events.end_position()
    shell.json("train", "demo", "--dataset", dataset, "--epochs", "2", "--save-every-epochs", "1", *TINY)
    assert set(statuses(run, start).values()) == {"skipped"}
    start = run.events.end_position()
    longer = shell.json("train", "demo", "--epochs", "3")
    assert statuses(run, start) == {"preprocess": "skipped", "extract": "skipped", "fit": "finished", "index": "skipped",
                                    "export": "finished"}
    assert (longer["epoch"], longer["step"]) == (3, trained["step"] // 2 * 3)


def test_another_dataset_redoes_everything_and_keeps_the_earlier_voices(shell, tmp_path):
    data = write_dataset(tmp_path / "data", files=1, seconds=3.0)
    shell.json("train", "moving", "--dataset", data, "--epochs", "1", *TINY)
    run = TrainingRun.open(shell.home.logs / "moving")
    voice = run.voices()[-1].name
    write_dataset(data, files=2, seconds=3.0)
    start = run.events.end_position()
    again = shell.json("train", "moving")
    assert set(statuses(run, start).values()) == {"finished"}
    assert (run.folder / "earlier_1" / voice).exists()
    assert any("data changed" in one for one in again["warnings"])


def test_a_detached_training_stops_politely_and_resumes(shell, dataset):
    done = shell("train", "long", "--dataset", dataset, "--epochs", "5000", "--save-every-epochs", "5000", *TINY, "--detach")
    assert done.returncode == 0, done.stderr
    folder = shell.home.logs / "long"
    wait_for(lambda: jobs.state(folder).step >= 3, what="three steps")

    busy = shell("train", "long", "--epochs", "4")
    assert (busy.returncode, "being trained already" in busy.stderr) == (1, True)
    second = subprocess.run([sys.executable, "-m", "rvc.worker", str(folder)], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (second.returncode, "being trained already" in second.stderr) == (1, True)

    stopped = shell.json("stop", "long")
    assert stopped["status"] == "stopped"
    run = TrainingRun.open(folder)
    assert run.checkpoint_steps() == [stopped["step"]]
    assert jobs.wait(folder, 10)
    resumed = shell.json("train", "long", "--epochs", str(stopped["epoch"]))
    assert resumed["status"] == "finished"
    assert "Resumed from step" in (folder / "worker.log").read_text()


def test_a_worker_that_is_killed_has_died_and_loses_nothing_that_was_saved(shell, dataset):
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
    TrainingRun.create(shell.home, "full", _with_epochs(TrainingRun.open(folder), 2))
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
    (lambda folder: (folder.mkdir(), (folder / "a.wav").write_bytes(b"")), "a.wav"),
    (lambda folder: (folder.mkdir(), soundfile.write(folder / "quiet.wav", np.zeros(32_000), 16_000)), "nothing in it is above"),
    (lambda folder: (folder.mkdir(), soundfile.write(folder / "nan.wav", np.full(32_000, np.nan), 16_000, subtype="FLOAT")), "nan.wav"),
], ids=["missing", "empty", "unreadable", "silence", "NaN"])
def test_a_dataset_without_usable_audio_fails_in_a_sentence(shell, tmp_path, make, word):
    make(tmp_path / "data")
    done = shell("train", f"no audio {tmp_path.name}", "--dataset", tmp_path / "data", "--epochs", "1", *TINY)
    assert done.returncode == 1
    assert word.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
