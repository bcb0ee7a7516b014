"""Speakers by name: in the voice file, read with torch and without it, and where nothing may be run."""

import pickle
import subprocess
import sys
import zipfile

import pytest
import torch

from rvc.errors import SettingsError
from rvc.export import VoiceFacts, export_voice
from rvc.infer.converter import speaker_of
from rvc.infer.settings import ConversionSettings
from rvc.models.config import config_for
from rvc.models.synthesizer import Synthesizer
from rvc.paths import PROJECT
from rvc.voices import VoiceModel
from rvc.voices.speakers import speakers_of

NAMES = {0: "Ana", 1: "ben", 2: "Zoë Müller", 7: "7", 8: "ANA"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.manual_seed(0)
    config = config_for("v2", 24000, size="tiny", n_speakers=12)
    path = tmp_path_factory.mktemp("voices") / "duo.pth"
    export_voice(Synthesizer(config), config, path, VoiceFacts(name="duo", n_speakers=9, speakers=NAMES))
    return path


def test_names_survive_the_file_and_are_plain_values_in_it(path):
    assert VoiceModel.read(path).speakers == NAMES
    assert VoiceModel.read(path).as_dict()["speakers"] == NAMES
    assert torch.load(path, weights_only=True)["speakers"] == NAMES


def test_names_are_read_without_torch(path):
    assert speakers_of(path) == NAMES
    program = f"import sys; from pathlib import Path; from rvc.voices.speakers import speakers_of; " \
              f"print(len(speakers_of(Path({str(path)!r}))), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(NAMES)), "False"]


@pytest.mark.parametrize("value", [None, [1, 2], "ana", {"a": 1}, {0: 3}, {-1: "x"}, {True: "x"}, {0: ""}, {"0": "Ana"}])
def test_what_other_programs_keep_under_the_key_is_passed_over(tmp_path, path, value):
    content = torch.load(path, weights_only=True) | {"speakers": value}
    torch.save(content, tmp_path / "other.pth")
    assert VoiceModel.read(tmp_path / "other.pth").speakers == {}
    assert speakers_of(tmp_path / "other.pth") == {}


class _Harm:
    def __init__(self, proof) -> None:
        self.proof = proof

    def __reduce__(self):
        return (open, (str(self.proof), "w"))


def test_a_file_that_wants_to_run_something_runs_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "evil.pth", "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps({"harm": _Harm(tmp_path / "proof"), "speakers": {0: "Ana"}}))
    assert speakers_of(tmp_path / "evil.pth") == {0: "Ana"}
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q\x00.", b"text"])
def test_a_file_that_is_no_voice_names_nobody(tmp_path, content):
    (tmp_path / "x.pth").write_bytes(content)
    assert speakers_of(tmp_path / "x.pth") == {}
    assert speakers_of(tmp_path / "gone.pth") == {}
    with zipfile.ZipFile(tmp_path / "y.pth", "w") as archive:
        archive.writestr("y/data.pkl", content)
    assert speakers_of(tmp_path / "y.pth") == {}


@pytest.mark.parametrize(("asked", "number"), [
    ("Ana", 0), ("ANA", 8), ("aNa", 0), (" ben ", 1), ("zoë müller", 2), ("7", 7), ("3", 3), ("", 5), ("  ", 5)])
def test_a_speaker_is_found_by_name_or_number(path, asked, number):
    assert speaker_of(VoiceModel.read(path), ConversionSettings(speaker=asked, speaker_id=5)) == number


def test_an_unknown_speaker_is_refused_with_the_nearest_name(path):
    voice = VoiceModel.read(path)
    with pytest.raises(SettingsError, match="no speaker 'bne'") as caught:
        speaker_of(voice, ConversionSettings(speaker="bne"))
    assert caught.value.fix == "Did you mean 'ben'?"
    with pytest.raises(SettingsError, match="no speaker '-1'") as caught:
        speaker_of(voice, ConversionSettings(speaker="-1"))
    assert "Ana, ben, Zoë Müller" in caught.value.fix
    with pytest.raises(SettingsError, match=r"speaker must be between 0 and 11 .* 12 is not"):
        speaker_of(voice, ConversionSettings(speaker="12"))
    with pytest.raises(SettingsError, match="speaker_id must be between 0 and 11"):
        speaker_of(voice, ConversionSettings(speaker_id=12))


def test_a_voice_without_names_says_so(path):
    from dataclasses import replace

    with pytest.raises(SettingsError, match="does not say what its speakers are called") as caught:
        speaker_of(replace(VoiceModel.read(path), speakers={}), ConversionSettings(speaker="ana"))
    assert "speaker_id" in caught.value.fix
