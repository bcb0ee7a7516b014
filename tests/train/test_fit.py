"""The fit: begins, learns, saves, stops, resumes to the bit, and refuses what would ruin a voice."""

import hashlib
import re
import shutil
import struct
import zipfile

import numpy as np
import pytest
import torch

from rvc import checkpoint
from rvc.device import FP32
from rvc.errors import FormatError, NonFiniteLossError, TrainingError
from rvc.events import Metrics, Note, Saved
from rvc.models.config import config_for
from rvc.paths import Home
from rvc.train import new_run
from rvc.train.data.clips import ClipList, ClipSampler
from rvc.train.fit import Fit, FitReport
from rvc.train.fitting.dataset import ClipDataset, Part, parts
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.trainer import Trainer
from rvc.train.run import TrainingRun
from rvc.train.stages import export_run
from rvc.voices import VoiceModel
from tests.train.conftest import make_run

pytestmark = pytest.mark.usefixtures("thin")

STEPS_PER_EPOCH = 3  # five clips in batches of two


def fit(run: TrainingRun, stop_after: int | None = None) -> list:
    """All events and the report; asks to stop after so many steps."""
    seen: list = []

    def stop() -> bool:
        return stop_after is not None and sum(isinstance(one, Metrics) for one in seen) >= stop_after

    for item in Fit(run, Home(run.folder.parent.parent), stop).events():
        seen.append(item)
    return seen


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[TrainingRun, list]:
    """A run of two epochs, saved after each, and what happened. Only to look at: what changes it takes ``copied_run``."""
    run = make_run(Home(tmp_path_factory.mktemp("finished")), "demo", epochs=2, save_every_epochs=1)
    return run, fit(run)


@pytest.fixture
def copied_run(finished, home) -> TrainingRun:
    shutil.copytree(finished[0].folder, home.logs / "demo")
    return TrainingRun.open(home.logs / "demo")


def losses(items: list) -> list[dict[str, float]]:
    """What was measured at every step, but for how long things took."""
    return [{tag: value for tag, value in item.values.items() if not tag.startswith("time/")} for item in items
            if isinstance(item, Metrics)]


