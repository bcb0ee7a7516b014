import errno
import shutil

import pytest

from rvc.download import pairs as module
from rvc.download.pairs import base_pairs, import_pair
from rvc.errors import FormatError, SettingsError, StorageError
from tests.download.files import checkpoint


def put(home, *names) -> None:
    for name in names:
        path = home.custom_pretraineds / f"{name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(home) -> list[tuple[str, str, str]]:
    return [(pair.name, pair.g_path.stem, pair.d_path.stem) for pair in base_pairs(home)]


@pytest.mark.parametrize(("g", "d", "name", "rate", "pitch"), [
    ("f0G40k", "f0D40k", "f0_40k", 40000, True),
    ("G_Titan", "D_Titan", "Titan", None, None),
    ("Snowie_32k_G", "Snowie_32k_D", "Snowie_32k", 32000, None),
    ("G-f048k-TITAN-Medium", "D-f048k-TITAN-Medium", "f048k-TITAN-Medium", 48000, True),
    ("f0Ov2SuperG", "f0Ov2SuperD", "f0Ov2Super", None, True),
    ("KLM4.1_G_48k", "KLM4.1_D_48k", "KLM4.1_48k", 48000, None),
    ("f0G32k-GoodDog", "f0D32k-GoodDog", "f0_32k-GoodDog", 32000, True),
    ("mine_generator_44000", "mine_discriminator_44000", "mine_44000", None, None),
    ("Ü g 24000", "Ü d 24000", "Ü_24000", 24000, None),
    ("G", "D", "pair", None, None),
])
def test_names_that_differ_in_g_against_d_are_a_pair(home, g, d, name, rate, pitch):
    put(home, g, d, "unrelated")
    (pair,) = base_pairs(home)
    assert (pair.name, pair.g_path.stem, pair.d_path.stem) == (name, g, d)
    assert (pair.sample_rate, pair.pitch_guidance, pair.version, pair.source) == (rate, pitch, None, "custom")


def test_half_a_pair_is_none(home):
    put(home, "G_a", "f0D40k", "GoodGuy")
    assert base_pairs(home) == []


def test_letters_that_stand_alone_win_and_no_file_is_in_two_pairs(home):
    put(home, "G_MyG", "D_MyG", "G_MyD", "D_MyD")
    assert found(home) == [("MyD", "G_MyD", "D_MyD"), ("MyG", "G_MyG", "D_MyG")]


def test_sub_folders_belong_to_the_name(home):
    put(home, "a/G_x", "a/D_x", "b/G_x", "b/D_x", "G_x", "c/D_x")
    assert [name for name, _, _ in found(home)] == ["a/x", "b/x"]


def test_two_pairs_of_one_name_are_told_apart_by_their_files(home):
    put(home, "G_x", "D_x", "x_G", "x_D")
    assert sorted(found(home)) == [("G_x", "G_x", "D_x"), ("x_G", "x_G", "x_D")]


def test_an_official_pair_needs_both_files(home):
    folder = home.pretraineds / "hifi-gan"
    folder.mkdir(parents=True)
    (folder / "f0G40k.pth").touch()
    assert base_pairs(home) == []
    (folder / "f0D40k.pth").touch()
    (pair,) = base_pairs(home)
    assert (pair.name, pair.sample_rate, pair.version, pair.pitch_guidance, pair.source) == ("v2-f0-40k", 40000, "v2", True, "official")


def test_a_home_without_folders_has_no_pairs(home):
    assert base_pairs(home) == []


@pytest.fixture
def files(tmp_path):
    g, d = tmp_path / "some generator.pth", tmp_path / "other.pth"
    g.write_bytes(checkpoint(seed=1))
    d.write_bytes(checkpoint(seed=2))
    return g, d


def test_an_imported_pair_is_copied_and_found_under_its_name(home, files):
    pair = import_pair(*files, home, " Gold & Dust 40k ")
    assert base_pairs(home) == [pair]
    assert (pair.name, pair.sample_rate, pair.source) == ("Gold & Dust 40k", 40000, "custom")
    assert (pair.g_path.read_bytes(), pair.d_path.read_bytes()) == tuple(path.read_bytes() for path in files)
    assert all(path.exists() for path in files)


@pytest.mark.parametrize("name", ["", "a/b", "auto", "scratch", "v2-f0-40k", "G_x"])
def test_a_name_that_cannot_be_is_refused_and_nothing_is_copied(home, files, name):
    with pytest.raises(SettingsError):
        import_pair(*files, home, name)
    assert not home.custom_pretraineds.exists()


def test_a_name_that_is_taken_is_refused_and_the_old_pair_is_untouched(home, files):
    pair = import_pair(*files, home, "mine")
    before = pair.g_path.read_bytes()
    with pytest.raises(SettingsError, match="already"):
        import_pair(*reversed(files), home, "mine")
    assert pair.g_path.read_bytes() == before


def test_files_that_are_no_checkpoints_are_refused_and_nothing_is_copied(home, files):
    g, d = files
    with pytest.raises(SettingsError, match="same file"):
        import_pair(g, g, home, "mine")
    with pytest.raises(FormatError, match="does not exist"):
        import_pair(g, d.with_name("gone.pth"), home, "mine")
    d.write_bytes(d.read_bytes()[:5000])
    with pytest.raises(FormatError, match="cut off"):
        import_pair(g, d, home, "mine")
    assert not home.custom_pretraineds.exists()


def test_a_disk_that_fills_up_leaves_no_half_pair(home, files, monkeypatch):
    real = shutil.copyfile

    def full_at_the_second(source, target):
        if source == files[1]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target)

    monkeypatch.setattr(module.shutil, "copyfile", full_at_the_second)
    with pytest.raises(StorageError, match="disk is full"):
        import_pair(*files, home, "mine")
    assert list(home.custom_pretraineds.iterdir()) == []
