"""The whole conversion on a tiny voice: lengths, seams, settings, failures and what they leave behind."""

import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from rvc import audio
from rvc.audio_samples import SampleFile
from rvc.errors import AudioError, DeviceError, EmbedderMismatchError, FormatError, SettingsError
from rvc.events import EventLog, Note, Progress
from rvc.index.build import build
from rvc.infer.chain import Chain
from rvc.infer.converter import Converted, Converter, destination
from rvc.infer.outcome import STAGES
from rvc.infer.recording import decoded
from rvc.infer.segments import pieces
from rvc.infer.settings import ConversionSettings
from rvc.models.synthesizer import Synthesizer
from tests.infer.conftest import LocalDetector, LocalEmbedder, add_voice, smallest
from tests.sounds import singing

DRY = {"index_rate": 0.0, "device": "cpu"}


def settings(**values) -> ConversionSettings:
    return ConversionSettings(**(DRY | values))


def convert(converter, source, output, voice="ada", index=None, **values) -> Converted:
    *_, last = converter.convert(source, output, voice, settings(**values), index)
    assert isinstance(last, Converted)
    return last


def result(converter, source, voice="ada", index=None, **values) -> np.ndarray:
    output = source.with_name("result.wav")
    convert(converter, source, output, voice, index, **values)
    return audio.load(output).samples


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Spy:
    """What reaches the synthesizer, piece by piece."""

    def __init__(self, monkeypatch) -> None:
        self.calls = []
        infer = Synthesizer.infer

        def watched(network, speech, given, **rest):
            self.calls.append({**vars(speech), **vars(given), **rest})
            return infer(network, speech, given, **rest)

        monkeypatch.setattr(Synthesizer, "infer", watched)

    def last(self, name) -> np.ndarray:
        return self.calls[-1][name][0].numpy()


@pytest.fixture
def spy(monkeypatch) -> Spy:
    return Spy(monkeypatch)


# ---- length and seams

ODD_LENGTHS = [(160, 16_000), (441, 44_100), (1000, 44_100), (16_001, 16_000), (48_001, 48_000), (70_007, 96_000)]


@pytest.mark.parametrize(("count", "rate"), ODD_LENGTHS)
def test_the_result_is_exactly_as_long_as_the_recording(converter, tmp_path, count, rate):
    source = tmp_path / "in.wav"
    soundfile.write(source, singing(count / rate, rate)[:count], rate)
    event = convert(converter, source, tmp_path / "out.wav")
    assert soundfile.info(tmp_path / "out.wav").frames == round(count * 40_000 / rate)
    assert (event.seconds, event.sample_rate) == (count / rate, 40_000)


@pytest.mark.parametrize("voice_rate", [24_000, 32_000, 48_000])
def test_the_length_is_exact_at_every_rate_of_voices(home, converter, song, voice_rate):
    add_voice(home, "other", smallest("v2", voice_rate))
    assert len(result(converter, song, "other")) == 2 * voice_rate


