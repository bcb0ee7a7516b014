"""Training on the command line, in real processes: what it prints, writes, returns, and survives."""

import subprocess
import sys
from pathlib import Path

import soundfile

from rvc import jobs
from rvc.events import Note, Stage
from rvc.paths import PROJECT
from rvc.train.run import TrainingRun
from rvc.voices import VoiceModel
from tests.end_to_end.conftest import TINY, wait_for
from tests.sounds import singing, write_dataset


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
    shell.json("train", "moving", "--dataset", data, "--epochs", "1", *TINY[:-1], "1")  # one clip: a batch of one
    run = TrainingRun.open(shell.home.logs / "moving")
    voice = run.voices()[-1].name
    write_dataset(data, files=2, seconds=3.0)
    start = run.events.end_position()
    again = shell.json("train", "moving")
    assert set(statuses(run, start).values()) == {"finished"}
    assert (run.folder / "earlier_1" / voice).exists()
    assert any("data changed" in one for one in again["warnings"])


def test_two_speakers_are_trained_together_by_two_processes_and_asked_for_by_name(shell, tmp_path):
    for i, name in enumerate(("Bob", "Ada")):
        soundfile.write(_made(tmp_path / "duo" / name) / "take.wav", singing(5.0, low_hz=110.0 * (i + 1), seed=i), 24_000)
    about = shell.json("train", "duo", "--dataset", tmp_path / "duo", "--epochs", "2", "--gpus", "cpu,cpu", *TINY)
    assert (about["status"], about["epoch"]) == ("finished", 2)
    run = TrainingRun.open(shell.home.logs / "duo")
    said = " ".join(event.message for event in run.events.read()[0] if isinstance(event, Note))
    assert "2 processes together, batch 4 = 2 x 2" in said
    assert VoiceModel.read(run.voices()[-1]).speakers == {0: "Ada", 1: "Bob"}
    spoken = shell.json("convert", tmp_path / "duo" / "Ada" / "take.wav", "-o", tmp_path / "out.wav", "--voice", "duo", "--speaker", "bob",
                        "--device", "cpu")
    assert spoken["results"][0]["speaker_id"] == 1
    unknown = shell("convert", tmp_path / "duo" / "Ada" / "take.wav", "-o", tmp_path / "no.wav", "--voice", "duo", "--speaker", "Adda")
    assert unknown.returncode == 2
    assert "'Ada'" in unknown.stderr
    assert not (tmp_path / "no.wav").exists()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


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


def test_a_run_becomes_a_pretrain_another_starts_from_it_and_goes_on_from_an_earlier_step(shell, trained, dataset):
    made = shell.json("pretrain", "demo", "--name", "demo base")
    assert "from scratch" in made["warnings"][0]
    assert made["about"]["steps"] == TrainingRun.open(shell.home.logs / "demo").checkpoint_steps()[-1]
    assert [(one["name"], one["embedder"], one["model_size"]) for one in shell.json("pretrains")] == [("demo base", "builtin", "tiny")]
    begin = ["train", "tuned", "--dataset", dataset, "--base-model", "demo base", "--epochs", "2", "--save-every-epochs", "1", *TINY]
    refused = shell(*begin, "--no-pitch-guidance")
    assert (refused.returncode, "was trained with pitch guidance (this run: without)" in refused.stderr) == (2, True)

    tuned = shell.json(*begin)
    folder = shell.home.logs / "tuned"
    assert "Started from the pretrain demo base: loaded" in (folder / "worker.log").read_text()
    first, last = TrainingRun.open(folder).checkpoint_steps()
    weights = (folder / f"G_{last}.pth").read_bytes()
    again = shell.json("resume", "tuned", "--from-step", str(first))
    assert (again["status"], again["step"]) == ("finished", tuned["step"])
    assert (folder / "earlier_1" / f"G_{last}.pth").read_bytes() == weights
    assert TrainingRun.open(folder).checkpoint_steps() == [first, last]
    assert f"Resumed from step {first}" in (folder / "worker.log").read_text()
