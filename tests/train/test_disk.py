"""The disk that a run needs: counts against the networks, sizes against files, and what is said when there is too little."""

import shutil
from collections import namedtuple

import numpy as np
import pytest
import soundfile
import torch

from rvc import checkpoint
from rvc.errors import SettingsError, StorageError
from rvc.export import VoiceFacts, export_voice
from rvc.models.config import SIZES, config_for, sample_rates
from rvc.models.discriminators import Discriminator
from rvc.models.synthesizer import Synthesizer
from rvc.settings import from_flat
from rvc.train import disk
from rvc.train.settings import TrainingSettings

MB = 1_000_000
NETWORKS = [(version, rate, pitch, vocoder, size)
            for version in ("v1", "v2") for rate in sample_rates(version) for pitch in (True, False)
            for vocoder in ("HiFi-GAN", "MRF HiFi-GAN", "RefineGAN") for size in SIZES]


def settings(**values) -> TrainingSettings:
    return from_flat(TrainingSettings, values)


def exists(version, rate, pitch, vocoder, size) -> bool:
    try:
        settings(version=version, sample_rate=rate, pitch_guidance=pitch, vocoder=vocoder, model_size=size)
    except SettingsError:
        return False
    return True


def count(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


@pytest.mark.parametrize("network", [one for one in NETWORKS if exists(*one)], ids=lambda one: "-".join(map(str, one)))
def test_the_counts_are_those_of_the_networks(network):
    config = config_for(*network)
    with torch.device("meta"):
        synthesizer = Synthesizer(config)
    exported, generator, _ = disk._parameters(config, network[-1])
    assert generator == count(synthesizer)
    assert exported == count(synthesizer) - count(synthesizer.enc_q)


@pytest.mark.parametrize(("version", "vocoder"), [("v1", "HiFi-GAN"), ("v2", "HiFi-GAN"), ("v2", "RefineGAN")])
@pytest.mark.parametrize("size", SIZES)
def test_the_counts_of_the_discriminators_are_theirs(version, vocoder, size):
    config = config_for(version, 32000, True, vocoder, size)
    with torch.device("meta"):
        discriminator = Discriminator(config.discriminator, config.discriminator_width)
    assert disk._parameters(config, size)[2] == count(discriminator)


def test_the_files_of_a_tiny_network_are_as_large_as_said_or_a_little_smaller(tmp_path):
    config = config_for("v2", 40000, size="tiny")
    networks = Synthesizer(config), Discriminator(config.discriminator, config.discriminator_width)
    for network, name in zip(networks, ("G_1.pth", "D_1.pth"), strict=True):
        optimizer = torch.optim.AdamW(network.parameters())
        for one in network.parameters():
            one.grad = torch.zeros_like(one)
        optimizer.step()
        checkpoint.write(tmp_path / name, {"model": checkpoint.state_of(network), "optimizer": optimizer.state_dict()})
    export_voice(networks[0], config, tmp_path / "voice.pth", VoiceFacts(name="x"))
    need = disk.estimate(settings(model_size="tiny"), 60)
    pair = sum((tmp_path / name).stat().st_size for name in ("G_1.pth", "D_1.pth"))
    assert pair <= need.checkpoint <= pair + 2 * disk._CHECKPOINT_OVERHEAD
    voice = (tmp_path / "voice.pth").stat().st_size
    assert voice <= need.voice <= voice + 2 * disk._VOICE_OVERHEAD


def test_the_data_of_a_minute_is_what_its_files_weigh(tmp_path):
    """One clip of a minute at 40 kHz, as the first two stages leave it."""
    for name, rate in (("clip", 40_000), ("clip_16k", 16_000)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(60 * rate, np.float32), rate, subtype="FLOAT")
    np.save(tmp_path / "f0.npy", np.zeros(6000, np.float32))
    np.save(tmp_path / "features.npy", np.zeros((3000, 768), np.float32))
    need = disk.estimate(settings(sample_rate=40000, slicing="whole"), 60)
    assert need.data == pytest.approx(sum(path.stat().st_size for path in tmp_path.iterdir()), rel=1e-3)


def test_a_full_size_run_needs_what_its_parts_add_up_to():
    """48 kHz: 37,638,466 + 71,410,594 weights, three numbers of four bytes each; voices of half precision."""
    need = disk.estimate(settings(sample_rate=48000, epochs=100, save_every_epochs=10, keep_checkpoints=2), 600)
    assert need.checkpoint == pytest.approx(3 * 4 * (37_638_466 + 71_410_594), rel=0.01)
    assert (need.checkpoints, need.voices) == (3, 10)
    assert need.voice == pytest.approx(2 * 28_716_994, rel=0.01)
    assert need.total == need.data + need.index + 3 * need.checkpoint + 10 * need.voice + need.listening


@pytest.mark.parametrize(("values", "checkpoints", "voices"), [
    ({"epochs": 5, "save_every_epochs": 10}, 1, 1),
    ({"epochs": 20, "save_every_epochs": 10}, 2, 2),
    ({"epochs": 200, "save_every_epochs": 10, "keep_every_epochs": 50}, 7, 20),
    ({"epochs": 200, "save_every_epochs": 10, "keep_checkpoints": 5}, 6, 20),
    ({"epochs": 200, "save_every_epochs": 10, "keep_checkpoints": 1000}, 20, 20),
    ({"epochs": 205, "save_every_epochs": 10, "export_every_save": False}, 3, 1)])
def test_checkpoints_and_voices_are_counted_as_they_are_kept(values, checkpoints, voices):
    need = disk.estimate(settings(**values), 600)
    assert (need.checkpoints, need.voices) == (checkpoints, voices)


def test_more_of_anything_never_needs_less():
    base = disk.estimate(settings(), 600)
    assert disk.estimate(settings(), 1200).total > base.total
    assert disk.estimate(settings(ema_decay=0.999), 600).checkpoint - base.checkpoint == 4 * 36_458_818
    assert disk.estimate(settings(overlap_seconds=0.5), 600).data > disk.estimate(settings(overlap_seconds=0.0), 600).data
    hours = disk.estimate(settings(), 100 * 3600)  # k-means keeps the index small
    assert hours.index < 10_000 * 768 * 4 * 1.1


@pytest.fixture
def free(monkeypatch):
    """A function that says how much is free."""
    usage = namedtuple("usage", "total used free")
    return lambda count: monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**13, 0, int(count)))


