"""Every detector whose weights are here, on tones whose pitch is known and on what is no tone."""

import numpy as np
import pytest

from tests.f0.conftest import BUNDLED, cents, loaded, tone

# CREPE's full network takes seconds for a second of sound: it hears less.
HZ = {"fcpe": [80, 123, 200, 317, 440, 622, 800], "swift": [80, 123, 200, 317, 440, 622, 800], "crepe-tiny": [80, 200, 440, 800],
      "crepe": [80, 800]}


@pytest.mark.parametrize("name", BUNDLED)
def test_steady_tones_are_found_within_a_tenth_of_a_semitone(name):
    tracks = loaded(name).detect_batch(np.stack([tone(hz, 0.25) for hz in HZ[name]]))
    for hz, track in zip(HZ[name], tracks, strict=True):
        inner = track.hz[4:-4]
        assert (inner > 0).all(), hz
        assert np.median(np.abs(cents(inner, hz))) < 10, hz


@pytest.mark.parametrize("name", ["fcpe", "crepe-tiny", "swift"])
def test_a_glide_is_followed_frame_by_frame(name):
    time = np.arange(16_000) / 16_000
    f0_hz = 150 * 2**time
    track = loaded(name).detect(tone(f0_hz, 1.0))
    expected = 150 * 2 ** np.minimum(np.arange(101) / 100, 1)
    off = cents(track.hz[5:-5], expected[5:-5])
    assert np.median(np.abs(off)) < 10
    assert np.abs(off).max() < 60


@pytest.mark.parametrize("name", ["fcpe", "crepe-tiny", "swift"])
def test_a_pause_between_two_tones_is_unvoiced(name):
    samples = np.concatenate([tone(200, 0.4), np.zeros(6400, np.float32), tone(300, 0.4)])
    voiced = loaded(name).detect(samples).voiced
    assert not voiced[48:73].any()
    assert voiced[6:34].all()
    assert voiced[87:114].all()


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("silence", [np.zeros(4800), np.random.default_rng(0).normal(0, 1e-5, 4800)], ids=["zeros", "dither"])
def test_silence_is_unvoiced(name, silence):
    track = loaded(name).detect(silence.astype(np.float32))
    assert len(track) == 31
    assert not track.voiced.any()


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("n", [160, 500, 1023, 2049])
def test_very_short_sounds_work(name, n):
    track = loaded(name).detect(tone(220, 0.2)[:n])
    assert len(track) == n // 160 + 1
    assert np.isfinite(track.hz).all()


@pytest.mark.parametrize("name", ["fcpe", "crepe-tiny", "swift"])
def test_batches_give_what_single_sounds_give(name):
    batch = np.stack([tone(hz, 0.3) for hz in (100, 250, 600)] + [np.zeros(4800, np.float32)])
    detector = loaded(name)
    for row, track in zip(batch, detector.detect_batch(batch), strict=True):
        alone = detector.detect(row)
        assert np.array_equal(track.voiced, alone.voiced)
        assert np.allclose(track.hz, alone.hz, rtol=1e-4)


@pytest.mark.parametrize("name", ["fcpe", "crepe-tiny", "swift"])
def test_the_same_sound_gives_the_same_pitch_every_time_and_leaves_the_random_state_alone(name):
    samples = tone(233, 0.3)
    state = np.random.get_state()[1].copy()
    assert np.array_equal(loaded(name).detect(samples).hz, loaded(name).detect(samples).hz)
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize(("name", "core"), [("fcpe", 352), ("crepe-tiny", 64), ("swift", 352)])
def test_long_sound_in_windows_is_found_as_in_one_look(name, core, monkeypatch):
    """Away from joins by more than the networks see. FCPE also divides by the spread over the whole window: hence cents, not bits."""
    context = 64 if name == "crepe-tiny" else 160
    n_frames = 2 * core + 2 * context - 30
    time = np.arange(n_frames * 160) / 16_000
    samples = tone(220 * 2 ** (0.5 * np.sin(2 * np.pi * 0.8 * time)), len(time) / 16_000) * (np.sin(2 * np.pi * 0.6 * time) > -0.7)
    samples = samples.astype(np.float32)
    detector = loaded(name)
    whole = detector.detect(samples)
    monkeypatch.setattr(detector, "core_frames", core)
    monkeypatch.setattr(detector, "context_frames", context)
    in_windows = detector.detect(samples)
    assert (whole.voiced == in_windows.voiced).mean() > 0.99
    both = whole.voiced & in_windows.voiced
    assert np.abs(cents(in_windows.hz[both], whole.hz[both])).max() < 5


@pytest.mark.parametrize("name", ["fcpe", "swift"])
@pytest.mark.parametrize("peak", [0.01, 1.0, 3.0])
def test_pitch_does_not_depend_on_loudness_and_nothing_is_printed(name, peak, capfd):
    track = loaded(name).detect(tone(200, 0.4, peak=peak))
    assert np.median(np.abs(cents(track.hz[track.voiced], 200))) < 6
    assert track.voiced[6:-6].all()
    assert capfd.readouterr().out == ""
