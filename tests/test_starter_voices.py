"""The voices that come with the studio: listed after one's own, told apart from them, and restored when they are damaged."""

import pytest

from rvc.cli import main
from rvc.errors import EmbedderMismatchError, FormatError, MissingAssetError
from rvc.export import VoiceFacts, export_voice
from rvc.infer.converter import Converter
from rvc.models.config import config_for
from rvc.models.synthesizer import Synthesizer
from rvc.paths import Home, restored_by
from rvc.voices import VoiceLibrary
from tests.starter_kit import put_voice


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """A home with the voice lark in its starter kit; the one of the environment too."""
    monkeypatch.setenv("TIMBRE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TIMBRE_STARTER", str(tmp_path / "kit"))
    home = Home.here()
    home.logs.mkdir(parents=True)
    put_voice(home, "lark")
    return home


def put_own(home, name: str) -> None:
    path = home.logs / f"{name}.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def names(home) -> list[str]:
    return [entry.name for entry in VoiceLibrary(home).entries()]


def test_they_come_after_ones_own(home):
    put_own(home, "zoe/zoe_3e_9s")
    assert names(home) == ["zoe/zoe_3e_9s", "starter/lark"]


def test_they_are_found_by_their_name_and_read(home):
    library = VoiceLibrary(home)
    for asked in ("lark", "starter/lark", "starter/lark.pth"):
        assert library.find(asked).bundled
    assert library.read(library.find("lark")).embedder == "builtin"


def test_a_voice_of_ones_own_of_that_name_wins_and_the_other_is_still_there(home):
    put_own(home, "lark/lark")
    library = VoiceLibrary(home)
    assert not library.find("lark").bundled
    assert library.find("starter/lark").bundled
    assert names(home) == ["lark/lark", "starter/lark"]


def test_where_even_the_whole_name_is_the_same_only_ones_own_is_listed(home):
    put_own(home, "starter/lark")
    assert names(home) == ["starter/lark"]
    assert not VoiceLibrary(home).find("starter/lark").bundled


def test_an_index_a_card_and_a_sample_belong_to_it_where_they_are_there(home):
    folder = home.starter / "voices" / "lark"
    found = VoiceLibrary(home).find("lark")
    assert (found.index, found.card, found.sample) == (None, folder / "lark.md", None)
    for name in ("lark.index", "sample.flac"):
        (folder / name).touch()
    found = VoiceLibrary(home).find("lark")
    assert (found.index, found.sample) == (folder / "lark.index", folder / "sample.flac")


def test_a_voice_of_ones_own_has_no_card(home):
    put_own(home, "zoe/zoe")
    (home.logs / "zoe" / "zoe.md").write_text("Mine.")
    assert VoiceLibrary(home).find("zoe").card is None


def test_one_that_is_gone_is_named_with_what_restores_it(home):
    path = VoiceLibrary(home).find("lark").path
    path.unlink()
    assert names(home) == []
    with pytest.raises(MissingAssetError, match=r"lark\.pth.*is missing") as raised:
        VoiceLibrary(home).find("lark")
    assert raised.value.fix == restored_by(path)


def test_one_that_is_cut_off_is_named_with_what_restores_it(home):
    library = VoiceLibrary(home)
    found = library.find("lark")
    found.path.write_bytes(found.path.read_bytes()[:-5000])
    with pytest.raises(FormatError, match=r"lark\.pth") as raised:
        library.read(found)
    assert raised.value.fix == restored_by(found.path)


def test_a_damaged_voice_of_ones_own_is_nothing_that_a_checkout_restores(home):
    put_own(home, "zoe/zoe")
    library = VoiceLibrary(home)
    with pytest.raises(FormatError) as raised:
        library.read(library.find("zoe"))
    assert "git checkout" not in (raised.value.fix or "")


def test_one_of_another_encoder_is_refused_with_what_restores_it(home, monkeypatch):
    library = VoiceLibrary(home)
    found = library.find("lark")
    monkeypatch.setattr("rvc.embedders.registry.BUILTIN_CONTENT", "timbre-mini 0")
    config = config_for("v2", 24000, size="tiny", n_speakers=1)
    export_voice(Synthesizer(config), config, found.path, VoiceFacts(name="lark", embedder="builtin"))
    monkeypatch.undo()
    with pytest.raises(EmbedderMismatchError, match="another built-in encoder") as raised:
        Converter(home)._embedder_name(library.read(found), "auto")
    assert raised.value.fix == restored_by(found.path)


def test_a_damaged_index_of_one_is_named_with_what_restores_it(home):
    library = VoiceLibrary(home)
    found = library.find("lark")
    index = found.path.with_suffix(".index")
    index.write_bytes(b"no index")
    with pytest.raises(FormatError) as raised:
        Converter(home)._index(index, library.read(found))
    assert raised.value.fix == restored_by(index)


def test_the_list_says_where_they_come_from(home, capsys):
    put_own(home, "zoe/zoe_3e_9s")
    assert main(["voices"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == [["zoe/zoe_3e_9s", "zoe_3e_9s.pth", "–", "logs"], ["starter/lark", "lark.pth", "–", "Timbre"]]
