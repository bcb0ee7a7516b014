"""Which files a dataset is made of, who speaks in them, and when it counts as changed."""

import os
from pathlib import Path

import pytest

from rvc.errors import DatasetError
from rvc.train.recordings import Recordings, dataset_fingerprint


def dataset(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    return folder


def test_recordings_come_in_the_order_of_their_names(tmp_path):
    found = Recordings.find(dataset(tmp_path, "b.wav", "a.FLAC", "sub/c.mp3", "sub/a.m4a", "10.ogg", "9.wav"))
    assert [one.name for one in found.recordings] == ["10.ogg", "9.wav", "a.FLAC", "b.wav", "sub/a.m4a", "sub/c.mp3"]


def test_a_folder_named_by_a_number_is_a_speaker_at_any_depth(tmp_path):
    found = Recordings.find(dataset(tmp_path, "a.wav", "0/b.wav", "7/c.wav", "studio/12/d.wav", "7/loud/e.wav", "-3/f.wav", "1.5/g.wav"))
    assert {one.name: one.speaker_id for one in found.recordings} == {
        "a.wav": 0, "0/b.wav": 0, "7/c.wav": 7, "studio/12/d.wav": 12, "7/loud/e.wav": 0, "-3/f.wav": 0, "1.5/g.wav": 0}
    assert found.unnumbered_folders == ("-3", "1.5", "7/loud")
    assert found.speaker_names() == {0: tmp_path.name, 7: "7", 12: "12"}


def test_a_dataset_that_is_itself_a_number_has_the_speaker_zero(tmp_path):
    found = Recordings.find(dataset(tmp_path / "5", "a.wav"))
    assert found.recordings[0].speaker_id == 0
    assert not found.unnumbered_folders


def test_a_speaker_beyond_the_table_of_a_voice_is_refused(tmp_path):
    assert Recordings.find(dataset(tmp_path / "fits", "108/a.wav")).recordings[0].speaker_id == 108
    with pytest.raises(DatasetError, match="would be speaker 109"):
        Recordings.find(dataset(tmp_path / "exceeds", "109/a.wav"))


def test_a_single_file_is_a_dataset_whatever_its_ending(tmp_path):
    found = Recordings.find(dataset(tmp_path, "take.dat") / "take.dat")
    assert [(one.name, one.speaker_id) for one in found.recordings] == [("take.dat", 0)]
    assert found.speaker_names() == {0: "take"}


def test_other_files_are_named_and_hidden_ones_are_no_part_of_it(tmp_path):
    found = Recordings.find(dataset(tmp_path, "a.wav", "notes.txt", "._a.wav", ".cache/b.wav", "__MACOSX/._a.wav", "3/cover.jpg"))
    assert [one.name for one in found.recordings] == ["a.wav"]
    assert found.other_files == ("3/cover.jpg", "notes.txt")


@pytest.mark.parametrize("names", [[], ["notes.txt"], [".hidden.wav"], ["empty/inside/x.doc"]])
def test_a_dataset_without_audio_is_refused(tmp_path, names):
    with pytest.raises(DatasetError, match="holds no audio files") as caught:
        Recordings.find(dataset(tmp_path, *names))
    assert "flac" in caught.value.fix


def test_a_missing_dataset_is_refused(tmp_path):
    for look in (Recordings.find, dataset_fingerprint):
        with pytest.raises(DatasetError, match="There is no dataset"):
            look(tmp_path / "nowhere")


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    dataset(tmp_path / "elsewhere" / "4", "far.wav")
    home = dataset(tmp_path / "home", "near.wav")
    (home / "linked").symlink_to(tmp_path / "elsewhere")
    (home / "self").symlink_to(home)
    found = Recordings.find(home)
    assert {one.name: one.speaker_id for one in found.recordings} == {"near.wav": 0, "linked/4/far.wav": 4}


def test_the_fingerprint_changes_with_every_change_of_an_audio_file(tmp_path):
    folder = dataset(tmp_path, "a.wav", "1/b.wav")
    os.utime(folder / "a.wav", ns=(1, 1))
    marks = [dataset_fingerprint(folder)]

    def changed() -> bool:
        marks.append(dataset_fingerprint(folder))
        return marks[-1] not in marks[:-1]

    assert not changed()
    dataset(folder, "notes.txt")
    assert not changed(), "only audio counts"
    os.utime(folder / "a.wav", ns=(2, 2))
    assert changed(), "written to"
    (folder / "a.wav").write_bytes(b"sounds")
    os.utime(folder / "a.wav", ns=(2, 2))
    assert changed(), "another size"
    (folder / "a.wav").rename(folder / "c.wav")
    assert changed(), "renamed"
    (folder / "1").rename(folder / "2")
    assert changed(), "another speaker"
    dataset(folder, "d.wav")
    assert changed(), "added"
    (folder / "d.wav").unlink()
    assert dataset_fingerprint(folder) == marks[-2], "and back again"


def test_the_fingerprint_does_not_depend_on_where_the_dataset_lies(tmp_path):
    folders = [dataset(tmp_path / place, "a.wav", "1/b.wav") for place in ("here", "there")]
    for folder in folders:
        for name in ("a.wav", "1/b.wav"):
            os.utime(folder / name, ns=(5, 5))
    assert dataset_fingerprint(folders[0]) == dataset_fingerprint(folders[1])


def test_a_link_that_leads_nowhere_is_a_recording_that_will_be_named(tmp_path):
    folder = dataset(tmp_path, "a.wav")
    (folder / "b.wav").symlink_to(folder / "gone.wav")
    assert [one.name for one in Recordings.find(folder).recordings] == ["a.wav", "b.wav"]
    assert dataset_fingerprint(folder)
