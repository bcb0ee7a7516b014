"""The clip that every epoch is heard with: chosen, prepared once, kept, spoken by each epoch; and refused when there is nothing to hear."""

import numpy as np
import pytest
import soundfile
import torch

from rvc.audio import load
from rvc.embedders import registry as embedders
from rvc.errors import AudioError
from rvc.events import Note, Saved
from rvc.f0 import registry as f0
from rvc.paths import Home
from rvc.settings import flat, from_flat
from rvc.train import new_run
from rvc.train.listening.audition import Audition
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings
from tests.sounds import singing
from tests.train.conftest import SAMPLE_RATE
from tests.train.listening import CPU, Constant, config_of, hold_out, mark, random_network

pytestmark = pytest.mark.usefixtures("thin")


class Listening:
    """Stands in for the embedder: features that say where they are, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def extract(self, samples: np.ndarray) -> np.ndarray:
        self.asked.append(samples.shape[1])
        torch.randn(3)
        count = (samples.shape[1] - 400) // 320 + 1
        return np.repeat(np.arange(count, dtype=np.float32)[None, :, None] / 1000, 768, axis=2)


@pytest.fixture
def listening(monkeypatch) -> Listening:
    found = Listening()
    monkeypatch.setattr(embedders, "load", lambda name, version, device, home: found)
    monkeypatch.setattr(f0, "load", lambda name, device, home: Constant(200.0))
    return found


@pytest.fixture
def song(tmp_path):
    """A recording of the user's, 1.5 seconds at a rate of its own."""
    soundfile.write(tmp_path / "my song.wav", singing(1.5, 44_100), 44_100)
    return tmp_path / "my song.wav"


def audition_of(run: TrainingRun) -> Audition:
    return Audition.of(run, Home(run.folder.parent.parent), config_of(run), CPU)


# -- which clip --------------------------------------------------------------------------------------------------------------


def test_without_a_choice_the_longest_held_out_clip_is_heard(tiny_run):
    run = tiny_run()
    hold_out(run, 2)
    assert audition_of(run).seconds == pytest.approx(1.2)


def test_with_nothing_held_out_a_clip_that_is_trained_on_is_heard(tiny_run):
    run = tiny_run()
    assert audition_of(run).seconds == pytest.approx(1.2)
    assert not run.eval.exists()


def test_a_clip_of_the_users_choice_is_heard_at_frames_of_ten_milliseconds(tiny_run, song, listening):
    speech = audition_of(tiny_run(audition=str(song)))._speech()
    assert speech.content.shape == (1, 150, 768)
    assert torch.equal(speech.content[0, :6, 0] * 1000, torch.tensor([0.0, 0, 1, 1, 2, 2]))
    assert (int(speech.lengths), speech.coarse.shape, int(speech.speaker_id)) == (150, (1, 150), 0)
    assert torch.equal(speech.f0_hz, torch.full((1, 150), 200.0))


def test_a_long_clip_is_cut_to_twenty_seconds(tiny_run, tmp_path, listening):
    soundfile.write(tmp_path / "long.wav", singing(31, 16_000), 16_000)
    assert audition_of(tiny_run(audition=str(tmp_path / "long.wav"))).seconds == 20


def test_its_pitch_is_shifted(tiny_run, song, listening):
    for run in (tiny_run("own", audition=str(song), audition_pitch_shift=12), tiny_run("none", audition_pitch_shift=12)):
        f0_hz = audition_of(run)._speech().f0_hz
        assert float(f0_hz.max()) == pytest.approx(400 if run.name == "own" else 300)


def test_a_path_below_the_working_folder_is_kept_whole(tiny_run, song, monkeypatch):
    monkeypatch.chdir(song.parent)
    assert tiny_run(audition="my song.wav").settings.fit.audition == str(song)


# -- prepared once -----------------------------------------------------------------------------------------------------------


def test_it_is_listened_to_once_and_a_new_pitch_shift_needs_no_second_time(tiny_run, song, listening, home):
    run = tiny_run(audition=str(song))
    first = audition_of(run)._speech()
    again = audition_of(run)._speech()
    shifted = from_flat(TrainingSettings, {**flat(run.settings), "audition_pitch_shift": -12})
    lower = audition_of(new_run.create(home, "demo", shifted))._speech()
    assert listening.asked == [24_000]
    assert all(torch.equal(one, other) for one, other in zip(vars(first).values(), vars(again).values(), strict=True))
    assert torch.equal(lower.f0_hz, first.f0_hz / 2)


def test_another_recording_of_the_same_name_is_listened_to(tiny_run, song, listening):
    run = tiny_run(audition=str(song))
    audition_of(run)
    soundfile.write(song, singing(1.0, 44_100), 44_100)
    assert audition_of(run).seconds == 1
    assert len(listening.asked) == 2


