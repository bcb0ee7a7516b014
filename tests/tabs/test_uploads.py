"""Recordings and pretrains that come in through the page end where they belong, and nothing there is lost."""

import pytest

from rvc.download.pairs import base_pairs, halves
from rvc.download.sidecar import Sidecar
from rvc.errors import DatasetError, FormatError, SettingsError, StorageError
from tabs import pretrains, uploads
from tests.download.files import checkpoint


def arrived(folder, name: str, content: bytes = b"sound"):
    """A file as Gradio leaves it: in a folder of its own below its temporary one."""
    path = folder / f"{len(list(folder.iterdir())) if folder.exists() else 0}" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_recordings_are_kept_in_the_run_and_outlive_the_page(tmp_path):
    file = arrived(tmp_path / "page", "Täke 1.wav")
    kept = uploads.keep([file], tmp_path / "logs" / "mara")
    file.unlink()
    assert kept == tmp_path / "logs" / "mara" / "uploads"
    assert (kept / "Täke 1.wav").read_bytes() == b"sound"


def test_two_recordings_of_one_name_are_both_kept(tmp_path):
    page = tmp_path / "page"
    kept = uploads.keep([arrived(page, "a.wav", b"1"), arrived(page, "a.wav", b"2"), arrived(page, "A.WAV", b"3")], tmp_path / "mara")
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {"a.wav": b"1", "a-2.wav": b"2", "A-3.WAV": b"3"}


def test_other_recordings_for_the_same_run_get_a_folder_of_their_own(tmp_path):
    page, run = tmp_path / "page", tmp_path / "mara"
    first = uploads.keep([arrived(page, "a.wav", b"1")], run)
    second = uploads.keep([arrived(page, "a.wav", b"other")], run)
    assert (first.name, second.name) == ("uploads", "uploads-2")
    assert (first / "a.wav").read_bytes() == b"1"
    assert (second / "a.wav").read_bytes() == b"other"


def test_the_same_recordings_again_are_found_to_be_there(tmp_path):
    page, run = tmp_path / "page", tmp_path / "mara"
    first = uploads.keep([arrived(page, "a.wav")], run)
    assert uploads.keep([arrived(page, "a.wav")], run) == first
    assert [path.name for path in run.iterdir()] == ["uploads"]


def test_a_recording_that_vanished_leaves_nothing_half_done(tmp_path):
    page, run = tmp_path / "page", tmp_path / "mara"
    gone = arrived(page, "b.wav")
    gone.unlink()
    with pytest.raises(StorageError, match="uploads"):
        uploads.keep([arrived(page, "a.wav"), gone], run)
    assert list(run.iterdir()) == []


def test_no_recordings_is_a_sentence(tmp_path):
    with pytest.raises(DatasetError, match="No recordings"):
        uploads.keep([], tmp_path / "mara")


# -- pretrains ---------------------------------------------------------------------------------------------------------------


def test_a_dropped_pair_is_kept_and_found_as_a_pretrain(home, tmp_path):
    files = [arrived(tmp_path / "page", name, checkpoint(seed=seed)) for seed, name in enumerate(("G_Titan_48k.pth", "D_Titan_48k.pth"))]
    pretrains.add([str(file) for file in files], home)
    pair, = base_pairs(home)
    assert (pair.sample_rate, pair.source) == (48000, "custom")
    assert pair.g_path.read_bytes() == files[0].read_bytes()
    assert halves(home) == []


def test_the_json_of_a_pair_is_kept_beside_it(home, tmp_path):
    about = Sidecar(name="x", sample_rate=32000, version="v2", pitch_guidance=True, vocoder="RefineGAN", embedder="spin",
                    model_size="standard", hours=60, speakers=9, steps=1, epochs=1, started_from="scratch", datasets=("a",), created="",
                    sha256={"G": "0", "D": "1"})
    files = [arrived(tmp_path / "page", f"{letter}_x.pth", checkpoint(seed=seed)) for seed, letter in enumerate("GD")]
    pretrains.add([*map(str, files), str(arrived(tmp_path / "page", "x.json", about.text().encode()))], home)
    pair, = base_pairs(home)
    assert pair.sidecar == about


def test_half_a_pair_is_kept_and_told(home, tmp_path):
    pretrains.add([str(arrived(tmp_path / "page", "G_Titan.pth", checkpoint()))], home)
    assert base_pairs(home) == []
    assert [half.path.name for half in halves(home)] == ["G_Titan.pth"]


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("D_x.pth", b"<!DOCTYPE html><html>", "is a web page"), ("D_x.pth", b"", "is empty"), ("D_x.pth", b"\x89PNG....", "is no PyTorch file"),
    ("notes.txt", b"hello", "neither a .pth"), ("x.json", b'{"name": "x"}', "x.json is damaged")])
def test_what_is_no_pretrain_is_refused_and_nothing_is_kept(home, tmp_path, name, content, sentence):
    good = arrived(tmp_path / "page", "G_x.pth", checkpoint())
    with pytest.raises(FormatError, match=sentence):
        pretrains.add([str(good), str(arrived(tmp_path / "page", name, content))], home)
    assert not list(home.pretraineds.rglob("*.pth"))


def test_another_pretrain_of_that_name_is_never_written_over(home, tmp_path):
    pretrains.add([str(arrived(tmp_path / "page", "G_x.pth", checkpoint(seed=1)))], home)
    before = (home.custom_pretraineds / "G_x.pth").read_bytes()
    with pytest.raises(SettingsError, match="There is another"):
        pretrains.add([str(arrived(tmp_path / "page", "G_x.pth", checkpoint(seed=2)))], home)
    assert (home.custom_pretraineds / "G_x.pth").read_bytes() == before


def test_a_clip_to_listen_to_is_kept_once_and_beside_others_of_its_name(home, tmp_path):
    first, other = tmp_path / "a" / "song.wav", tmp_path / "b" / "song.wav"
    for file, content in ((first, b"one"), (other, b"two")):
        file.parent.mkdir()
        file.write_bytes(content)
    kept = [uploads.keep_clip(file, home) for file in (first, other, first)]
    assert [path.name for path in kept] == ["song.wav", "song-2.wav", "song.wav"]
    assert [path.read_bytes() for path in kept] == [b"one", b"two", b"one"]
    assert all(path.is_relative_to(home.outputs) for path in kept)
