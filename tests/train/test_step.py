"""One step: the same however its batch is divided, and what it promises when memory or numbers run out."""

import copy
from dataclasses import replace

import pytest
import torch

from rvc.device import FP32
from rvc.errors import TrainingError
from rvc.models.config import config_for
from rvc.models.synthesizer import frames_from
from rvc.train.data.clips import ClipList, ClipSampler
from rvc.train.fitting import losses
from rvc.train.fitting.dataset import ClipDataset, Part, parts
from rvc.train.fitting.mel import mel_spectrogram
from rvc.train.fitting.ranks import ALONE, Ranks
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.step import Stepper

pytestmark = pytest.mark.usefixtures("thin")

CPU = torch.device("cpu")
BATCH = 4


@pytest.fixture
def prepared(tiny_run):
    """A function that gives a fresh state and the first batch, for settings by name. All states have equal weights."""

    def made(**values) -> tuple[TrainingState, Part]:
        run = tiny_run(batch_size=BATCH, **values)
        config = config_for("v2", run.settings.data.sample_rate, size="tiny")
        state = TrainingState.fresh(config, run.settings.fit, CPU, needs_scaler=False)
        state.set_rates(total_steps=100)
        dataset = ClipDataset(run, config, list(ClipList.read(run.filelist)))
        sampler = ClipSampler.of(dataset.clips, run.settings.fit)
        return state, next(one for one in parts(dataset, sampler, 0, 0) if len(one) == BATCH)

    return made


def stepped(state: TrainingState, work: Part, steps: int = 2, ranks: Ranks = ALONE) -> list[dict[str, float]]:
    stepper = Stepper(state, CPU, FP32, ranks)
    return [stepper.step(work).by_tag() for _ in range(steps)]


def close(some: list[dict[str, float]], others: list[dict[str, float]], rel: float) -> bool:
    return all(one == pytest.approx(other, rel=rel, abs=1e-6) for one, other in zip(some, others, strict=True))


