"""Clips as batches: shared out, divided, read ahead, and kept."""

import pytest
import torch

from rvc.models.config import config_for
from rvc.train.data.clips import ClipList, ClipSampler
from rvc.train.fitting.dataset import ClipDataset, Part, collate, parts, read_ahead
from rvc.train.fitting.ranks import Ranks

CPU = torch.device("cpu")


@pytest.fixture
def dataset(tiny_run) -> ClipDataset:
    run = tiny_run()
    return ClipDataset(run, config_for("v2", 24_000, size="tiny"), list(ClipList.read(run.filelist)))


def sampler(dataset: ClipDataset, batch_size: int = 2) -> ClipSampler:
    return ClipSampler([clip.frames for clip in dataset.clips], batch_size, seed=1)


def rank(index: int, count: int) -> Ranks:
    one = Ranks()
    one.index, one.count = index, count
    return one


def names(some: list[Part]) -> list[list[float]]:
    """A batch as the loudness of its clips: what tells them apart."""
    return [[float(item.audio.square().sum()) for item in part.items] for part in some]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_shares_of_all_processes_are_the_batch(dataset, count):
    whole = list(parts(dataset, sampler(dataset, 4), 0, 0))
    shares = [list(parts(dataset, sampler(dataset, 4), 0, 0, rank(index, count))) for index in range(count)]
    for number, batch in enumerate(whole):
        mine = [share[number] for share in shares]
        assert sorted(place for one in mine for place in one.places) == list(batch.places)
        assert {(one.n_clips, one.n_frames) for one in mine} == {(batch.n_clips, batch.n_frames)}
        assert sum(sum(one.frames) for one in mine) == batch.n_frames


def test_parts_keep_the_place_of_each_clip_and_the_size_of_the_whole(dataset):
    batch = next(one for one in parts(dataset, sampler(dataset, 4), 0, 0) if len(one) == 4)
    divided = list(batch.parts(3))
    assert [one.places for one in divided] == [(0, 1, 2), (3,)]
    assert {(one.n_clips, one.n_frames) for one in divided} == {(4, sum(batch.frames))}


def test_a_clip_knows_its_frames_before_it_is_read(dataset):
    assert [dataset.frames(i) for i in range(len(dataset))] == [dataset[i].spec.shape[-1] for i in range(len(dataset))]


def test_reading_ahead_gives_the_same_batches_in_order(dataset):
    expected = names(list(parts(dataset, sampler(dataset), 3, 1)))
    assert names(list(read_ahead(parts(dataset, sampler(dataset), 3, 1), CPU))) == expected


def test_reading_ahead_can_be_left_and_tells_what_went_wrong(dataset):
    ahead = read_ahead(parts(dataset, sampler(dataset), 0, 0), CPU)
    next(ahead)
    ahead.close()

    def broken():
        yield from parts(dataset, sampler(dataset), 0, 2)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        list(read_ahead(broken(), CPU))


def test_padding_is_zero_and_clips_side_by_side_are_themselves(dataset):
    short, long = sorted((dataset[0], dataset[4]), key=lambda one: one.spec.shape[-1])
    both = collate([short, long])
    frames = short.spec.shape[-1]
    assert torch.equal(both.spec[0, :, :frames], short.spec[0])
    assert both.spec[0, :, frames:].abs().sum() == both.audio[0, :, short.audio.shape[-1]:].abs().sum() == 0
    assert torch.equal(both.audio[1], long.audio[0])


def test_what_does_not_fit_into_the_memory_is_read_again(dataset):
    dataset._budget_bytes = 0
    first, again = dataset[0], dataset[0]
    assert first is not again
    assert torch.equal(first.audio, again.audio)
