"""RMVPE: its numbers against Applio's on weights from a recipe, its file, its windows."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from rvc.errors import FormatError
from rvc.f0.rmvpe import Network, Rmvpe, decoded
from tests.f0.conftest import CPU, tone

DATA = Path(__file__).parent.parent / "data"
REFERENCE = np.load(DATA / "f0" / "rmvpe.npz")


def test_the_network_has_the_tensors_of_the_published_file():
    lines = (DATA / "keys" / "RMVPE.tsv").read_text().splitlines()[1:]
    wanted = dict(line.split("\t") for line in lines)
    with torch.device("meta"):
        state = Network().state_dict()
    # Torch's counts of batches are the only tensors of the file that are not used.
    assert {name for name in wanted if not name.endswith("num_batches_tracked")} == state.keys()
    assert all(",".join(map(str, value.shape)) == wanted[name] for name, value in state.items())


def test_the_mel_spectrogram_is_applios(rmvpe):
    mel = rmvpe.mel(torch.from_numpy(REFERENCE["audio"])[None])[0].numpy()
    assert np.allclose(mel, REFERENCE["mel"], atol=5e-6)


def test_the_mel_spectrogram_is_librosas(rmvpe):
    samples = tone(200, 0.5) + np.random.default_rng(0).normal(0, 0.01, 8000).astype(np.float32)
    expected = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=1024, hop_length=160, power=1.0, n_mels=128, fmin=30, fmax=8000,
                                              htk=True, pad_mode="reflect")
    assert np.allclose(rmvpe.mel(torch.from_numpy(samples)[None])[0].numpy(), np.log(np.maximum(expected, 1e-5)), atol=1e-3)


def test_the_network_gives_applios_salience_when_its_end_is_mirrored(rmvpe):
    salience = rmvpe.salience(torch.from_numpy(REFERENCE["mel"])[None])[0].numpy()
    assert np.allclose(salience, REFERENCE["hidden"][: len(salience)], atol=1e-4)


def test_salience_is_decoded_as_applio_does():
    hz = decoded(REFERENCE["salience"])
    assert np.array_equal(hz > 0, REFERENCE["f0"] > 0)
    assert np.allclose(hz, REFERENCE["f0"], rtol=3e-6)


@pytest.mark.parametrize("best", [0, 2, 357, 359])
def test_a_peak_at_the_edge_of_the_axis_is_decoded_from_the_bins_that_exist(best):
    salience = np.zeros((1, 360), np.float32)
    salience[0, best] = 0.9
    assert np.allclose(decoded(salience), 10 * 2 ** ((20 * best + 1997.3794084376191) / 1200))


@pytest.mark.parametrize(("weak", "voiced"), [(0.03, False), (0.031, True), (0.0, False)])
def test_a_weak_peak_is_unvoiced(weak, voiced):
    salience = np.zeros((1, 360), np.float32)
    salience[0, 100] = weak
    assert (decoded(salience)[0] > 0) == voiced


@pytest.mark.parametrize("frames", [1, 2, 33])
def test_any_number_of_frames_goes_through(rmvpe, frames):
    salience = rmvpe.salience(torch.zeros(1, 128, frames))
    assert salience.shape == (1, frames, 360)
    assert torch.isfinite(salience).all()


@pytest.mark.parametrize("n", [160, 5000])
def test_short_sounds_and_batches_give_as_many_frames_as_promised(rmvpe, n):
    batch = np.stack([tone(200, 0.5)[:n], tone(300, 0.5)[:n]])
    tracks = rmvpe.detect_batch(batch)
    assert [len(track) for track in tracks] == 2 * [n // 160 + 1]
    assert np.allclose(tracks[1].hz, rmvpe.detect(batch[1]).hz, rtol=1e-3)


def test_silence_is_unvoiced(rmvpe):
    assert not rmvpe.detect(np.zeros(8000, np.float32)).voiced.any()


def test_the_context_of_a_window_is_enough_for_the_network_to_see_what_it_would_in_the_whole(rmvpe):
    samples = np.random.default_rng(0).normal(0, 0.1, 383 * 160).astype(np.float32)
    mel = rmvpe.mel(torch.from_numpy(samples)[None])
    whole, window = rmvpe.salience(mel)[0], rmvpe.salience(mel[:, :, 64:])[0]
    seen = 64 + rmvpe.context_frames
    difference = (whole[seen:] - window[seen - 64 :]).abs()
    assert difference.mean() < 0.03 * whole.std()
    assert difference.max() < 0.1 * whole.std()


def test_a_file_in_half_precision_with_counts_of_batches_loads(rmvpe, tmp_path):
    network = rmvpe._network
    state = {name: value.half() for name, value in network.state_dict().items()}
    counts = {name.replace("running_var", "num_batches_tracked"): torch.tensor(7) for name in state if name.endswith("running_var")}
    torch.save({**state, **counts}, tmp_path / "rmvpe.pt")
    assert len(state) + len(counts) == 741
    read = Rmvpe.from_file(tmp_path / "rmvpe.pt", CPU)
    mel = torch.from_numpy(REFERENCE["mel"])[None]
    assert torch.allclose(read.salience(mel), rmvpe.salience(mel), atol=0.05)
    assert next(read._network.parameters()).dtype == torch.float32


def test_a_file_that_lacks_a_tensor_is_refused_by_name(rmvpe, tmp_path):
    state = dict(rmvpe._network.state_dict())
    del state["cnn.bias"]
    torch.save(state, tmp_path / "rmvpe.pt")
    with pytest.raises(FormatError, match=r"cnn\.bias"):
        Rmvpe.from_file(tmp_path / "rmvpe.pt", CPU)