def furthest(a: torch.nn.Module, b: torch.nn.Module) -> float:
    """The largest difference of two weights."""
    return max((x - y).abs().max().item() for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("accumulate", [2, 4])
def test_a_batch_in_parts_is_the_batch_at_once(prepared, accumulate):
    whole, work = prepared()
    parted, same_work = prepared(accumulate=accumulate)
    assert close(stepped(parted, same_work), stepped(whole, work), rel=2e-3)  # Adam's first steps magnify rounding
    assert furthest(whole.synthesizer, parted.synthesizer) < 4.1e-4  # two steps of 1e-4, at worst in opposite directions


def test_activation_checkpointing_changes_no_number(prepared):
    plain, work = prepared()
    saving, same_work = prepared(activation_checkpointing=True)
    assert saving.synthesizer.dec.checkpointing and saving.discriminator.checkpointing
    assert stepped(saving, same_work) == stepped(plain, work)


class SmallMemory:
    """A discriminator's forward that has room for so many clips of real and generated audio together."""

    def __init__(self, forward, clips: int) -> None:
        self._forward, self._clips, self.refused = forward, clips, 0

    def __call__(self, audio):
        if len(audio) > self._clips:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        return self._forward(audio)


@pytest.mark.parametrize(("room", "sizes"), [(4, [2]), (2, [2, 1])])
def test_out_of_memory_halves_the_part_and_gives_the_same_step(prepared, monkeypatch, room, sizes):
    whole, work = prepared()
    expected = stepped(whole, work)
    state, same_work = prepared()
    small = SmallMemory(state.discriminator.forward, room)
    monkeypatch.setattr(state.discriminator, "forward", small)
    stepper = Stepper(state, CPU, FP32)
    values = [stepper.step(same_work).by_tag() for _ in range(2)]
    assert small.refused == len(sizes)
    assert stepper.at_once == sizes[-1]
    assert [f"from here on {size} at a time" in said for size, said in zip(sizes, stepper.smaller, strict=True)] == [True] * len(sizes)
    assert close(values, expected, rel=2e-3)


def test_no_memory_for_a_single_clip_is_a_sentence(prepared, monkeypatch):
    state, work = prepared()
    before = copy.deepcopy(state.synthesizer)
    monkeypatch.setattr(state.discriminator, "forward", SmallMemory(state.discriminator.forward, 0))
    with pytest.raises(TrainingError, match="too small for a single clip"):
        stepped(state, work)
    assert furthest(before, state.synthesizer) == 0
    assert state.step == 0


def refusing(words: str):
    def refuse(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError(words) if words.startswith("CUDA") else RuntimeError(words)
    return refuse


@pytest.mark.parametrize("words", ["CUDA out of memory. Tried to allocate a lot", "DefaultCPUAllocator: can't allocate memory"])
@pytest.mark.parametrize(("letter", "network"), [("d", "discriminator"), ("g", "generator")])
def test_no_memory_for_an_optimizer_is_a_sentence_with_a_way_out(prepared, monkeypatch, letter, network, words):
    state, work = prepared()
    monkeypatch.setattr(getattr(state, f"optimizer_{letter}"), "step", refusing(words))
    stepper = Stepper(state, CPU, FP32)
    with pytest.raises(TrainingError, match=f"too small for an update of the {network} by AdamW") as failed:
        stepper.step(work)
    assert "optimizer that keeps less" in failed.value.fix
    assert (state.step, stepper.smaller, stepper.at_once) == (0, [], BATCH), "parts of the batch were not to blame"


def test_no_memory_for_the_running_mean_is_a_sentence(prepared, monkeypatch):
    state, work = prepared(ema_decay=0.9)
    monkeypatch.setattr(state.ema, "update_parameters", refusing("MPS backend out of memory"))
    with pytest.raises(TrainingError, match="too small for the running mean") as failed:
        stepped(state, work)
    assert "--ema-decay" in failed.value.fix


def test_another_failure_of_an_optimizer_is_its_own(prepared, monkeypatch):
    state, work = prepared()
    monkeypatch.setattr(state.optimizer_g, "step", refusing("a matrix without a root"))
    with pytest.raises(RuntimeError, match="without a root"):
        stepped(state, work)


def test_another_failure_is_not_taken_for_a_lack_of_memory(prepared, monkeypatch):
    state, work = prepared()

    def broken(audio):
        raise RuntimeError("a size does not match")

    monkeypatch.setattr(state.discriminator, "forward", broken)
    with pytest.raises(RuntimeError, match="does not match"):
        stepped(state, work)


def test_a_compiler_that_is_not_there_is_a_sentence(prepared, monkeypatch):
    from torch._inductor import config as inductor

    monkeypatch.setattr(inductor.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr(inductor, "force_disable_caches", True)
    state, work = prepared(compile=True)
    state.discriminator.discriminators = state.discriminator.discriminators[:1]  # to trace all nine takes a while
    with pytest.raises(TrainingError, match=r"torch\.compile failed") as failed:
        stepped(state, work)
    assert "--compile" in failed.value.fix
    assert state.step == 0


class RecordedRanks(Ranks):
    """Two processes played one after the other: the first one's sums are kept for the second."""

    def __init__(self, index: int, kept: list) -> None:
        self.index, self.count, self._kept = index, 2, kept

    def sum(self, tensors) -> None:
        if self.index == 0:
            self._kept.append([one.clone() for one in tensors])
        else:
            for one, other in zip(tensors, self._kept.pop(0), strict=True):
                one += other


def test_two_processes_add_up_to_one(prepared):
    """The discriminator's step, whose sums do not depend on what came before: each process adds its share."""
    whole, work = prepared()
    expected = stepped(whole, work, steps=1)[0]
    kept: list = []
    for index in (0, 1):
        state, same_work = prepared()
        share = replace(same_work, items=same_work.items[index::2], places=same_work.places[index::2], frames=same_work.frames[index::2])
        values = stepped(state, share, steps=1, ranks=RecordedRanks(index, kept))[0]
    for tag in ("loss/d/adv", "loss/d/real", "loss/d/fake", "grad/norm_d"):
        assert values[tag] == pytest.approx(expected[tag], rel=1e-5)


def test_a_limit_on_the_gradient_is_kept_and_counted(prepared):
    state, work = prepared(clip_generator=1.0, clip_discriminator=1e5)
    values = stepped(state, work, steps=1)[0]
    norm = torch.nn.utils.get_total_norm([one.grad for one in state.synthesizer.parameters() if one.grad is not None])
    assert float(norm) == pytest.approx(1.0, rel=1e-3)
    assert values["grad/norm_g"] > 1.0  # what it was before
    assert (values["grad/clipped_g"], values["grad/clipped_d"]) == (1.0, 0.0)


def test_the_running_mean_follows_the_weights(prepared):
    state, work = prepared(ema_decay=0.9)
    stepper = Stepper(state, CPU, FP32)
    expected = None
    for _ in range(3):
        stepper.step(work)
        now = [one.detach().clone() for one in state.synthesizer.parameters()]
        expected = now if expected is None else [0.9 * old + 0.1 * new for old, new in zip(expected, now, strict=True)]
    for mean, wanted in zip(state.voice.parameters(), expected, strict=True):
        assert torch.allclose(mean, wanted, atol=1e-7)


def test_on_a_gpu_a_broken_loss_reaches_no_weight_though_nobody_waits(prepared, monkeypatch):
    """The way of a GPU, taken on the CPU: the fused optimizer itself leaves the weights alone, from that step on."""
    state, work = prepared()
    stepper = Stepper(state, CPU, FP32)
    monkeypatch.setattr(stepper, "_waits", False)
    stepper.step(work)
    before = copy.deepcopy(state.synthesizer), copy.deepcopy(state.discriminator)
    work.items[0].audio[:] = float("nan")
    values = stepper.step(work)
    work.items[0].audio[:] = 0.0
    stepper.step(work)
    assert furthest(before[0], state.synthesizer) == furthest(before[1], state.discriminator) == 0
    assert values.by_tag()["loss/d/adv"] != values.by_tag()["loss/d/adv"]


def test_alone_the_generator_learns_and_the_discriminator_waits(prepared):
    state, work = prepared(generator_alone_steps=1)
    before = copy.deepcopy(state.synthesizer), copy.deepcopy(state.discriminator)
    alone, judged = stepped(state, work, steps=1)[0], copy.deepcopy(state.discriminator)
    assert furthest(before[0], state.synthesizer) > 0
    assert furthest(before[1], judged) == 0
    assert not any("/d/" in tag or tag.endswith("_d") for tag in alone)
    assert alone["loss/g/total"] == pytest.approx(alone["loss/g/mel"] + alone["loss/g/kl"], rel=1e-6)
    together = stepped(state, work, steps=1)[0]
    assert furthest(judged, state.discriminator) > 0
    assert together["loss/g/adv"] > 0 and together["loss/g/fm"] > 0
    assert together["loss/d/adv"] > 0


def test_alone_in_parts_is_alone_at_once(prepared):
    whole, work = prepared(generator_alone_steps=5)
    parted, same_work = prepared(generator_alone_steps=5, accumulate=2)
    assert close(stepped(parted, same_work), stepped(whole, work), rel=2e-3)
    assert furthest(whole.synthesizer, parted.synthesizer) < 4.1e-4


@pytest.mark.parametrize(("asked", "several"), [("auto", False), ("single-scale", False), ("multi-scale", True)])
def test_spectra_are_compared_at_the_resolutions_that_are_asked_for(prepared, asked, several):
    state, work = prepared(mel_loss=asked, generator_alone_steps=1)
    made = []
    state.synthesizer.register_forward_hook(lambda _, given, output: made.append(output))
    told = stepped(state, work, 1)[0]["loss/g/mel"]
    config, fake = state.config, made[0].audio.detach()
    real = frames_from(work.batch(CPU).audio, made[0].slice_starts * config.hop_length, config.segment_samples)
    bands = {"sample_rate": config.sample_rate, "n_fft": config.n_fft, "hop_length": config.hop_length, "n_mels": config.n_mels}
    at_one = losses.mel_loss(*(mel_spectrogram(audio[:, 0], **bands) for audio in (real, fake)), weight=45.0)
    at_seven = losses.multiscale_mel_loss(real, fake, sample_rate=config.sample_rate, weight=15.0)
    assert told == pytest.approx(float(at_seven if several else at_one), rel=1e-5)
    assert abs(float(at_seven - at_one)) > 0.01 * float(at_one)