def test_enough_room_is_no_word_worth(tmp_path, free):
    need = disk.estimate(settings(), 600)
    free(need.total)
    assert disk.check(tmp_path / "not" / "there" / "yet", need) is None


def test_a_disk_without_room_for_one_checkpoint_is_refused_with_both_numbers(tmp_path, free):
    need = disk.estimate(settings(), 600)
    free(need.data + need.checkpoint - 1)
    with pytest.raises(StorageError, match=r"has 1\.5 GB free; the data and one checkpoint of this run need 1\.5 GB") as refused:
        disk.check(tmp_path, need)
    assert refused.value.fix
    free(need.data + need.checkpoint)
    assert disk.check(tmp_path, need)


def test_a_disk_without_room_for_the_whole_run_is_a_warning_with_both_numbers_and_what_to_change(tmp_path, free):
    free(2.5e9)
    need = disk.estimate(settings(epochs=1000, save_every_epochs=1), 600)
    warning = disk.check(tmp_path, need)
    assert "2.5 GB free" in warning
    assert f"{need.total / 1e9:.1f} GB more" in warning
    assert "save less often" in warning
    assert "keep fewer checkpoints" in disk.check(tmp_path, disk.estimate(settings(keep_checkpoints=10), 600))


def test_what_is_there_already_is_not_needed_again(tmp_path, free):
    """All data, and the checkpoints and voices of a run that is nearly done: only room for one more checkpoint is wanted."""
    need = disk.estimate(settings(), 600)
    for folder in ("clips", "features", "eval"):
        (tmp_path / folder).mkdir()
    sparse(tmp_path / "clips" / "0_0_0.wav", need.data)
    free(need.checkpoint - 1)
    with pytest.raises(StorageError):
        disk.check(tmp_path, need)
    free(need.checkpoint + MB)
    assert disk.check(tmp_path, need)
    for number in range(need.checkpoints):
        sparse(tmp_path / f"G_{number}.pth", need.checkpoint)
    sparse(tmp_path / "run_1e_1s.pth", need.kept - need.checkpoint * need.checkpoints)
    assert disk.check(tmp_path, need) is None


def sparse(path, count: int) -> None:
    with open(path, "wb") as file:
        file.truncate(count)


def test_the_sentence_of_the_form_has_the_parts_the_sum_and_what_is_free(tmp_path, free):
    free(53e9)
    said = disk.need_sentence(settings(), 1800, tmp_path / "new")
    for part in ("about 6.1 GB", "3 checkpoints 3.9 GB", "20 voices 1.1 GB", "53.0 GB free"):
        assert part in said
    assert "not enough" not in said
    free(1e6)
    assert "1 MB free. That is not enough." in disk.need_sentence(settings(), 1800, tmp_path / "new")
