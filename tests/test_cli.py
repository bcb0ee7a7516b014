"""The command line's manners: exit codes, one sentence on stderr, flags made from the settings."""

import json

import pytest

from rvc.cli import main
from rvc.infer.settings import ConversionSettings
from rvc.settings import options
from rvc.train.run import Resolved, TrainingRun
from rvc.train.settings import TrainingSettings
from tests.sounds import write_dataset


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
    (["train", "bad", "--dataset", ".", "--base-model", "run:nobody"], 1, "no run 'nobody'"),
    (["resume", "nobody"], 1, "no run 'nobody'"),
    (["resume", "nobody", "--from-step", "3"], 1, "no run 'nobody'"),
    (["pretrain", "nobody"], 1, "no run 'nobody'"),
    (["stop", "nobody"], 1, "no run 'nobody'"),
    (["export", "nobody"], 1, "no run 'nobody'"),
    (["inspect", "nothing.pth"], 1, "nothing.pth"),
    (["convert", "nothing.wav", "-o", "out.wav", "--voice", "nobody"], 1, "nothing.wav"),
    (["convert", "-o", "out.wav", "--voice", "demo"], 2, ""),
])
def test_a_wrong_call_gives_one_sentence_and_its_exit_code(home, capsys, arguments, code, word):
    assert main(arguments) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert word in said.err
    assert len([line for line in said.err.splitlines() if not line.startswith("convert 0/")]) == 1


@pytest.mark.parametrize(("command", "model"), [("train", TrainingSettings), ("convert", ConversionSettings)])
def test_every_setting_is_a_flag_with_its_help(command, model, capsys):
    assert main([command, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for one in options(model):
        assert f"--{one.name.replace('_', '-')}" in shown
        assert " ".join(one.help.split())[:30] in shown


def test_catalog_lists_what_can_be_downloaded_and_that_nothing_is_installed(home, capsys):
    assert main(["catalog"]) == 0
    shown = capsys.readouterr().out
    assert "contentvec" in shown
    assert "missing" in shown


def test_an_unknown_download_is_a_sentence(home, capsys):
    assert main(["download", "nonsense"]) in (1, 2)
    assert "nonsense" in capsys.readouterr().err


def test_the_list_of_runs_shows_the_others_beside_a_damaged_one(home, capsys):
    for name, launched in (("damaged", "{"), ("well", None)):
        run = TrainingRun(home.logs / name, TrainingSettings(), Resolved("builtin", "fcpe", "scratch"), "")
        run.write()
        if launched:
            run.launch_file.write_text(launched)
    assert main(["runs"]) == 0
    said = capsys.readouterr()
    assert {line.split()[0]: line.split()[1] for line in said.out.splitlines()[1:]} == {"damaged": "damaged", "well": "new"}
    assert "worker.json is damaged" in said.err
    assert main(["runs", "--json"]) == 0
    listed = {one["run"]: one for one in json.loads(capsys.readouterr().out)}
    assert (listed["damaged"]["status"], listed["well"]["status"]) == ("damaged", "new")
    assert "Delete it" in listed["damaged"]["fix"]


def test_an_earlier_step_that_is_not_there_starts_no_worker(home, capsys, monkeypatch):
    monkeypatch.setattr("rvc.jobs.launch", lambda run: pytest.fail("a worker was started"))
    run = TrainingRun(home.logs / "mara", TrainingSettings(), Resolved("builtin", "fcpe", "scratch"), "")
    run.write()
    for kind in ("G", "D", "state"):
        run.checkpoint(kind, 30).touch()
    assert main(["resume", "mara", "--from-step", "31"]) == 1
    assert capsys.readouterr().err == "'mara' has no checkpoint of step 31. There are: 30.\n"


def test_the_list_of_pretrains_says_what_is_known_and_what_is_wrong(home, capsys):
    home.custom_pretraineds.mkdir(parents=True)
    (home.pretraineds / "hifi-gan").mkdir()
    for name in ("pretraineds_custom/G_Titan_48k", "pretraineds_custom/D_Titan_48k", "pretraineds_custom/G_alone", "hifi-gan/f0G40k",
                 "hifi-gan/f0D40k"):
        (home.pretraineds / f"{name}.pth").touch()
    (home.custom_pretraineds / "Titan_48k.json").write_text("{")
    assert main(["pretrains"]) == 0
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines()[1:]] == [
        ["v2-f0-40k", "40000", "v2", "yes", "HiFi-GAN", "contentvec", "standard", "-", "official"],
        ["Titan_48k", "48000", "-", "-", "-", "-", "-", "-", "custom"]]
    assert "Titan_48k.json is damaged" in said.err
    assert "There is G_alone.pth but no D_alone.pth" in said.err
    assert main(["pretrains", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["name"], first["sample_rate"], first["about"]) == ("v2-f0-40k", 40000, None)


def test_dataset_prints_the_report_card_of_recordings(tmp_path, capsys):
    write_dataset(tmp_path, files=2, seconds=1.5)
    assert main(["dataset", str(tmp_path), "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["recordings"], card["suggested_batch_size"], card["sample_rate"]) == (2, 4, 40000)
    assert main(["dataset", str(tmp_path), "--sample-rate", "24000"]) == 0
    assert "Usable speech:" in capsys.readouterr().out
    assert main(["dataset", str(tmp_path), "--sample-rate", "44100"]) == 2
    for one in tmp_path.iterdir():
        one.write_bytes(b"no sound")
    assert main(["dataset", str(tmp_path)]) == 1
    assert "Nothing in it" in capsys.readouterr().out