def test_what_was_heard_outlives_the_file(tiny_run, song, listening):
    run = tiny_run(audition=str(song))
    audition_of(run)
    song.unlink()
    assert audition_of(run).seconds == 1.5


def test_what_another_detector_heard_is_not_taken(tiny_run, song, listening):
    audition_of(tiny_run(audition=str(song)))
    audition_of(tiny_run(audition=str(song), f0_method="swift"))
    assert len(listening.asked) == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", b"no archive"])
def test_a_damaged_copy_is_made_again(tiny_run, song, listening, damage):
    run = tiny_run(audition=str(song))
    audition_of(run)
    (run.eval / "audition.npz").write_bytes(damage)
    assert audition_of(run).seconds == 1.5
    assert audition_of(run).seconds == 1.5
    assert len(listening.asked) == 2


# -- nothing to hear ---------------------------------------------------------------------------------------------------------


def silent(path) -> None:
    soundfile.write(path, np.zeros(32_000), 16_000)


def short(path) -> None:
    soundfile.write(path, singing(0.2, 16_000), 16_000)


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda path: None, "There is no file"),
    (lambda path: path.write_text("a letter"), "is not an audio file"),
    (lambda path: path.touch(), "empty"),
    (lambda path: path.mkdir(), "is a folder"),
    (silent, "is silent in its first 2 seconds"),
    (short, "lasts 0.20 seconds"),
])
def test_a_clip_of_the_users_choice_without_a_sound_is_refused_in_a_sentence(tiny_run, tmp_path, listening, make, sentence):
    (tmp_path / "clip.wav").touch()
    run = tiny_run(audition=str(tmp_path / "clip.wav"))
    (tmp_path / "clip.wav").unlink()
    make(tmp_path / "clip.wav")
    with pytest.raises(AudioError, match=sentence) as raised:
        audition_of(run)
    assert "clip to listen to" in raised.value.message
    assert raised.value.fix
    assert listening.asked == []


def test_a_clip_that_does_not_exist_is_refused_before_there_is_a_run(tiny_run, home, tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav, does not exist"):
        tiny_run("never", audition=str(tmp_path / "gone.wav"))
    assert not (home.logs / "never").exists()


# -- spoken ------------------------------------------------------------------------------------------------------------------


def test_every_epoch_speaks_it_into_a_file_of_its_own(tiny_run):
    run = tiny_run()
    network = random_network(run)
    events = list(audition_of(run).at(network, 2, 6))
    assert [(type(one), one.what, one.path, one.epoch, one.step) for one in events] == [(Saved, "audition", "eval/2e_6s.flac", 2, 6)]
    sound = load(run.folder / events[0].path)
    assert (sound.sample_rate, sound.seconds) == (SAMPLE_RATE, pytest.approx(1.2))
    assert sound.peak > 0


def test_speaking_disturbs_nothing_and_sounds_the_same_twice(tiny_run):
    run = tiny_run()
    network, made = random_network(run), audition_of(run)
    before = mark(network)
    list(made.at(network, 1, 3))
    assert mark(network) == before
    torch.randn(17)
    list(made.at(network, 2, 6))
    assert np.array_equal(load(run.eval / "1e_3s.flac").samples, load(run.eval / "2e_6s.flac").samples)


def test_preparing_leaves_the_random_state_as_it_was(tiny_run, song, listening):
    run = tiny_run(audition=str(song))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    audition_of(run)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_voice_without_pitch_guidance_speaks_too(tiny_run, song, listening, monkeypatch):
    monkeypatch.setattr(f0, "load", lambda *_: pytest.fail("no pitch is needed"))
    for run in (tiny_run("own", pitch_guidance=False, audition=str(song)), tiny_run("none", pitch_guidance=False)):
        for _ in range(2):  # listened to, and as it was kept
            list(audition_of(run).at(random_network(run), 1, 3))
        assert load(run.eval / "1e_3s.flac").peak > 0


def test_samples_that_are_not_numbers_are_a_warning_and_no_file(tiny_run, monkeypatch):
    run = tiny_run()
    network = random_network(run)
    monkeypatch.setattr(network, "infer", lambda *inputs: torch.full((1, 1, 100), float("nan")))
    (note,) = audition_of(run).at(network, 1, 3)
    assert isinstance(note, Note)
    assert note.level == "warning"
    assert not run.eval.exists()


def test_a_failure_is_a_warning_and_leaves_the_network_as_it_was(tiny_run, monkeypatch):
    run = tiny_run()
    network = random_network(run)
    before = mark(network)
    with monkeypatch.context() as patched:
        patched.setattr(network, "infer", lambda *inputs: 1 / 0)
        (note,) = audition_of(run).at(network, 5, 3)
    assert note.message == "The clip to listen to of epoch 5 failed, and the training goes on: ZeroDivisionError: division by zero"
    assert mark(network) == before
