"""Cuts against the reference, and that nothing audible is lost."""

from pathlib import Path

import numpy as np
import pytest

from rvc.train.data.slicer import SHORTEST_SECONDS, SILENT, TOO_SHORT, Slicer, Span, gaps, slices
from rvc.train.settings import DataSettings

GOLDEN = Path(__file__).resolve().parent.parent / "data" / "golden" / "slicer.npz"
RATE = 16_000
SHORTEST = round(SHORTEST_SECONDS * RATE)


def patterned(random: np.random.Generator, *, stretches: int = 12) -> np.ndarray:
    """Loud and silent stretches of random length by turns."""
    parts = []
    for loud in np.arange(stretches) % 2 == random.integers(2):
        seconds = random.choice([0.02, 0.1, 0.3, 0.45, 0.6, 0.9, 1.2, 2.0, 4.5]) * random.uniform(0.8, 1.2)
        parts.append((0.3 if loud else 0.0004) * random.standard_normal(round(seconds * RATE)))
    return np.concatenate(parts).astype(np.float32)


def reference_pieces(rms: np.ndarray, n_samples: int, hop: int) -> list[tuple[int, int]]:
    """The rules read frame by frame, at 16 kHz."""
    r, threshold, kept, interval, shortest = rms, 10 ** (-42 / 20), 33, 27, 100

    def argmin(first: int, last: int) -> int:
        return first + int(np.argmin(r[first : last + 1]))

    start, clip, tags = None, 0, []
    for i in range(len(r)):
        if r[i] < threshold:
            start = i if start is None else start
            continue
        if start is None:
            continue
        if not (start == 0 and i > kept) and not (i - start >= interval and i - clip >= shortest):
            start = None
            continue
        if i - start <= kept:
            clip = argmin(start, i)
            tags.append((0, clip) if start == 0 else (clip, clip))
        else:
            left, right = argmin(start, start + kept), argmin(i - kept, i)
            if i - start <= 2 * kept and start != 0:
                middle = argmin(i - kept, start + kept)
                left, right = min(left, middle), max(right, middle)
            tags.append((0 if start == 0 else left, right))
            clip = right
        start = None
    if start is not None and len(r) - start >= interval:
        tags.append((argmin(start, min(len(r), start + kept)), len(r) + 1))
    if not tags:
        return [(0, n_samples)]
    edges = [(0, tags[0][0])] + [(tags[k][1], tags[k + 1][0]) for k in range(len(tags) - 1)]
    if tags[-1][1] < len(r):
        edges.append((tags[-1][1], len(r)))
    return [(begin * hop, min(end * hop, n_samples)) for begin, end in edges if begin < end]


def test_the_pieces_of_the_reference_recording_are_those_of_applio_and_rvc():
    with np.load(GOLDEN) as golden:
        samples, rate = golden["audio_fp16"].astype(np.float32), int(golden["sr"])
        pieces = Slicer.at(rate).pieces(samples)
        assert [one.start for one in pieces] == golden["starts"].tolist()
        assert [len(one) for one in pieces] == golden["lengths"].tolist()


@pytest.mark.parametrize("seed", range(25))
def test_pieces_of_random_recordings_follow_the_rules_read_frame_by_frame(seed):
    samples = patterned(np.random.default_rng(seed))
    slicer = Slicer.at(RATE)
    pieces = [(one.start, one.stop) for one in slicer.pieces(samples)]
    assert pieces == reference_pieces(slicer.rms(samples), len(samples), slicer.hop_samples)


@pytest.mark.parametrize("n_samples", [0, 1, 239, 240, 241, 479, 960, 4000, 16_001, 5000 * 240 + 17])
def test_the_rms_is_that_of_centred_windows_of_four_hops(n_samples):
    samples = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
    squares = np.pad(samples.astype(np.float64), (480, 480)) ** 2
    windows = np.lib.stride_tricks.sliding_window_view(squares, 960)[::240]
    np.testing.assert_allclose(Slicer.at(RATE).rms(samples), np.sqrt(windows.mean(axis=1)), rtol=1e-9)