def joins_of(source: Path, chunk_seconds: float) -> list[int]:
    """Frames at which a conversion of ``source`` is joined."""
    with SampleFile(source) as samples:
        work = decoded(source, audio.probe(source), samples)
        try:
            while True:
                next(work)
        except StopIteration as end:
            recording = end.value
        return [piece.start for piece in pieces(recording.read, len(recording), len(recording) // 160, chunk_seconds)][1:]


def test_pieces_are_those_of_the_unsplit_conversion(converter, tmp_path):
    """What is left comes from the attention of the content encoder, which sees other surroundings; here with random weights."""
    source = tmp_path / "long.wav"
    soundfile.write(source, singing(17.3, 16_000), 16_000)
    split, whole = result(converter, source, chunk_seconds=5), result(converter, source, chunk_seconds=120)
    assert len(joins_of(source, 5)) == 2
    assert np.sqrt(((split - whole) ** 2).mean() / (whole**2).mean()) < 0.005
    assert np.abs(split - whole).max() < 0.1 * np.sqrt((whole**2).mean())


@pytest.mark.parametrize(("vocoder", "voice_rate"), [("HiFi-GAN", 40_000), ("MRF HiFi-GAN", 32_000), ("RefineGAN", 24_000)])
def test_without_that_attention_pieces_are_equal_to_the_unsplit_conversion_even_at_the_joins(
    vocoder, voice_rate, home, converter, tmp_path
):
    path = add_voice(home, "ada", smallest("v2", voice_rate, vocoder=vocoder))
    content = torch.load(path, weights_only=True)
    for name, weight in content["weight"].items():
        if ".conv_o." in name:  # the way out of every attention layer
            weight.zero_()
        if name.endswith(".input_conv.weight"):  # RefineGAN starts nearly silent
            weight.mul_(30)
        if name.startswith("dec.upsample_conv_blocks.") and weight.dim() == 1 and name.endswith((".0.weight", ".2.weight")):
            weight.fill_(0.02)  # its noise, loud enough to be heard
    torch.save(content, path)
    source = tmp_path / "long.wav"
    soundfile.write(source, singing(17.3, 16_000), 16_000)
    split, whole = result(converter, source, chunk_seconds=5), result(converter, source, chunk_seconds=120)
    assert np.abs(whole).max() > 0.01
    assert np.abs(split - whole).max() <= 1.01 / 32768, "one step of a 16-bit file"


def test_every_piece_gets_the_pitch_phase_and_noise_of_its_place(converter, tmp_path, spy):
    source = tmp_path / "long.wav"
    soundfile.write(source, singing(17.3, 16_000), 16_000)
    result(converter, source, chunk_seconds=120)
    whole = spy.calls.pop()
    result(converter, source, chunk_seconds=5)
    starts = [0, *joins_of(source, 5)]
    assert len(spy.calls) == len(starts) == 3
    hop_seconds = 400 / 40_000
    for call, start in zip(spy.calls, starts, strict=True):
        frames = slice(start, start + call["f0_hz"].shape[1])
        np.testing.assert_allclose(call["content"][0].numpy(), whole["content"][0, frames].numpy(), atol=2e-5)
        for name in ("f0_hz", "coarse"):
            np.testing.assert_array_equal(call[name][0].numpy(), whole[name][0, frames].numpy())
        np.testing.assert_array_equal(call["latent"][0].numpy(), whole["latent"][0, :, frames].numpy())
        samples = slice(frames.start * 400, frames.stop * 400)
        np.testing.assert_array_equal(call["source"][0].numpy(), whole["source"][0, samples].numpy())
        cycles = whole["f0_hz"][0, :start].double().sum().item() * hop_seconds
        assert call["phase"].item() == pytest.approx(cycles, abs=1e-9)
        assert call["phase"].dtype == torch.float64


def test_nothing_of_the_recording_is_missing_at_its_end(converter, tmp_path, spy):
    source = tmp_path / "in.wav"
    soundfile.write(source, singing(1.0, 16_000), 16_000)
    result(converter, source)
    assert spy.last("content").shape == (300, 768)  # with a second of context on either side
    features = LocalEmbedder().extract(singing(1.0, 16_000)[None])[0]
    reached = spy.last("content")[100:200:2]
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(reached, features, strict=False)]
    assert min(likeness[2:]) > 0.9, "frame i of the recording is frame i of the result"


# ---- what the settings do

def test_the_same_seed_gives_the_same_samples_and_another_seed_others(converter, song):
    first = result(converter, song, seed=1)
    torch.manual_seed(99)
    np.random.seed(99)
    np.testing.assert_array_equal(result(converter, song, seed=1), first)
    assert np.abs(result(converter, song, seed=2) - first).max() > 1e-3


def test_pitch_shift_multiplies_the_pitch_and_leaves_unvoiced_frames_alone(converter, song, spy):
    result(converter, song)
    plain = spy.last("f0_hz")
    assert 0 < (plain == 0).mean() < 1
    result(converter, song, pitch_shift=12)
    np.testing.assert_allclose(spy.last("f0_hz"), 2 * plain, rtol=1e-5)
    assert spy.last("coarse").max() > 1
    assert set(spy.last("coarse")[plain == 0]) == {1}


def test_autotune_comes_after_the_shift_and_lands_on_notes(converter, song, spy):
    result(converter, song)
    plain = spy.last("f0_hz")
    result(converter, song, pitch_shift=3, autotune=1)
    tuned = spy.last("f0_hz")
    semitones = 12 * np.log2(tuned[tuned > 0] / 440)
    np.testing.assert_allclose(semitones, np.round(semitones), atol=0.005)
    expected = 12 * np.log2(plain[plain > 0] / 440) + 3
    assert np.abs(semitones - expected).max() <= 0.51
    np.testing.assert_array_equal(tuned == 0, plain == 0)


@pytest.fixture
def index(tmp_path) -> Path:
    vectors = np.random.default_rng(5).standard_normal((300, 768)).astype(np.float32)
    build([vectors], tmp_path / "some.index")
    return tmp_path / "some.index"


def test_the_index_moves_voiced_frames_and_protect_guards_the_others(converter, song, spy, index):
    result(converter, song)
    plain, voiced = spy.last("content"), spy.last("f0_hz") > 0
    result(converter, song, index=index, index_rate=0.6, protect=0.5)
    blended = spy.last("content")
    moved = np.abs(blended - plain).max(axis=1)
    assert (moved > 0.01).all()
    result(converter, song, index=index, index_rate=0.6, protect=0.2)
    guarded = spy.last("content")
    np.testing.assert_array_equal(guarded[voiced], blended[voiced])
    np.testing.assert_allclose(guarded[~voiced], 0.2 * blended[~voiced] + 0.8 * plain[~voiced], atol=1e-5)


def test_the_index_beside_the_voice_is_used_unless_the_rate_is_zero(home, converter, song, index):
    beside = home.logs / "ada" / "ada.index"
    index.rename(beside)
    assert convert(converter, song, song.with_name("a.wav"), index_rate=0.5).index == str(beside)
    assert convert(converter, song, song.with_name("a.wav"), index_rate=0.0).index is None


def test_loudness_zero_takes_that_of_the_input(converter, tmp_path):
    source = tmp_path / "in.wav"
    loud, quiet = singing(3.0, 16_000), 0.1 * singing(3.0, 16_000)
    soundfile.write(source, np.concatenate([loud, quiet]), 16_000)
    taken = result(converter, source, rms_mix_rate=0)
    ratio = np.sqrt((taken[40_000:80_000] ** 2).mean() / (taken[160_000:200_000] ** 2).mean())
    assert ratio == pytest.approx(10, rel=0.1)
    assert np.sqrt((taken[40_000:80_000] ** 2).mean()) == pytest.approx(np.sqrt((loud[16_000:32_000] ** 2).mean()), rel=0.1)


def test_the_result_stays_below_full_scale(converter, tmp_path, monkeypatch):
    source = tmp_path / "in.wav"
    soundfile.write(source, singing(2.0, 16_000), 16_000)
    infer = Synthesizer.infer
    monkeypatch.setattr(Synthesizer, "infer", lambda *a, **k: 300 * infer(*a, **k))
    assert np.abs(result(converter, source)).max() == pytest.approx(0.99, abs=0.001)


def test_speakers_differ_and_untrained_ones_are_warned_of(converter, song):
    one, two = result(converter, song), result(converter, song, speaker_id=1)
    assert np.abs(one - two).max() > 1e-4
    np.testing.assert_array_equal(result(converter, song, speaker="1"), two)
    events = list(converter.convert(song, song.with_name("x.wav"), "ada", settings(speaker_id=3)))
    assert [event.level for event in events if isinstance(event, Note)] == ["warning"]
    assert isinstance(events[-1], Converted)


def test_a_voice_without_pitch_guidance_needs_no_detector(home, song, spy):
    add_voice(home, "plain", smallest("v2", 40_000, pitch_guidance=False))

    def no_detector(*arguments):
        raise AssertionError("a detector was loaded")

    converter = Converter(home, load_embedder=lambda *arguments: LocalEmbedder(), load_detector=no_detector)
    event = convert(converter, song, song.with_name("out.wav"), "plain")
    assert event.f0_method is None
    assert spy.calls[-1]["f0_hz"] is None
    assert soundfile.info(event.output).frames == 80_000


def test_a_v1_voice_is_given_features_256_wide(home, converter, song, spy):
    add_voice(home, "old", smallest("v1", 48_000))
    assert len(result(converter, song, "old")) == 96_000
    assert spy.last("content").shape[1] == 256


@pytest.mark.parametrize("output_format", ["wav", "flac", "mp3", "ogg", "m4a"])
def test_every_output_format_can_be_read_back_and_says_its_rate(converter, song, output_format):
    output = song.with_name(f"out.{output_format}")
    events = list(converter.convert(song, output, "ada", settings(output_format=output_format)))
    rate = 44_100 if output_format in ("mp3", "m4a") else 40_000
    assert events[-1].sample_rate == audio.probe(output).sample_rate == rate
    assert audio.probe(output).seconds == pytest.approx(2.0, abs=0.001)
    assert any("44100" in event.message for event in events if isinstance(event, Note)) == (rate == 44_100)


def test_without_a_suffix_the_setting_names_the_format(tmp_path):
    assert destination(tmp_path / "a.wav", tmp_path / "b", settings(output_format="flac")) == tmp_path / "b.flac"
    assert destination(tmp_path / "a.wav", tmp_path / "b.MP3", settings()) == tmp_path / "b.MP3"


def test_outputs_that_cannot_be_are_refused_before_anything_is_done(converter, song, tmp_path):
    before = listing(tmp_path)
    for output, values, words in [
        (song, {}, "recording"), (tmp_path / "a.opus", {}, "wav, flac"), (tmp_path / "a.wav", {"output_format": "mp3"}, "asked for"),
    ]:
        with pytest.raises(SettingsError, match=words):
            convert(converter, song, output, **values)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(SettingsError, match="folder"):
        convert(converter, song, tmp_path / "folder.wav")
    assert listing(tmp_path) == before


# ---- what is reported

def test_the_report_names_everything_and_its_times_add_up(converter, song, tmp_path):
    event = convert(converter, song, tmp_path / "out.wav")
    assert set(event.stage_seconds) == set(STAGES)
    assert all(event.stage_seconds[stage] > 0 for stage in STAGES)
    assert sum(event.stage_seconds.values()) <= event.elapsed_seconds
    assert event.rtf == pytest.approx(event.elapsed_seconds / event.seconds)
    assert (event.voice, event.embedder, event.f0_method, event.speaker_id, event.pieces) == ("ada/ada", "builtin", "local", 0, 1)
    assert (event.source, event.output, event.device) == (str(song), str(tmp_path / "out.wav"), "CPU")


def test_the_time_that_the_reader_of_events_takes_is_no_stages_time(converter, song, tmp_path):
    import time

    for event in converter.convert(song, tmp_path / "out.wav", "ada", settings()):
        if isinstance(event, Progress):
            time.sleep(0.2)
    assert event.elapsed_seconds - sum(event.stage_seconds.values()) > 0.5


def test_progress_rises_within_each_stage_to_its_total(converter, tmp_path):
    source = tmp_path / "long.wav"
    soundfile.write(source, singing(17.3, 16_000), 16_000)
    events = [event for event in converter.convert(source, tmp_path / "out.wav", "ada", settings(chunk_seconds=5))
              if isinstance(event, Progress)]
    assert list(dict.fromkeys(event.stage for event in events)) == ["load", "f0", "synthesis", "write"]
    for before, after in pairwise(events):
        assert before.stage != after.stage or before.done <= after.done
    for stage in ("load", "f0", "synthesis", "write"):
        last = [event for event in events if event.stage == stage][-1]
        assert last.done == last.total > 0


def test_an_event_log_holds_the_report(converter, song, tmp_path):
    event = convert(converter, song, tmp_path / "out.wav")
    log = EventLog(tmp_path / "events.jsonl")
    log.append(event)
    assert log.read()[0] == [event]


# ---- what fails, and what is left then

def test_silence_in_gives_numbers_out(converter, tmp_path):
    source = tmp_path / "in.wav"
    soundfile.write(source, np.zeros(16_000), 16_000)
    for rate in (1.0, 0.0, 0.25):
        samples = result(converter, source, rms_mix_rate=rate)
        assert len(samples) == 40_000
        assert np.isfinite(samples).all()


@pytest.mark.parametrize("what", ["nan", "empty", "picture", "missing", "short"])
def test_a_bad_recording_is_an_audio_error_and_leaves_the_older_result(converter, song, tmp_path, what):
    output = tmp_path / "results" / "out.wav"
    convert(converter, song, output)
    source = tmp_path / "bad.wav"
    match what:
        case "nan":
            soundfile.write(source, np.full(16_000, np.nan), 16_000, subtype="FLOAT")
        case "empty":
            source.touch()
        case "picture":
            source.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
        case "short":
            soundfile.write(source, np.zeros(100), 16_000)
    before = listing(tmp_path)
    with pytest.raises(AudioError):
        convert(converter, source, output)
    assert listing(tmp_path) == before


def test_a_damaged_voice_or_index_and_unknown_names_are_said(home, converter, song, tmp_path, index):
    output = tmp_path / "out.wav"
    with pytest.raises(SettingsError, match="no voice"):
        convert(converter, song, output, "nobody")
    with pytest.raises(SettingsError, match="between 0 and 3"):
        convert(converter, song, output, speaker_id=4)
    with pytest.raises(DeviceError):
        convert(converter, song, output, device="cuda:77")
    with pytest.raises(FormatError, match="no index"):
        convert(converter, song, output, index=tmp_path / "nowhere.index", index_rate=0.5)
    path = home.logs / "ada" / "ada.pth"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FormatError):
        convert(converter, song, output)
    assert not output.exists()


