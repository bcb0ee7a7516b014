"""Which files a dataset is made of, who speaks in them, and when it counts as changed."""

import os
from pathlib import Path

import pytest

from rvc.errors import DatasetError
from rvc.train.data.recordings import Recordings, dataset_fingerprint, names_to_choose, speaker_names


def dataset(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    return folder


def test_recordings_come_in_the_order_of_their_names(tmp_path):
    found = Recordings.find(dataset(tmp_path, "b.wav", "a.FLAC", "7/c.mp3", "7/a.m4a", "10.ogg", "9.wav"))
    assert [one.name for one in found.recordings] == ["10.ogg", "7/a.m4a", "7/c.mp3", "9.wav", "a.FLAC", "b.wav"]


def speakers(folder: Path) -> dict[str, int]:
    return {one.name: one.speaker_id for one in Recordings.find(folder).recordings}


def test_numbered_folders_are_the_speakers_with_those_numbers(tmp_path):
    folder = dataset(tmp_path, "a.wav", "0/b.wav", "7/c.wav", "7/loud/3/e.wav", "012/d.wav")
    assert speakers(folder) == {"a.wav": 0, "0/b.wav": 0, "7/c.wav": 7, "7/loud/3/e.wav": 7, "012/d.wav": 12}
    found = Recordings.find(folder)
    assert found.speaker_names == {0: tmp_path.name, 7: "7", 12: "012"}
    assert found.remarks == ("Recordings beside the numbered folders belong to speaker 0: a.wav.",)


def test_named_folders_are_numbered_in_the_order_of_the_alphabet(tmp_path):
    folder = dataset(tmp_path, "ben/b.wav", "Ana/takes/2/a.wav", "Ana/c.flac", "Zoë Müller/d.wav", "-3/e.wav", "dora/notes.txt",
                     "dora/x.wav")
    assert Recordings.find(folder).speaker_names == {0: "-3", 1: "Ana", 2: "ben", 3: "dora", 4: "Zoë Müller"}
    assert speakers(folder) == {"-3/e.wav": 0, "Ana/takes/2/a.wav": 1, "Ana/c.flac": 1, "ben/b.wav": 2, "dora/x.wav": 3,
                                "Zoë Müller/d.wav": 4}


@pytest.mark.parametrize("names", [("0/a.wav", "ben/b.wav"), ("a.wav", "0/b.wav", "ben/c.wav"), ("a.wav", "monday/b.wav")])
def test_where_it_is_unclear_whose_voice_a_file_is_nothing_is_guessed(tmp_path, names):
    with pytest.raises(DatasetError, match="unclear") as caught:
        Recordings.find(dataset(tmp_path, *names))
    assert caught.value.fix
    assert dataset_fingerprint(tmp_path), "a run that has its clips goes on with them"


@pytest.mark.parametrize("silent", ["cleo", "cleo/inside", "2"])
def test_a_speaker_folder_without_audio_is_refused_by_its_name(tmp_path, silent):
    numbered = silent == "2"
    dataset(tmp_path, *(("0/a.wav", "1/b.wav") if numbered else ("ana/a.wav", "ben/b.wav")))
    dataset(tmp_path, f"{silent}/notes.txt")
    with pytest.raises(DatasetError, match=f"speaker folder {silent.split('/')[0]} holds no audio"):
        Recordings.find(tmp_path)


def test_folders_of_systems_and_hidden_ones_are_no_speakers(tmp_path):
    folder = dataset(tmp_path, "ana/a.wav", "ben/b.wav", ".git/c.wav", "__MACOSX/ana/d.wav", "@eaDir/e.wav", "ana/.cache/f.wav")
    (folder / "$RECYCLE.BIN").mkdir()
    assert set(speakers(folder)) == {"ana/a.wav", "ben/b.wav"}


def test_a_folder_of_notes_beside_recordings_is_no_speaker(tmp_path):
    assert speakers(dataset(tmp_path / "data", "a.wav", "notes/b.txt")) == {"a.wav": 0}
    with pytest.raises(DatasetError, match="speaker folder 1 "):
        Recordings.find(dataset(tmp_path / "numbered", "a.wav", "1/b.txt"))


def test_speakers_one_level_too_deep_are_one_and_that_is_said(tmp_path):
    found = Recordings.find(dataset(tmp_path, "wavs/0/a.wav", "wavs/1/b.wav"))
    assert found.speaker_names == {0: "wavs"}
    assert "choose wavs itself" in found.remarks[0]
    assert not Recordings.find(dataset(tmp_path / "two", "ana/x/a.wav", "ana/y/b.wav", "ben/c.wav")).remarks


def test_more_named_speakers_than_a_voice_has_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="would be speaker 109"):
        Recordings.find(dataset(tmp_path, *(f"speaker {i:03}/a.wav" for i in range(110))))