def weights_hash(run: TrainingRun, step: int) -> str:
    """Of every tensor of both networks and of both optimizers, of the EMA and of the loss scale."""
    state = checkpoint.read(run.checkpoint("state", step))
    digest = hashlib.sha256(repr(state["scaler"]).encode())
    for name, tensor in sorted((state["ema"] or {}).items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    for kind in ("G", "D"):
        content = checkpoint.read(run.checkpoint(kind, step))
        for name, tensor in sorted(content["model"].items()):
            digest.update(name.encode() + tensor.numpy().tobytes())
        for i, values in sorted(content["optimizer"]["state"].items()):
            for name, value in sorted(values.items()):
                digest.update(f"{i}{name}".encode() + (value.numpy().tobytes() if hasattr(value, "numpy") else repr(value).encode()))
    return digest.hexdigest()


def test_a_fit_counts_its_steps_saves_and_exports(finished):
    run, items = finished
    assert items[-1] == FitReport(epoch=2, step=2 * STEPS_PER_EPOCH, stopped=False)
    assert [one.step for one in items if isinstance(one, Metrics)] == list(range(1, 7))
    assert {one.total_steps for one in items if isinstance(one, Metrics)} == {6}
    assert [(one.what, one.epoch) for one in items if isinstance(one, Saved)] == [
        ("checkpoint", 1), ("voice", 1), ("audition", 1), ("checkpoint", 2), ("voice", 2), ("audition", 2)]
    assert sorted(path.name for path in run.voices()) == ["demo_1e_3s.pth", "demo_2e_6s.pth"]


def test_learning_lowers_the_mel_loss(tiny_run):
    values = losses(fit(tiny_run(epochs=8, learning_rate=2e-3)))
    mel = [one["loss/g/mel"] for one in values]
    assert np.mean(mel[-3:]) < 0.75 * np.mean(mel[:3])


def test_the_total_is_the_sum_of_its_parts(tiny_run):
    for one in losses(fit(tiny_run(epochs=1))):
        parts = sum(one[f"loss/g/{name}"] for name in ("adv", "fm", "mel", "kl"))
        assert one["loss/g/total"] == pytest.approx(parts, rel=1e-5)


def test_the_same_seed_gives_the_same_run_and_another_another(tiny_run):
    first, again, other = (losses(fit(tiny_run(name, epochs=1, seed=seed))) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first != other


# Everything that has a memory of its own, or depends on the step: inside an epoch, between two, with fp16's loss scale.
EVERYTHING = {"ema_decay": 0.9, "schedule": "cosine", "warmup_steps": 5, "clip_generator": 100.0, "accumulate": 2, "learning_rate_d": 5e-5}


@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_stopping_anywhere_and_resuming_equals_never_stopping(finished, tiny_run, stop_after):
    whole, items = finished
    equals_never_stopped(tiny_run("parted", epochs=2), stop_after, whole, losses(items))


@pytest.mark.parametrize(("epochs", "stop_after", "values"), [(2, 4, EVERYTHING), (1, 1, {"precision": "fp16"})])
def test_so_it_does_with_everything_that_has_a_memory(tiny_run, epochs, stop_after, values):
    whole = tiny_run("whole", epochs=epochs, **values)
    equals_never_stopped(tiny_run("parted", epochs=epochs, **values), stop_after, whole, losses(fit(whole)))


def equals_never_stopped(parted: TrainingRun, stop_after: int, whole: TrainingRun, expected: list[dict[str, float]]) -> None:
    first = fit(parted, stop_after=stop_after)
    assert first[-1].stopped
    resumed = fit(parted)
    assert any(isinstance(one, Note) and one.message.startswith(f"Resumed from step {stop_after}") for one in resumed)
    assert str(losses(first) + losses(resumed)) == str(expected)  # as text, for a step that fp16 skips has a gradient of NaN
    last = whole.checkpoint_steps()[-1]
    assert weights_hash(parted, last) == weights_hash(whole, last)


def test_a_voice_of_the_running_mean_says_so_and_holds_it(tiny_run):
    run = tiny_run(epochs=1, ema_decay=0.9)
    fit(run)
    voice = torch.load(run.voices()[-1], weights_only=True)
    ema = checkpoint.read(run.checkpoint("state", 3))["ema"]
    assert voice["weights_are"] == "mean of the trained ones (EMA 0.9)"
    assert all(torch.equal(one, ema[name].half()) for name, one in voice["weight"].items())
    again, _ = export_run(run, 3, output=run.folder / "again.pth")
    assert all(torch.equal(one, voice["weight"][name]) for name, one in torch.load(again, weights_only=True)["weight"].items())
    assert torch.load(again, weights_only=True)["weights_are"] == voice["weights_are"]


def test_a_batch_larger_than_the_data_is_refused_before_the_first_step(tiny_run):
    run = tiny_run(batch_size=6)
    with pytest.raises(TrainingError, match="batch_size of 6 is larger than the 5 clips"):
        fit(run)
    assert not run.checkpoint_steps()


@pytest.mark.parametrize(("vocoder", "sample_rate"), [("RefineGAN", 24_000), ("MRF HiFi-GAN", 24_000)])
def test_every_vocoder_is_trained_saved_exported_and_resumed(tiny_run, vocoder, sample_rate):
    run = tiny_run(vocoder=vocoder, sample_rate=sample_rate, epochs=2)
    first = fit(run, stop_after=2)
    assert all(np.isfinite(list(one.values())).all() for one in losses(first))
    assert fit(run)[-1] == FitReport(epoch=2, step=6, stopped=False)
    voice = VoiceModel.read(run.voices()[-1])
    assert (voice.config.vocoder, voice.config.sample_rate) == (vocoder, sample_rate)


def test_growing_the_epochs_goes_on_where_the_run_ended(tiny_run, home):
    run = tiny_run(epochs=1)
    fit(run)
    longer = new_run.create(home, "demo", run.settings.model_copy(update={"fit": run.settings.fit.model_copy(update={"epochs": 2})}))
    assert [one.step for one in fit(longer) if isinstance(one, Metrics)] == [4, 5, 6]
    fit(tiny_run("whole", epochs=2))
    assert weights_hash(longer, 6) == weights_hash(TrainingRun.named(home, "whole"), 6)


def test_old_checkpoints_go_and_two_stay(tiny_run):
    run = tiny_run(epochs=4, save_every_epochs=1, keep_checkpoints=2)
    fit(run)
    assert run.checkpoint_steps() == [9, 12]
    assert sorted(path.name for path in run.folder.glob("[GD]_*.pth")) == ["D_12.pth", "D_9.pth", "G_12.pth", "G_9.pth"]
    assert len(run.voices()) == 4


def damage_by_cutting(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_by_one_bit(path):
    """In the middle of the largest entry: torch.load itself does not notice when that is a tensor."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda one: one.file_size)
    data = bytearray(path.read_bytes())
    name, extra = struct.unpack_from("<HH", data, largest.header_offset + 26)  # lengths, in the header of 30 bytes before the data
    data[largest.header_offset + 30 + name + extra + largest.file_size // 2] ^= 1
    path.write_bytes(data)


def damage_by_emptying(path):
    path.write_bytes(b"")


DAMAGES = {"cut short": damage_by_cutting, "one bit": damage_by_one_bit, "empty": damage_by_emptying, "missing": lambda path: path.unlink()}


@pytest.mark.parametrize(("kind", "damage"), [
    (kind, damage) for kind in ("G", "D", "state") for damage in DAMAGES if (kind, damage) != ("state", "missing")])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_used(copied_run, kind, damage):
    run = copied_run
    DAMAGES[damage](run.checkpoint(kind, 6))
    items = fit(run, stop_after=0)  # the step 3 is between two epochs, so nothing is saved
    warnings = [one.message for one in items if isinstance(one, Note) and one.level == "warning"]
    assert any("step 6 is damaged" in one and run.checkpoint(kind, 6).name in one for one in warnings)
    assert any(isinstance(one, Note) and "Resumed from step 3" in one.message for one in items)
    assert items[-1] == FitReport(epoch=1, step=3, stopped=True)


def test_files_without_their_state_are_no_checkpoint(copied_run):
    """The state is written last: what a save that was cut off leaves behind is passed over."""
    copied_run.checkpoint("state", 6).unlink()
    assert any(isinstance(one, Note) and "Resumed from step 3" in one.message for one in fit(copied_run))


def test_a_run_whose_checkpoints_are_all_damaged_fails_and_keeps_them(copied_run):
    run = copied_run
    for step in run.checkpoint_steps():
        damage_by_cutting(run.checkpoint("G", step))
    before = {path.name: path.stat().st_size for path in run.folder.glob("*_*.p*")}
    with pytest.raises(TrainingError, match="None of the 2 checkpoints"):
        fit(run)
    assert {path.name: path.stat().st_size for path in run.folder.glob("*_*.p*")} == before


def fresh_trainer(run: TrainingRun) -> tuple[Trainer, Part]:
    device = torch.device("cpu")
    config = config_for("v2", run.settings.data.sample_rate, size="tiny")
    state = TrainingState.fresh(config, run.settings.fit, device, needs_scaler=False)
    dataset = ClipDataset(run, config, list(ClipList.read(run.filelist)))
    sampler = ClipSampler.of(dataset.clips, run.settings.fit)
    return Trainer(state, dataset, device, FP32), next(parts(dataset, sampler, 0, 0))


def state_hash(module: torch.nn.Module) -> str:
    return hashlib.sha256(b"".join(one.detach().numpy().tobytes() for one in module.parameters())).hexdigest()


def test_a_discriminator_loss_that_is_not_finite_touches_no_weight(tiny_run):
    trainer, work = fresh_trainer(tiny_run())
    work.items[0].audio[:] = float("nan")
    before = state_hash(trainer.state.synthesizer), state_hash(trainer.state.discriminator)
    with pytest.raises(NonFiniteLossError, match="loss of the discriminator became nan at step 1"):
        trainer.stepper.step(work)
    assert (state_hash(trainer.state.synthesizer), state_hash(trainer.state.discriminator)) == before
    assert trainer.state.step == 0


def test_a_generator_loss_that_is_not_finite_touches_no_weight_of_it(tiny_run):
    trainer, work = fresh_trainer(tiny_run())
    work.items[0].content[:] = float("inf")  # reaches the prior and so the KL loss, but not the audio
    before = state_hash(trainer.state.synthesizer)
    with pytest.raises(NonFiniteLossError, match="loss of the generator became nan at step 1"):
        trainer.stepper.step(work)
    assert state_hash(trainer.state.synthesizer) == before


def test_both_networks_move_at_every_step(tiny_run):
    trainer, work = fresh_trainer(tiny_run())
    before = {name: one.detach().clone() for name, one in trainer.state.synthesizer.named_parameters()}
    judge = {name: one.detach().clone() for name, one in trainer.state.discriminator.named_parameters()}
    for _ in range(2):  # the flow's last layers begin at zero: what feeds them moves from the second step on
        trainer.stepper.step(work)
    still = [name for name, one in trainer.state.synthesizer.named_parameters() if torch.equal(one, before[name])]
    still += [name for name, one in trainer.state.discriminator.named_parameters() if torch.equal(one, judge[name])]
    assert not still


def test_tensorboard_has_the_tags_that_users_know(tiny_run, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setattr("rvc.train.fitting.board.AVERAGED_STEPS", 10)  # the running means appear every 50 steps
    run = tiny_run(epochs=2, save_every_epochs=2, batch_size=1)
    fit(run)
    board = EventAccumulator(str(run.folder))
    board.Reload()
    tags = board.Tags()
    parts = {"g/total", "g/adv", "g/fm", "g/mel", "g/kl", "d/adv"}
    assert {tag for tag in tags["scalars"] if not tag.startswith("update/")} == {
        *(f"loss/{one}" for one in parts), *(f"loss_avg_50/{one}" for one in parts), "loss/d/real", "loss/d/fake",
        *(f"{group}/{one}_{letter}" for group in ("grad", "grad_avg_50") for one in ("norm", "clipped") for letter in "gd"),
        "learning_rate", "time/data_fraction"}
    assert {"update/g/dec", "update/g/enc_p", "update/d/0"} < set(tags["scalars"])
    assert set(tags["images"]) == {"slice/mel_org", "slice/mel_gen", "all/mel"}
    assert tags["audio"] == ["gen/audio_0000010"]
    assert [one.step for one in board.Scalars("loss/g/total")] == [5, 10]
    assert [one.step for one in board.Scalars("loss_avg_50/g/mel")] == [10]
    rates = [one.value for one in board.Scalars("learning_rate")]
    assert rates == pytest.approx([2e-4 * 0.999875**epoch for epoch in range(2)], rel=1e-6)


def test_checkpoints_hold_what_rvc_programs_read(copied_run):
    for kind in ("G", "D"):
        content = torch.load(copied_run.checkpoint(kind, 3), weights_only=True)
        assert {"model", "iteration", "optimizer", "learning_rate"} <= content.keys()
        assert (content["iteration"], content["learning_rate"]) == (1, 2e-4)  # AdamW's from scratch
        assert not any("parametrizations" in name for name in content["model"])
        assert any(name.endswith("weight_g") for name in content["model"])


def base_pair(home, run: TrainingRun, step: int, *, spoil=lambda g, d: None) -> None:
    """The checkpoint of ``run`` as a pair that a user dropped into pretraineds_custom."""
    home.custom_pretraineds.mkdir(parents=True, exist_ok=True)
    contents = {kind: {"model": checkpoint.read(run.checkpoint(kind, step))["model"]} for kind in ("G", "D")}
    spoil(contents["G"]["model"], contents["D"]["model"])
    for kind, content in contents.items():
        checkpoint.write(home.custom_pretraineds / f"{kind}_own.pth", content)


def test_a_fine_tune_accounts_for_every_tensor_of_its_pretrain(finished, tiny_run, home):
    source = finished[0]
    base_pair(home, source, 3)
    items = fit(tiny_run("tuned", epochs=1, base_model="own"))
    note = next(one.message for one in items if isinstance(one, Note) and "Started from the pretrain own" in one.message)
    held = [len(checkpoint.read(source.checkpoint(kind, 3))["model"]) for kind in ("G", "D")]
    assert [tuple(map(int, one)) for one in re.findall(r"loaded (\d+) of (\d+) tensors", note)] == [(one, one) for one in held]
    assert losses(items)[0] != losses(fit(tiny_run("other", epochs=1)))[0]


def drop(g, d):
    del g["enc_p.emb_phone.weight"]


def reshape(g, d):
    d["discriminators.0.conv_post.bias"] = torch.zeros(7)


def add(g, d):
    g["dec.surplus.weight"] = torch.zeros(3)


@pytest.mark.parametrize(("spoil", "word"), [(drop, "enc_p.emb_phone.weight"), (reshape, "discriminators.0.conv_post.bias"),
                                             (add, "dec.surplus.weight")])
def test_a_pretrain_that_does_not_fit_is_an_error_before_the_first_step(finished, tiny_run, home, spoil, word):
    base_pair(home, finished[0], 3, spoil=spoil)
    run = tiny_run("tuned", epochs=1, base_model="own")
    seen = []
    with pytest.raises(FormatError, match=re.escape(word)):
        for item in Fit(run, home, lambda: False).events():
            seen.append(item)
    assert not losses(seen)
    assert not run.checkpoint_steps()
