"""The corpus on disk: what goes in comes out, and what is held out stays so."""

import numpy as np

from recipes.corpus import clips, recordings, sentences, synthesis
from recipes.corpus.packages import Packages
from tests.sounds import singing


def clip(**values) -> clips.Clip:
    return clips.Clip(**({"speaker": "en-x", "name": "001", "samples": singing(1.0, 16_000), "held_out": False} | values))


def test_a_corpus_is_read_as_it_was_written(tmp_path):
    phones = (clips.Phone(0.0, 0.25, "a"), clips.Phone(0.25, 1.0, "b,c"))
    written = [clip(text='Say "yes", then.', phones=phones), clip(name="002", held_out=True)]
    assert list(clips.write(tmp_path, iter(written))) == written
    first, second = clips.read(tmp_path)
    assert (first.text, first.held_out, first.language, first.seconds) == ('Say "yes", then.', False, "en", 1.0)
    assert first.phones() == list(phones)
    assert (second.held_out, second.phones()) == (True, [])
    assert np.abs(first.samples() - written[0].samples).max() < 1e-4


def test_what_is_too_short_or_too_quiet_is_left_out(tmp_path):
    odd = [clip(samples=singing(0.4, 16_000)), clip(samples=np.zeros(32_000, np.float32)), clip(samples=np.zeros(0, np.float32))]
    assert list(clips.write(tmp_path, iter(odd))) == []
    assert clips.read(tmp_path) == []


def test_about_a_tenth_of_the_recordings_is_held_out_the_same_in_every_language():
    held_out = [clips.is_held_out(f"prompt-{number}") for number in range(2000)]
    assert 0.07 < np.mean(held_out) < 0.13
    assert clips.is_held_out("agent-pass") == clips.is_held_out("agent-pass")


def test_sentences_to_train_on_and_sentences_held_out_are_different_ones(tmp_path):
    packages = Packages(tmp_path, tmp_path)
    for name in ("wisdom", "science", "people", "education", "platitudes"):
        packages.fortunes.mkdir(parents=True, exist_ok=True)
        letters = "abcdefghijklmnopqrstuvwxyz"
        sayings = [f"The {a}{b} of {name} is long enough." for a in letters for b in letters[:8]]
        (packages.fortunes / name).write_text("\n%\n".join([*sayings, "Too short.", "It is 7 o'clock in the digits."]))
    found = sentences.of("en", packages)
    assert len(found) == len(set(found)) == sentences.TRAIN + sentences.HELD_OUT
    assert all(sentence.endswith("long enough.") for sentence in found)


def test_an_unheard_speaker_says_held_out_sentences_only():
    for speaker in synthesis.SPEAKERS:
        numbers = [number for number, _ in speaker._texts(["text"] * (sentences.TRAIN + sentences.HELD_OUT))]
        assert min(numbers) == (sentences.TRAIN if speaker.unheard else 0)
        assert max(numbers) >= sentences.TRAIN


def test_every_language_that_is_reported_has_unheard_speakers():
    unheard = {speaker.name.split("-")[0] for speaker in synthesis.SPEAKERS if speaker.unheard}
    assert unheard >= {"en", "cs", "it"}
    names = [speaker.name for speaker in (*synthesis.SPEAKERS, *recordings.SPEAKERS)]
    assert len(names) == len(set(names))
