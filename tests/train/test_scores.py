"""Scores of a saved epoch: means over what there is, a file that is read back as it was written, and a damaged one that is told."""

import json

import pytest

from rvc.errors import FormatError
from rvc.train.listening.scores import ClipScores, EpochScores


def clip(name: str = "0_1_0", mel: float = 0.5, cents: float | None = 10.0, agreement: float | None = 0.9) -> ClipScores:
    return ClipScores(clip=name, speaker_id=0, seconds=2.5, mel_distance=mel, f0_error_cents=cents, voiced_agreement=agreement)


def test_means_are_over_the_clips_that_have_the_number():
    scores = EpochScores(3, 90, (clip(mel=0.4, cents=None), clip("0_2_0", mel=0.8, cents=7.0)))
    assert scores.means == pytest.approx({"mel_distance": 0.6, "f0_error_cents": 7.0, "voiced_agreement": 0.9})


def test_a_name_that_no_clip_has_is_missing_among_the_means():
    assert EpochScores(3, 90, (clip(cents=None, agreement=None),)).means == {"mel_distance": 0.5}


def test_scores_are_read_as_they_were_written(tmp_path):
    scores = EpochScores(3, 90, (clip(cents=None), clip("0_2_0")))
    scores.write(tmp_path / "eval" / "3e_90s.json")
    assert EpochScores.read(tmp_path / "eval" / "3e_90s.json") == scores
    assert json.loads((tmp_path / "eval" / "3e_90s.json").read_text())["scores"] == scores.means


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_not_a_number_is_refused(value):
    with pytest.raises(ValueError, match="not all numbers"):
        clip(mel=value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"epoch": 1}', '{"epoch": 1, "step": 2, "clips": [{"clip": "a"}]}', '"\udcff"',
                                  json.dumps({"epoch": 1, "step": 2, "clips": [{**vars(clip()), "mel_distance": "much"}]})])
def test_a_damaged_file_is_told(tmp_path, text):
    (tmp_path / "1e_2s.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match="The scores in 1e_2s"):
        EpochScores.read(tmp_path / "1e_2s.json")
