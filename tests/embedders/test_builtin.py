"""The built-in embedder: local, whole in pieces, indifferent to level, and loud about a bad file."""

import json
import struct

import numpy as np
import pytest
import soundfile
import torch

from rvc.embedders import builtin, mini, registry
from rvc.errors import FormatError, MissingAssetError
from rvc.paths import ASSETS, Home
from tests.sounds import singing

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def v2() -> builtin.Builtin:
    return builtin.Builtin("v2", CPU)


@pytest.fixture(scope="module")
def v1() -> builtin.Builtin:
    return builtin.Builtin("v1", CPU)


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Three seconds at 16 kHz."""
    return singing(3.0, 16_000)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Four seconds of the sample source, at 16 kHz."""
    from rvc import audio

    return audio.load(ASSETS / "samples" / "source.flac", 16_000).samples[:64_000]


@pytest.mark.parametrize("n", [160, 399, 400, 719, 720, 1600, 6400, 16_001, 48_000])
def test_any_length_gives_huberts_number_of_finite_frames(v2, voice, n):
    features = v2.extract(voice[None, :n])
    assert features.shape == (1, max(1, (n - 400) // 320 + 1), 768)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_features_of_speech_are_of_the_size_that_networks_like(version, v1, v2, speech):
    embedder = {"v1": v1, "v2": v2}[version]
    features = embedder.extract(speech[None])[0]
    assert features.shape[1] == embedder.dim == {"v1": 256, "v2": 768}[version]
    assert abs(features.mean()) < 0.15
    assert 0.6 < features.std() < 1.4


def test_the_features_are_the_ones_that_voices_were_trained_with(v2, speech):
    """A few values of the sample clip. Other weights than these need another ``BUILTIN_CONTENT``: voices remember what they learnt from."""
    golden = np.load(ASSETS.parent / "tests" / "data" / "golden" / "builtin.npz")
    found = v2.extract(speech[None])[0]
    assert str(golden["content"]) == registry.BUILTIN_CONTENT
    assert np.allclose(found[::20, ::64], golden["features"], atol=2e-3)


def test_the_weights_are_small_enough_to_come_with_the_checkout():
    assert registry.BUILTIN_WEIGHTS.stat().st_size <= 8_000_000


def test_the_projection_of_v1_is_orthonormal_and_never_changes():
    matrix = builtin._projection().numpy()
    assert np.allclose(matrix.T @ matrix, np.eye(256), atol=1e-5)
    # v1 voices are trained with these very numbers.
    assert np.allclose(matrix[0, :3], [-0.0820737, 0.0708320, -0.0093434], atol=1e-6)


def test_distances_between_frames_survive_the_projection_of_v1(v1, v2, speech):
    wide, narrow = v2.extract(speech[None])[0], v1.extract(speech[None])[0]
    i, j = np.random.default_rng(0).integers(0, len(wide), (2, 500))
    distances = [np.linalg.norm(features[i] - features[j], axis=1)[i != j] for features in (wide, narrow)]
    assert np.corrcoef(*distances)[0, 1] > 0.9


def test_the_field_is_at_most_a_second_and_a_half_and_a_context_holds_half_of_it():
    assert mini.FIELD_FRAMES == 67
    assert abs(mini.FIELD_SECONDS - (66 * 320 + 4 * 160 + 400) / 16_000) < 1e-9
    assert mini.FIELD_SECONDS <= 1.5
    assert builtin.CONTEXT_SECONDS > mini.FIELD_SECONDS / 2


def test_a_frame_depends_on_its_field_and_on_nothing_outside(v2):
    """The gradient of one frame with respect to every sample."""
    samples = torch.from_numpy(singing(4.0, 16_000)[None]).requires_grad_()
    features = v2._network(v2._log_mel(samples))
    features[0, 100].sum().backward()
    seen = samples.grad[0].nonzero()[:, 0]
    middle, half = 100 * 320 + 200, mini.FIELD_SECONDS * 16_000 / 2
    assert middle - half <= seen.min() < middle - 0.9 * half
    assert middle + 0.9 * half < seen.max() <= middle + half


def test_a_long_file_in_pieces_is_the_file_at_once(v2, monkeypatch):
    samples = np.stack([singing(20.0, 16_000), singing(20.0, 16_000, seed=1)])
    whole = v2.extract(samples)
    monkeypatch.setattr(builtin, "WINDOW_SECONDS", 3.0)
    assert np.allclose(v2.extract(samples), whole, atol=1e-4)


def test_more_than_a_window_joins_without_a_seam(v2):
    samples = singing(70.0, 16_000)[None]
    whole = v2.extract(samples)[0]
    part = v2.extract(samples[:, 2900 * 320 : 3200 * 320 + 80])[0]  # around the seam at 60 s
    assert np.allclose(part[50:250], whole[2950:3150], atol=1e-4)


def test_silence_noise_clicks_and_full_scale_give_finite_features(v1, v2):
    random = np.random.default_rng(0)
    click = np.zeros(16_000, np.float32)
    click[8_000] = 1
    square = np.sign(np.sin(np.arange(16_000) * 0.3)).astype(np.float32)
    sounds = np.stack([np.zeros(16_000, np.float32), random.normal(0, 0.3, 16_000).astype(np.float32), click, square, 30 * square])
    for embedder in (v1, v2):
        features = embedder.extract(sounds)
        assert np.isfinite(features).all()
        assert np.abs(features).max() < 30


def test_a_tenth_of_a_second_is_enough(v2, speech):
    assert v2.extract(speech[None, 16_000:17_600]).shape == (1, 4, 768)


def test_what_a_telephone_leaves_still_says_the_same(v2, speech):
    spectrum, heights = np.fft.rfft(speech), np.fft.rfftfreq(len(speech), 1 / 16_000)
    telephone = np.fft.irfft(spectrum * ((heights > 300) & (heights < 3400)), len(speech)).astype(np.float32)
    assert likeness(v2.extract(speech[None])[0], v2.extract(telephone[None])[0]) > 0.6


@pytest.mark.parametrize("gain", [0.03, 0.2, 3.0])
def test_the_level_of_a_recording_hardly_matters(v2, speech, gain):
    assert likeness(v2.extract(speech[None])[0], v2.extract(gain * speech[None])[0]) > 0.9


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The mean cosine between frames."""
    return float(np.mean((one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)))


def test_batches_give_what_single_sounds_give(v2, voice):
    batch = np.stack([voice, voice[::-1], np.zeros_like(voice)])
    together = v2.extract(batch)
    for row, features in zip(batch, together, strict=True):
        assert np.allclose(v2.extract(row[None])[0], features, atol=1e-4)


def test_the_same_sound_twice_gives_the_same_numbers(v2, voice):
    assert np.array_equal(v2.extract(voice[None]), v2.extract(voice[None].copy()))


def test_frames_stand_where_huberts_stand(v2):
    """A click moves the mel frames whose 400 samples hold it, two of them for each frame of content."""
    quiet = np.random.default_rng(0).normal(0, 1e-3, 16_000).astype(np.float32)
    click = quiet.copy()
    click[320 * 20 + 160 : 320 * 20 + 240] += 0.5
    with torch.inference_mode():
        before, after = (v2._log_mel(torch.from_numpy(one)[None])[0] for one in (quiet, click))
    moved = (after - before).abs().sum(dim=0)
    assert int(moved.argmax()) in (40, 41)
    assert not moved[:38].any()
    assert not moved[43:].any()


def test_loading_by_name_gives_this_embedder(tmp_path):
    embedder = registry.load("builtin", "v2", CPU, Home(tmp_path))
    assert (embedder.name, embedder.dim) == ("builtin", 768)


# -- bad files -----------------------------------------------------------------------------------------------------------------


def test_missing_weights_are_named_with_the_command_that_restores_them(tmp_path):
    with pytest.raises(MissingAssetError, match=r"nowhere\.safetensors") as caught:
        builtin.read(tmp_path / "nowhere.safetensors")
    assert "git checkout -- assets/embedders/timbre-mini.safetensors" in caught.value.fix


@pytest.mark.parametrize("damage", [lambda data: data[:2_000_000], lambda data: b"", lambda data: b"<html>" + data[6:400],
                                    lambda data: data[:-1000] + bytes(1000)], ids=["cut", "empty", "page", "zeros"])
def test_a_damaged_file_is_named_and_left_alone(tmp_path, damage):
    path = tmp_path / "timbre-mini.safetensors"
    path.write_bytes(damage(registry.BUILTIN_WEIGHTS.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(FormatError, match=r"timbre-mini\.safetensors is damaged") as caught:
        builtin.read(path)
    assert caught.value.fix == registry.RESTORE
    assert path.read_bytes() == before


def test_weights_of_another_version_are_refused(tmp_path):
    path = tmp_path / "timbre-mini.safetensors"
    path.write_bytes(_with_content(registry.BUILTIN_WEIGHTS.read_bytes(), "timbre-mini 0"))
    with pytest.raises(FormatError, match=f"holds timbre-mini 0.*needs {registry.BUILTIN_CONTENT}"):
        builtin.read(path)


def _with_content(data: bytes, content: str) -> bytes:
    """The file with another version in its header."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["content"] = content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def test_weights_survive_being_written_in_half_precision(tmp_path, voice):
    torch.manual_seed(0)
    network = mini.MiniEncoder()
    builtin.write(tmp_path / "a.safetensors", network)
    again = builtin.read(tmp_path / "a.safetensors")
    mel = mini.LogMel()(torch.from_numpy(voice[None]))
    with torch.inference_mode():
        assert torch.allclose(again(mel), network(mel), atol=5e-3)


def test_the_sample_clip_is_what_the_golden_values_were_taken_from():
    info = soundfile.info(ASSETS / "samples" / "source.flac")
    assert (info.samplerate, info.channels) == (22_050, 1)