def test_an_index_of_other_features_is_refused(home, converter, song, index):
    add_voice(home, "old", smallest("v1", 40_000))
    with pytest.raises(FormatError, match="768 wide"):
        convert(converter, song, song.with_name("out.wav"), "old", index, index_rate=0.5)


def test_a_voice_of_another_builtin_encoder_is_refused(home, converter, song, monkeypatch):
    monkeypatch.setattr("rvc.export.embedders.BUILTIN_CONTENT", "timbre-mini 0")
    add_voice(home, "early", smallest("v2", 40_000))
    monkeypatch.undo()
    with pytest.raises(EmbedderMismatchError, match="another built-in encoder"):
        convert(converter, song, song.with_name("out.wav"), "early")
    assert not song.with_name("out.wav").exists()


def test_another_embedder_than_the_voices_is_refused(home, converter, song):
    with pytest.raises(EmbedderMismatchError, match="contentvec was asked for"):
        convert(converter, song, song.with_name("out.wav"), embedder="contentvec")
    assert convert(converter, song, song.with_name("out.wav"), embedder="builtin").embedder == "builtin"


def test_weights_that_are_not_numbers_are_found_out(home, converter, song, tmp_path):
    path = home.logs / "ada" / "ada.pth"
    content = torch.load(path, weights_only=True)
    content["weight"]["dec.conv_post.weight"][:] = float("nan")
    torch.save(content, path)
    with pytest.raises(AudioError, match="weights are damaged"):
        convert(converter, song, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_too_little_memory_is_said_with_what_helps(converter, song, tmp_path, monkeypatch):
    def full(*arguments, **rest):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(Synthesizer, "infer", full)
    with pytest.raises(DeviceError, match="chunk_seconds"):
        convert(converter, song, tmp_path / "out.wav")


@pytest.mark.parametrize("stage", ["load", "f0", "synthesis", "write"])
def test_closing_the_generator_cancels_and_leaves_everything_as_it_was(converter, song, tmp_path, stage):
    output = tmp_path / "results" / "out.wav"
    convert(converter, song, output)
    before = listing(tmp_path)
    work = converter.convert(song, output, "ada", settings(seed=5))
    for event in work:
        if isinstance(event, Progress) and event.stage == stage:
            break
    work.close()
    assert listing(tmp_path) == before
    convert(converter, song, output)  # and the converter is free again


# ---- what stays loaded

class Counted:
    """Loaders that count."""

    def __init__(self, home) -> None:
        self.embedders = self.detectors = 0
        self.converter = Converter(home, load_embedder=self.embedder, load_detector=self.detector)

    def embedder(self, *arguments):
        self.embedders += 1
        return LocalEmbedder()

    def detector(self, *arguments):
        self.detectors += 1
        return LocalDetector()


def test_models_are_loaded_once_and_again_after_release(home, song, tmp_path, monkeypatch):
    counted, voices = Counted(home), []
    monkeypatch.setattr(Synthesizer, "for_inference", lambda network: voices.append(network) or network.eval().requires_grad_(False))
    for _ in range(3):
        convert(counted.converter, song, tmp_path / "out.wav")
    assert (counted.embedders, counted.detectors, len(voices)) == (1, 1, 1)
    counted.converter.release()
    convert(counted.converter, song, tmp_path / "out.wav")
    assert (counted.embedders, counted.detectors, len(voices)) == (2, 2, 2)


def test_a_voice_that_was_replaced_is_read_again(home, converter, song):
    first = result(converter, song)
    torch.manual_seed(123)
    path = home.logs / "ada" / "ada.pth"
    content = torch.load(path, weights_only=True)
    content["weight"]["emb_g.weight"] = torch.randn_like(content["weight"]["emb_g.weight"].float()).half()
    torch.save({**content, "info": "changed"}, path)
    assert np.abs(result(converter, song) - first).max() > 1e-4


def test_conversions_of_several_threads_do_not_mix(home, converter, tmp_path):
    add_voice(home, "eve", smallest("v2", 40_000))
    sources = []
    for i, voice in enumerate(["ada", "eve", "ada", "eve"]):
        source = tmp_path / f"{i}.wav"
        soundfile.write(source, singing(1.5, 16_000, seed=i), 16_000)
        sources.append((source, voice))
    alone = []
    for source, voice in sources:
        convert(converter, source, tmp_path / "alone.wav", voice)
        alone.append((tmp_path / "alone.wav").read_bytes())
    threads = [threading.Thread(target=convert, args=(converter, source, tmp_path / f"{source.stem}_out.wav", voice))
               for source, voice in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(tmp_path / f"{source.stem}_out.wav").read_bytes() for source, _ in sources] == alone


def test_a_second_conversion_may_begin_while_the_first_is_read(converter, song, tmp_path):
    first = converter.convert(song, tmp_path / "first.wav", "ada", settings())
    next(first)
    convert(converter, song, tmp_path / "second.wav")
    *_, last = first
    assert Path(last.output).read_bytes() == (tmp_path / "second.wav").read_bytes()


def test_an_embedder_that_sees_less_of_the_end_is_filled_up(converter, song, monkeypatch, spy):
    class Short(LocalEmbedder):
        def extract(self, samples):
            return super().extract(samples)[:, :-1]

    chain = Chain.converted
    monkeypatch.setattr(Chain, "converted", lambda self, *a: chain(replace(self, embedder=Short()), *a))
    assert len(result(converter, song)) == 80_000
    np.testing.assert_array_equal(spy.last("content")[-1], spy.last("content")[-4])