@pytest.mark.parametrize("slice_seconds", [0.8, 3.0, 8.0])
@pytest.mark.parametrize("overlap_seconds", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("slicing", ["automatic", "simple", "whole"])
def test_everything_above_the_threshold_ends_in_a_clip_of_usable_length(slicing, overlap_seconds, slice_seconds):
    settings = DataSettings(slicing=slicing, slice_seconds=slice_seconds, overlap_seconds=overlap_seconds)
    for seed in range(12):
        samples = patterned(np.random.default_rng(seed), stretches=9)
        result = slices(samples, RATE, settings)
        used = np.zeros(len(samples), bool)
        for clip in result.clips:
            assert 0 <= clip.start < clip.stop <= len(samples)
            assert len(clip) >= SHORTEST
            assert slicing == "whole" or len(clip) <= round((slice_seconds + overlap_seconds) * RATE)
            used[clip.start : clip.stop] = True
        for one in result.left_out:
            assert one.reason == SILENT
            assert not used[one.span.start : one.span.stop].any()
            assert np.abs(samples[one.span.start : one.span.stop]).max() < 0.3, "something loud was cut away"
            used[one.span.start : one.span.stop] = True
        assert used.all()


@pytest.mark.parametrize("n_samples", [*range(SHORTEST, 4 * RATE, 977), 3 * RATE, round(3.3 * RATE), round(3.3 * RATE) + 1])
@pytest.mark.parametrize("overlap_seconds", [0.0, 0.3])
def test_a_loud_recording_of_any_length_is_used_whole(n_samples, overlap_seconds):
    samples = np.full(n_samples, 0.5, np.float32)
    for slicing in ("automatic", "simple"):
        result = slices(samples, RATE, DataSettings(slicing=slicing, overlap_seconds=overlap_seconds))
        assert not result.left_out
        assert min(map(len, result.clips)) >= SHORTEST
        assert not list(gaps(list(result.clips), Span(0, n_samples)))


def test_slices_step_as_applios_do():
    samples = np.full(10 * RATE, 0.5, np.float32)
    clips = slices(samples, RATE, DataSettings()).clips
    assert [(one.start / RATE, one.stop / RATE) for one in clips] == [(0, 3), (2.7, 5.7), (5.4, 8.4), (8.1, 10)]


def test_the_last_slice_is_up_to_an_overlap_longer():
    clips = slices(np.full(round(6.0 * RATE), 0.5, np.float32), RATE, DataSettings()).clips
    assert [len(one) / RATE for one in clips] == [3.0, 3.3]


@pytest.mark.parametrize("slicing", ["automatic", "simple", "whole"])
@pytest.mark.parametrize("n_samples", [0, 1, 100, SHORTEST - 1])
def test_a_recording_under_the_shortest_clip_is_left_out_with_the_reason(n_samples, slicing):
    result = slices(np.full(n_samples, 0.5, np.float32), RATE, DataSettings(slicing=slicing))
    assert not result.clips
    assert [(one.span, one.reason) for one in result.left_out] == [(Span(0, n_samples), TOO_SHORT)]


def test_a_single_click_is_kept_with_the_silence_around_it():
    samples = np.zeros(10 * RATE, np.float32)
    samples[80_000:80_100] = 0.9
    clips = slices(samples, RATE, DataSettings()).clips
    assert len(clips) == 1
    assert clips[0].start <= 80_000
    assert clips[0].stop >= 80_100


@pytest.mark.parametrize("level", [0.0, 1e-5, 0.005])
def test_a_silent_recording_gives_no_clip_when_cut_at_silences(level):
    samples = (level * np.sin(np.arange(5 * RATE))).astype(np.float32)
    result = slices(samples, RATE, DataSettings())
    assert not result.clips
    assert [(one.span, one.reason) for one in result.left_out] == [(Span(0, len(samples)), SILENT)]


def test_the_gain_counts_when_silence_is_looked_for():
    samples = (0.005 * np.sin(np.arange(5 * RATE))).astype(np.float32)
    assert not slices(samples, RATE, DataSettings()).clips
    assert len(slices(samples, RATE, DataSettings(), gain=100.0).clips) == 2


def test_cutting_changes_no_sample_and_reads_a_memory_map(tmp_path):
    samples = patterned(np.random.default_rng(3))
    (tmp_path / "samples").write_bytes(samples.tobytes())
    mapped = np.memmap(tmp_path / "samples", np.float32, mode="r")
    assert slices(mapped, RATE, DataSettings()) == slices(samples.copy(), RATE, DataSettings())


@pytest.mark.parametrize("rate", [16_000, 24_000, 32_000, 40_000, 44_100, 48_000])
def test_the_rules_are_the_same_at_every_sample_rate(rate):
    slicer = Slicer.at(rate)
    assert slicer.hop_samples == pytest.approx(rate * 0.015, abs=0.5)
    assert (slicer.min_length, slicer.min_interval, slicer.max_kept) == (100, 27, 33)


def test_gaps_are_what_is_not_covered():
    clips = [Span(2, 5), Span(4, 7), Span(7, 8), Span(12, 15)]
    assert list(gaps(clips, Span(0, 20))) == [Span(0, 2), Span(8, 12), Span(15, 20)]
    assert list(gaps([], Span(0, 3))) == [Span(0, 3)]
    assert not list(gaps([Span(0, 3)], Span(0, 3)))
