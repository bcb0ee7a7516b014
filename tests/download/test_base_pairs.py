import errno
import json
import shutil

import pytest

from rvc.download import pairs as module
from rvc.download import sidecar
from rvc.download.pairs import base_pairs, halves, import_pair, new_pair
from rvc.download.sidecar import Network, Sidecar
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


# -- the JSON beside a pair ------------------------------------------------------------------------------------------------------

ABOUT = {"name": "made", "sample_rate": 32000, "version": "v2", "pitch_guidance": True, "vocoder": "RefineGAN", "embedder": "spin",
         "model_size": "standard", "hours": 51.5, "speakers": 12, "steps": 900, "epochs": 30, "started_from": "scratch",
         "datasets": ["vöices"], "created": "2026-01-01T00:00:00+00:00", "sha256": {"G": "aa", "D": "bb"}}


def describe(home, text, name="made") -> None:
    put(home, f"G_{name}", f"D_{name}")
    (home.custom_pretraineds / f"{name}.json").write_text(text, encoding="utf-8")


def test_a_json_comes_back_as_it_was_written(tmp_path):
    about = Sidecar.model_validate(ABOUT)
    (tmp_path / "made.json").write_text(about.text(), encoding="utf-8")
    assert sidecar.read(tmp_path / "made.json") == about
    assert {name: json.loads(about.text())[name] for name in ABOUT} == ABOUT


def test_the_json_beside_a_pair_says_what_it_is(home):
    describe(home, Sidecar.model_validate(ABOUT).text())
    (pair,) = base_pairs(home)
    assert pair.network == Network(32000, "v2", True, "RefineGAN", "spin", "standard")
    assert (pair.sidecar.hours, pair.sidecar.speakers, pair.complaint) == (51.5, 12, "")


@pytest.mark.parametrize("text", [
    "", "{", "[]", "null", "[" * 100_000, "{}",
    json.dumps({**ABOUT, "sample_rate": "32k"}), json.dumps({**ABOUT, "hours": -1}), json.dumps({**ABOUT, "sha256": {"G": 3}}),
    json.dumps({**ABOUT, "format": 99}), json.dumps({**ABOUT, "datasets": "x"}),
    json.dumps({name: value for name, value in ABOUT.items() if name != "vocoder"})])
def test_a_damaged_json_is_told_and_the_pair_counts_as_one_without(home, text):
    describe(home, text, "mine_40k")
    (pair,) = base_pairs(home)
    assert (pair.sidecar, pair.network) == (None, Network(sample_rate=40000))
    assert pair.complaint.startswith("mine_40k.json is damaged: ")
    assert "\n" not in pair.complaint


def test_entries_of_a_later_version_are_passed_over(home):
    describe(home, json.dumps({**ABOUT, "mood": "sunny"}))
    assert base_pairs(home)[0].sidecar == Sidecar.model_validate(ABOUT)


def test_a_json_belongs_to_the_files_that_begin_with_their_letter_and_to_no_others(home):
    describe(home, Sidecar.model_validate(ABOUT).text())
    put(home, "made_G", "made_D")
    assert [(pair.name, pair.sidecar is not None) for pair in base_pairs(home)] == [("G_made", True), ("made_G", False)]


def test_an_imported_pair_brings_its_json_along_under_its_new_name(home, tmp_path):
    for letter in "GD":
        (tmp_path / f"{letter}_made.pth").write_bytes(checkpoint())
    (tmp_path / "made.json").write_text(Sidecar.model_validate(ABOUT).text(), encoding="utf-8")
    pair = import_pair(tmp_path / "G_made.pth", tmp_path / "D_made.pth", home, "renamed")
    assert pair.sidecar == Sidecar.model_validate({**ABOUT, "name": "renamed"})
    assert base_pairs(home) == [pair]


# -- halves, and halves of two models --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("there", "lacking", "name"), [
    ("G_x", "D_x.pth", "x"), ("D_x", "G_x.pth", "x"), ("Snowie_32k_G", "Snowie_32k_D.pth", "Snowie_32k"),
    ("f0G40kTitan", "f0D40kTitan.pth", "f0_40kTitan"), ("mine_generator_40k", "mine_D_40k.pth", "mine_40k")])
def test_the_missing_half_is_named_as_it_would_be_found(home, there, lacking, name):
    put(home, there)
    (half,) = halves(home)
    assert (half.name, half.path.stem, half.lacking.name) == (name, there, lacking)
    assert half.sentence == f"There is {there}.pth but no {lacking} in pretraineds_custom."
    put(home, lacking.removesuffix(".pth"))
    assert halves(home) == []
    assert [pair.name for pair in base_pairs(home)] == [name]


def test_a_file_that_says_neither_letter_and_one_that_is_being_written_are_no_pair(home):
    put(home, "some_pretrain", ".G_x.pth.abc.part")
    (half,) = halves(home)
    assert half.lacking is None
    assert half.sentence == "The name of some_pretrain.pth says neither G nor D."


@pytest.mark.parametrize(("g", "d"), [("G_Titan", "D_Snowie"), ("G_2000", "D_3000"), ("f0G40k", "f0D48k"), ("Titan 48k gen", "x_D_32000")])
def test_files_of_two_models_are_refused_by_their_names(home, tmp_path, g, d):
    for name in (g, d):
        (tmp_path / f"{name}.pth").write_bytes(checkpoint())
    with pytest.raises(FormatError, match=rf"{g}\.pth and {d}\.pth are of two models"):
        import_pair(tmp_path / f"{g}.pth", tmp_path / f"{d}.pth", home, "mine")
    assert not home.custom_pretraineds.exists()


@pytest.mark.parametrize(("name", "better"), [("x_", "x"), ("(x)", "x"), ("my generator", "my G")])
def test_a_name_under_which_a_pair_would_not_be_found_is_refused_with_a_better_one(home, name, better):
    with pytest.raises(SettingsError) as raised:
        new_pair(home, name)
    assert repr(better) in raised.value.fix
    new_pair(home, better)


@pytest.mark.parametrize("there", ["G_x.pth", "D_x.pth", "x.json"])
def test_a_new_pair_takes_the_place_of_no_file(home, there):
    home.custom_pretraineds.mkdir(parents=True)
    (home.custom_pretraineds / there).touch()
    with pytest.raises(SettingsError, match="already"):
        new_pair(home, "x")
