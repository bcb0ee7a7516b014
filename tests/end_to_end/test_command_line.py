"""The contract of the command line, in real processes: what it prints, writes and returns."""

import json
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
from tests.sounds import singing, write_dataset


@pytest.fixture(scope="session")
def source(shell):
    path = shell.home.root / "söurce clip.wav"
    soundfile.write(path, singing(2.0, 22_050, seed=9), 22_050)
    return path


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


@pytest.mark.parametrize(("arguments", "code", "word"), [
    (["train", "../x", "--dataset", "."], 2, "cannot be a run name"),
    (["train", "con", "--dataset", "."], 2, "Windows"),
    (["train", "x" * 300, "--dataset", "."], 2, "longer than"),
    (["train", "bad", "--dataset", ".", "--epochs", "0"], 2, "epochs must be between 1 and"),
    (["train", "bad", "--dataset", ".", "--epochs", "many"], 2, "epochs"),
    (["train", "bad", "--dataset", ".", "--sample-rate", "44100"], 2, "sample"),
    (["train", "bad", "--dataset", ".", "--epoch", "3"], 2, "--epochs"),
    (["train", "bad", "--dataset", ".", "--embedder", "nonsense"], 1, "nonsense"),
    (["train", "bad", "--dataset", ".", "--embedder", "contentvec"], 1, "download contentvec"),
    (["train", "bad", "--dataset", ".", "--f0-method", "rmvpe"], 1, "download rmvpe"),
    (["train", "bad", "--dataset", ".", "--base-model", "nonsense"], 1, "no pretrain 'nonsense'"),
    (["nonsense"], 2, "nonsense"),
    (["resume", "nobody"], 1, "no run 'nobody'"),
    (["stop", "nobody"], 1, "no run 'nobody'"),
    (["export", "nobody"], 1, "no run 'nobody'"),
    (["inspect", "nothing.pth"], 1, "nothing.pth"),
    (["convert", "nothing.wav", "-o", "out.wav", "--voice", "nobody"], 1, "nobody"),
    (["convert", "-o", "out.wav", "--voice", "demo"], 2, ""),
])
def test_a_wrong_call_gives_one_sentence_and_its_exit_code(shell, arguments, code, word):
    done = shell(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("make", "word"), [
    (lambda folder: None, "does not exist"),
    (lambda folder: folder.mkdir(), "no recording"),
    (lambda folder: (folder.mkdir(), (folder / "a.wav").write_bytes(b"")), "a.wav"),
    (lambda folder: (folder.mkdir(), soundfile.write(folder / "quiet.wav", np.zeros(32_000), 16_000)), "silen"),
    (lambda folder: (folder.mkdir(), soundfile.write(folder / "nan.wav", np.full(32_000, np.nan), 16_000, subtype="FLOAT")), "nan.wav"),
], ids=["missing", "empty", "unreadable", "silence", "NaN"])
def test_a_dataset_without_usable_audio_fails_in_a_sentence(shell, tmp_path, make, word):
    make(tmp_path / "data")
    done = shell("train", f"no audio {tmp_path.name}", "--dataset", tmp_path / "data", "--epochs", "1", *TINY)
    assert done.returncode == 1
    assert word.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr


# -- what comes after --------------------------------------------------------------------------------------------------------------


def test_conversion_keeps_the_length_and_is_not_silence(shell, trained, source, tmp_path):
    output = tmp_path / "out.wav"
    report = shell.json("convert", source, "-o", output, "--voice", "demo", "--f0-method", "swift")
    samples, rate = soundfile.read(output)
    assert rate == 24_000
    assert len(samples) == round(soundfile.info(source).frames * 24_000 / 22_050)
    assert np.sqrt(np.mean(samples**2)) > 1e-4
    assert report["seconds"] == pytest.approx(2.0, abs=0.01)
    assert report["rtf"] == pytest.approx(report["elapsed_seconds"] / report["seconds"])
    assert sum(report["stage_seconds"].values()) <= report["elapsed_seconds"] * 1.05
    assert report["results"][0]["output"] == str(output)


def test_one_bad_file_among_several_does_not_stop_the_others(shell, trained, source, tmp_path):
    (tmp_path / "picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    done = shell("convert", tmp_path / "picture.wav", source, "-o", tmp_path / "out", "--voice", "demo", "--f0-method", "swift", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["converted"], report["failed"]) == (1, 1)
    assert "picture.wav" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_another_embedder_than_the_voices_own_is_an_error_that_says_so(shell, trained, source, tmp_path):
    done = shell("convert", source, "-o", tmp_path / "out.wav", "--voice", "demo", "--embedder", "contentvec")
    assert done.returncode == 1
    assert "builtin" in done.stderr
    assert "contentvec" in done.stderr
    assert not (tmp_path / "out.wav").exists()


def test_voices_lists_the_voice_with_its_index_and_what_it_says_about_itself(shell, trained):
    found = next(one for one in shell.json("voices") if one["path"] == trained["voice"])
    assert found["index"] == trained["index"]
    assert (found["embedder"], found["sample_rate"], found["version"], found["epoch"]) == ("builtin", 24_000, "v2", 2)


@pytest.mark.parametrize(("name", "kind"), [("demo_2e", "voice"), ("G_", "checkpoint"), ("D_", "checkpoint"), ("demo.index", "index")])
def test_inspect_says_what_a_file_is(shell, trained, name, kind):
    path = next(path for path in sorted((shell.home.logs / "demo").iterdir()) if path.name.startswith(name))
    assert shell.json("inspect", path)["kind"] == kind


def test_export_writes_the_voice_of_a_checkpoint(shell, trained, tmp_path):
    document = shell.json("export", "demo", "-o", tmp_path / "mine.pth")
    assert document["voice"] == str(tmp_path / "mine.pth")
    assert shell.json("inspect", tmp_path / "mine.pth")["embedder"] == "builtin"
    wrong = shell("export", "demo", "--step", "77")
    assert (wrong.returncode, "no checkpoint of step 77" in wrong.stderr) == (1, True)


def test_runs_lists_them_with_one_of_four_words_for_their_end(shell, trained):
    found = {one["run"]: one for one in shell.json("runs")}
    assert found["demo"]["status"] == "finished"
    assert "demo" in shell("runs").stdout


def test_doctor_names_every_part_and_the_fix_for_what_is_missing(shell):
    report = shell.json("doctor")
    assert report["ok"]
    checks = {one["name"]: one for one in report["checks"]}
    assert checks["Embedder builtin"]["status"] == "ok"
    assert checks["Pitch detector fcpe"]["status"] == "ok"
    assert "download rmvpe" in checks["Pitch detector rmvpe"]["fix"]
    assert "download contentvec" in checks["Embedder contentvec"]["fix"]


def test_help_is_there_without_torch(shell):
    done = shell("train", "--help")
    assert done.returncode == 0
    assert "--batch-size" in done.stdout