ODD = ["blank name ", " leading", "名前", "a'b\"c", "..wav", "<b>", "%s{}", "-", "x" * 200, "e\u0301", "new\nline"]


def test_odd_names_are_names_like_others(tmp_path):
    folder = dataset(tmp_path, *(f"{name}/{name}.wav" for name in ODD if not name.startswith(".")), *(f"-/..{name}.wav" for name in ODD))
    found = Recordings.find(folder)
    assert set(found.speaker_names.values()) == {name for name in ODD if not name.startswith(".")}
    assert sorted(found.speaker_names) == list(range(len(ODD) - 1))
    assert len(found.recordings) == len(ODD) - 1, "files that begin with a dot are hidden ones"


def test_names_that_are_no_text_can_still_be_written_down(tmp_path):
    (tmp_path / os.fsdecode(b"\xff\xfe")).mkdir()
    (tmp_path / os.fsdecode(b"\xff\xfe") / os.fsdecode(b"\xf0.wav")).write_bytes(b"sound")
    dataset(tmp_path, "ana/a.wav")
    found = Recordings.find(tmp_path)
    for text in (*found.speaker_names.values(), *(one.name for one in found.recordings)):
        text.encode()
    assert dataset_fingerprint(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    dataset(tmp_path, "ana/a.wav", "ben/b.wav")
    scan = os.scandir

    def refusing(path):
        if os.fspath(path).endswith("ben"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DatasetError, match="ben cannot be read: Permission denied"):
        Recordings.find(tmp_path)


def test_a_dataset_that_is_itself_a_number_has_the_speaker_zero(tmp_path):
    found = Recordings.find(dataset(tmp_path / "5", "a.wav"))
    assert found.recordings[0].speaker_id == 0
    assert not found.remarks


def test_a_speaker_beyond_the_table_of_a_voice_is_refused(tmp_path):
    assert Recordings.find(dataset(tmp_path / "fits", "108/a.wav")).recordings[0].speaker_id == 108
    with pytest.raises(DatasetError, match="would be speaker 109"):
        Recordings.find(dataset(tmp_path / "exceeds", "109/a.wav"))


def test_a_single_file_is_a_dataset_whatever_its_ending(tmp_path):
    found = Recordings.find(dataset(tmp_path, "take.dat") / "take.dat")
    assert [(one.name, one.speaker_id) for one in found.recordings] == [("take.dat", 0)]
    assert found.speaker_names == {0: "take"}


def test_other_files_are_named_and_hidden_ones_are_no_part_of_it(tmp_path):
    found = Recordings.find(dataset(tmp_path, "a.wav", "notes.txt", "._a.wav", ".cache/b.wav", "__MACOSX/._a.wav", "art/cover.jpg"))
    assert [one.name for one in found.recordings] == ["a.wav"]
    assert found.other_files == ("art/cover.jpg", "notes.txt")


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
    dataset(tmp_path / "elsewhere", "far.wav")
    home = dataset(tmp_path / "home", "near.wav")
    (home / "4").symlink_to(tmp_path / "elsewhere")
    (home / "self").symlink_to(home)
    found = Recordings.find(home)
    assert {one.name: one.speaker_id for one in found.recordings} == {"near.wav": 0, "4/far.wav": 4}


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


# -- what a run knows ------------------------------------------------------------------------------------------------------------


def test_a_run_names_several_speakers_and_leaves_one_alone(tiny_run):
    run = tiny_run()
    assert names_to_choose(run) == {}
    run.record("preprocess", "mark", {"speakers": {0: {"name": "ana"}}})
    assert (speaker_names(run), names_to_choose(run)) == ({0: "ana"}, {})
    run.record("preprocess", "mark", {"speakers": {0: {"name": "ana"}, 7: {"name": "ben"}}})
    assert names_to_choose(run) == {0: "ana", 7: "ben"}


def test_a_run_of_an_earlier_version_names_nobody(tiny_run):
    run = tiny_run()
    run.record("preprocess", "mark", {"clips": 12})
    assert speaker_names(run) == names_to_choose(run) == {}
