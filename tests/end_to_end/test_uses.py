"""What one does with a trained voice on the command line, in real processes."""

import json

import numpy as np
import pytest
import soundfile

from tests.sounds import singing


@pytest.fixture(scope="session")
def source(shell):
    path = shell.home.root / "söurce clip.wav"
    soundfile.write(path, singing(2.0, 22_050, seed=9), 22_050)
    return path




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
