"""The encoder's recipe, tiny: targets stand where they should, perturbations keep to their bounds, a few steps learn and resume."""

import numpy as np
import pytest
import torch

from recipes.corpus import clips
from recipes.encoder import finishing, perturbations, prepare, report, targets, train
from recipes.encoder.examples import CROP_FRAMES, NO_PHONE, Examples
from recipes.encoder.objective import Objective
from rvc.embedders.frames import frame_count
from rvc.embedders.mini import N_MELS, LogMel, MiniEncoder, Size
from tests.sounds import singing

CPU = torch.device("cpu")


class FakeTeacher:
    """768 values that follow the loudness of a frame."""

    def extract(self, samples: np.ndarray) -> np.ndarray:
        frames = frame_count(samples.shape[1])
        loudness = np.array([np.abs(samples[0, 320 * i : 320 * i + 400]).mean() for i in range(frames)], np.float32)
        return (loudness[None, :, None] * np.linspace(-10, 10, 768, dtype=np.float32)).astype(np.float32)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two speakers who say the same two sentences, one of them with known sounds."""
    folder = tmp_path_factory.mktemp("corpus")
    phones = tuple(clips.Phone(0.5 * i, 0.5 * i + 0.5, "ab"[i % 2]) for i in range(8))
    said = [clips.Clip(speaker, f"{number:03}", singing(4.0, 16_000, low_hz=pitch, seed=number), False, "text", known)
            for speaker, pitch, known in (("en-low", 100.0, phones), ("en-high", 200.0, ())) for number in range(2)]
    list(clips.write(folder, iter(said)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "Teacher", lambda device: FakeTeacher())
        prepare.prepare(clips.read(folder), folder / "work", CPU)
    return folder / "work"


# -- targets -------------------------------------------------------------------------------------------------------------------


def test_frames_of_a_faster_copy_lie_further_apart_in_the_original():
    assert np.allclose(targets.positions_at(50, 1.0), np.arange(50))
    steps = np.diff(targets.positions_at(50, 1.25))
    assert np.allclose(steps, 1.25)


def test_a_copys_positions_point_at_the_moment_that_the_copy_holds():
    """A click in the original and in a copy at another speed."""
    samples = np.zeros(32_000, np.float32)
    samples[16_000:16_040] = 1
    copy = targets.at_speed(samples, 0.8)
    loudest = [int(np.abs(FakeTeacher().extract(one[None])[0]).sum(axis=1).argmax()) for one in (samples, copy)]
    assert targets.positions_at(frame_count(len(copy)), 0.8)[loudest[1]] == pytest.approx(loudest[0], abs=1)


def test_reading_between_frames_is_linear_and_stays_inside():
    features = np.arange(5, dtype=np.float32)[:, None] * np.array([1.0, 2.0], np.float32)
    assert np.allclose(targets.at_times(features, np.array([-3.0, 0.5, 3.25, 9.0]))[:, 1], [0, 1, 6.5, 8])
    assert targets.at_times(features[:1], np.array([0.0, 2.0])).shape == (2, 2)


def test_a_speakers_speech_gets_mean_0_and_variance_1():
    features = np.random.default_rng(0).normal(5, 3, (400, 6)).astype(np.float32)
    speech = np.arange(400) < 300
    found = targets.standardised(features, speech)
    assert np.allclose(found[speech].mean(axis=0), 0, atol=1e-4)
    assert np.allclose(found[speech].std(axis=0), 1, atol=1e-2)


def test_a_sentence_said_slower_by_another_is_brought_into_ones_own_time():
    own = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    slower = np.repeat(own, 2, axis=0)
    assert np.allclose(targets.aligned(own, slower), own, atol=1e-5)
    assert np.allclose(targets.shared(own, [slower]), own, atol=1e-5)
    assert targets.shared(own, []) is own


# -- perturbations -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mel() -> torch.Tensor:
    return LogMel()(torch.from_numpy(np.stack([singing(2.0, 16_000, seed=seed) for seed in range(8)])))


def test_perturbed_speech_is_finite_keeps_its_shape_and_leaves_the_original_alone(mel):
    before = mel.clone()
    for seed in range(5):
        found = perturbations.perturbed(mel, torch.Generator().manual_seed(seed))
        assert found.shape == mel.shape
        assert found.isfinite().all()
        assert found.min() >= perturbations.FLOOR
    assert torch.equal(mel, before)


def test_the_same_seed_perturbs_in_the_same_way(mel):
    one, other = (perturbations.perturbed(mel, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(one, other)


def test_formants_move_by_a_fifth_at_most():
    mel = torch.full((64, N_MELS, 4), -8.0)
    mel[:, 40] = 0
    peaks = perturbations.formants_moved(mel, torch.Generator().manual_seed(0)).argmax(dim=1)[:, 0]
    ratios = perturbations._heights()[peaks] / perturbations._heights()[40]
    assert ratios.min() > 0.8
    assert ratios.max() < 1.25
    assert len(peaks.unique()) > 5


def test_a_telephone_leaves_nothing_above_its_band(mel):
    found = perturbations.telephone(mel, torch.Generator())
    heights = perturbations._heights()
    assert (found[:, heights > 3400] == perturbations.FLOOR).all()
    assert torch.equal(found[:, (heights > 300) & (heights < 3400)], mel[:, (heights > 300) & (heights < 3400)])


def test_noise_and_rooms_only_add(mel):
    for change in (perturbations.noisy, perturbations.room):
        assert (change(mel, torch.Generator().manual_seed(0)) >= mel - 1e-3).all()


# -- what is trained on, and training ------------------------------------------------------------------------------------------


def test_crops_hold_two_mel_frames_for_each_target(work):
    examples = Examples.read(work)
    batch = next(examples.batches(6, seed=0))
    assert batch.mel.shape == (6, N_MELS, 2 * CROP_FRAMES)
    assert batch.target.shape == (6, CROP_FRAMES, 768)
    assert batch.phones.shape == (6, CROP_FRAMES)
    assert examples.phone_names == ["en a", "en b"]
    assert set(batch.phones.unique().tolist()) <= {NO_PHONE, 0, 1}
    assert batch.target.isfinite().all()


def test_the_sounds_of_a_copy_at_speed_1_are_where_the_synthesiser_said():
    samples = singing(2.0, 16_000)
    entry = type("Entry", (), {"language": "en", "phones": lambda self: [clips.Phone(0.0, 1.0, "a"), clips.Phone(1.0, 2.0, "b")]})()
    named = prepare.phones_of(entry, frame_count(len(samples)))
    assert [named[0], named[48], named[51], named[-1]] == ["en a", "en a", "en b", "en b"]


def course(minutes: float) -> train.Course:
    torch.manual_seed(0)
    return train.Course(MiniEncoder(Size(width=16, blocks=1)), Objective(2), minutes, CPU)


def test_a_few_steps_learn_and_a_second_start_goes_on(work, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "WARM_UP", 0.0)
    examples, checkpoint = Examples.read(work), tmp_path / "checkpoint.pt"
    first = course(minutes=60)
    losses = [step for step, _ in zip(train.train(first, examples, 4, checkpoint), range(30), strict=False)]
    assert losses[-1]["total"] < 0.9 * losses[0]["total"]
    first.save(checkpoint)
    second = course(minutes=first.seconds / 60)
    assert list(train.train(second, examples, 4, checkpoint)) == []  # its time is up already
    assert second.steps == first.steps
    for name, value in first.average.items():
        assert torch.equal(second.average[name], value)


def test_the_finished_student_says_channels_of_mean_0_and_variance_1_on_average(work, monkeypatch):
    monkeypatch.setattr(finishing, "BATCHES", 10)
    examples, student = Examples.read(work), course(minutes=1).student
    finishing.finish(student, examples, 4, CPU)
    said, _ = finishing._said(student, examples, 4, CPU, seed=1)
    assert torch.allclose(said.mean(dim=0), torch.zeros(768), atol=1e-3)
    assert said.var(dim=0).mean() == pytest.approx(1, abs=1e-3)


def test_directions_in_which_a_sound_differs_from_itself_are_shrunk():
    """Two sounds that differ along the first axis, and each from itself along the second: shrunk by the closed form."""
    random = torch.Generator().manual_seed(0)
    phones = torch.arange(400) % 2
    content = torch.randn(400, 3, generator=random) * torch.tensor([0.1, 5.0, 0.1]) + phones[:, None] * torch.tensor([2.0, 0, 0])
    spread = (content @ finishing.turned(content, phones)).std(dim=0)
    shrunk = (spread[1] / spread[0]) / (content[:, 1].std() / content[:, 0].std())
    ridge = finishing.RIDGE * 25 / 3  # nearly all variance within sounds is the second axis'
    assert shrunk == pytest.approx((ridge / (25 + ridge)) ** 0.5, rel=0.1)


def test_without_any_known_sound_the_student_is_finished_all_the_same():
    content = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    assert finishing.turned(content, torch.full((200,), NO_PHONE)).isfinite().all()


# -- the report ----------------------------------------------------------------------------------------------------------------


def spoken(seed: int, spread: float, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Two sounds along two axes; ``shift``: along a third, which is the speaker."""
    random, axes = np.random.default_rng(seed), np.eye(3)
    points = {name: axes[i] + shift * axes[2] + random.normal(0, spread, (10, 3)) for i, name in enumerate("ab")}
    return {name: one / np.linalg.norm(one, axis=1, keepdims=True) for name, one in points.items()}


def test_sounds_that_lie_apart_are_told_apart_and_noise_is_not():
    assert report.abx({"x": spoken(0, 0.01), "y": spoken(1, 0.01)}, across=False) == 0
    assert report.abx({"x": spoken(0, 0.01), "y": spoken(1, 0.01, shift=1.0)}, across=True) == 0
    assert report.abx({"x": spoken(0, 100.0), "y": spoken(1, 100.0)}, across=True) == pytest.approx(0.5, abs=0.1)


def test_a_speaker_is_named_by_what_only_the_speaker_has():
    def utterances(apart: float) -> list[report.Said]:
        random = np.random.default_rng(0)
        return [report.Said(speaker, random.normal(0, 1, (100, 8)) + apart * number, {})
                for number, speaker in enumerate("xy") for _ in range(40)]

    assert report.speaker_named(utterances(apart=2.0), 25) == 1
    assert report.speaker_named(utterances(apart=0.0), None) < 0.75
