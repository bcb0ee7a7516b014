"""The list of clips as a file, and the order in which an epoch goes through them."""

from collections import Counter

import numpy as np
import pytest
import soundfile

from rvc.errors import FormatError
from rvc.train.data.clips import Clip, ClipList, ClipSampler

CLIPS = ClipList((Clip("0_0_0", 0, 3.0, 300), Clip("0_0_1", 0, 1.2345, 123), Clip("7_12_3", 7, 0.4, 40)))


def test_a_list_that_was_written_reads_back_the_same(tmp_path):
    CLIPS.write(tmp_path / "filelist.csv")
    assert ClipList.read(tmp_path / "filelist.csv") == CLIPS
    lines = (tmp_path / "filelist.csv").read_text().splitlines()
    assert lines[:2] == ["clip,speaker_id,seconds,frames", "0_0_0,0,3.0,300"]


def test_a_list_knows_its_length_and_its_speakers():
    assert len(CLIPS) == 3
    assert [clip.name for clip in CLIPS] == ["0_0_0", "0_0_1", "7_12_3"]
    assert CLIPS.seconds == pytest.approx(4.6345)
    assert CLIPS.speaker_ids == (0, 7)


@pytest.mark.parametrize("rate", [24_000, 32_000, 40_000, 48_000])
def test_a_list_of_a_folder_takes_lengths_from_headers_whatever_the_samples_are_stored_as(tmp_path, rate):
    for name, subtype, n_samples in (("0_0_0", "FLOAT", 3 * rate), ("2_5_11", "PCM_16", rate // 2 + 7), ("0_0_1", "PCM_24", rate)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(n_samples), rate, subtype=subtype)
    soundfile.write(tmp_path / "notes from elsewhere.wav", np.zeros(rate), rate)
    found = ClipList.from_folder(tmp_path, leave_out={"0_0_1": "its pitch is not finite"})
    assert [(clip.name, clip.speaker_id, clip.frames) for clip in found] == [("0_0_0", 0, 300), ("2_5_11", 2, 50)]
    assert found.clips[1].seconds == pytest.approx(0.5 + 7 / rate)


def test_a_damaged_clip_is_named(tmp_path):
    (tmp_path / "0_0_0.wav").write_bytes(b"RIFF....")
    with pytest.raises(FormatError, match=r"0_0_0\.wav"):
        ClipList.from_folder(tmp_path)


def test_a_missing_list_is_an_error_with_a_fix(tmp_path):
    with pytest.raises(FormatError, match="no list of clips") as caught:
        ClipList.read(tmp_path / "filelist.csv")
    assert caught.value.fix


@pytest.mark.parametrize("text", ["", "a|b|c|d|0\n", "clip,speaker_id,seconds\n0_0_0,0,3.0\n", "\x00\x01\xff"])
def test_another_kind_of_list_is_refused(tmp_path, text):
    (tmp_path / "filelist.csv").write_text(text, encoding="latin-1")
    with pytest.raises(FormatError, match="not a list of clips"):
        ClipList.read(tmp_path / "filelist.csv")


@pytest.mark.parametrize("row", ["0_0_1,zero,3.0,300", "0_0_1,0,3.0", "0_0_1,0,,300", "0_0_1,0,3.0,30\xff"])
def test_a_damaged_line_is_named(tmp_path, row):
    (tmp_path / "filelist.csv").write_text(f"clip,speaker_id,seconds,frames\n0_0_0,0,3.0,300\n{row}\n", encoding="latin-1")
    with pytest.raises(FormatError, match="line 3"):
        ClipList.read(tmp_path / "filelist.csv")


LENGTHS = {
    "every length from the shortest clip to the longest": list(range(40, 331)),
    "mostly whole slices": [300] * 97 + [45, 61, 330, 128, 299],
    "slices of eight seconds": np.random.default_rng(0).integers(40, 851, 500).tolist(),
    "one clip": [300],
    "none": [],
}


@pytest.mark.parametrize("batch_size", [1, 3, 4, 8, 64])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_every_clip_is_in_every_epoch_exactly_once(lengths, batch_size):
    sampler = ClipSampler(lengths, batch_size, seed=1234)
    for number in range(4):
        epoch = sampler.epoch(number)
        assert Counter(i for batch in epoch for i in batch) == Counter(range(len(lengths)))
        assert len(epoch) == sampler.batches_per_epoch
        sizes = Counter(map(len, epoch))
        assert sizes[batch_size] >= len(epoch) - 1, "one batch at most is smaller"


def test_batches_are_made_of_similar_lengths():
    lengths = np.random.default_rng(0).integers(40, 331, 1000)
    padding = {}
    for name, batches in (("ours", ClipSampler(lengths.tolist(), 8, seed=0).epoch(0)),
                          ("shuffled", np.random.default_rng(0).permutation(1000).reshape(-1, 8))):
        padding[name] = sum(lengths[batch].max() * len(batch) for batch in batches) / lengths.sum() - 1
    assert padding["ours"] < 0.15 < padding["shuffled"]


def test_the_order_depends_on_the_seed_and_the_epoch_alone():
    lengths = LENGTHS["slices of eight seconds"]
    first = ClipSampler(lengths, 4, seed=5)
    second = ClipSampler(list(lengths), 4, seed=5)
    second.epoch(0)
    assert first.epoch(3) == second.epoch(3)
    assert first.epoch(3) != first.epoch(4)
    assert first.epoch(3) != ClipSampler(lengths, 4, seed=6).epoch(3)


def test_short_and_long_batches_come_in_turns_and_neighbours_change():
    lengths = [50] * 40 + [300] * 40
    sampler = ClipSampler(lengths, 4, seed=0)
    firsts = [lengths[batch[0]] for batch in sampler.epoch(0)]
    assert firsts not in (sorted(firsts), sorted(firsts, reverse=True))
    assert {frozenset(batch) for batch in sampler.epoch(0)} != {frozenset(batch) for batch in sampler.epoch(1)}
