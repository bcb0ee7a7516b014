"""Reading voices in every spelling, refusing what is none, and finding them in logs/."""

import functools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rvc import checkpoint
from rvc.errors import FormatError, SettingsError
from rvc.export import VoiceFacts, export_voice
from rvc.models.config import ModelConfig, config_for
from rvc.models.synthesizer import Synthesizer
from rvc.paths import Home
from rvc.voices import VoiceLibrary, VoiceModel

ABSENT = object()


@functools.cache
def tensors_of(config: ModelConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: one.half() for name, one in checkpoint.state_of(Synthesizer(config, posterior=False)).items()}


def content_of(version: str = "v2", rate: int = 40000, f0: bool = True, vocoder: str = "HiFi-GAN") -> dict:
    """What Applio writes, with a tiny network in it."""
    config = config_for(version, rate, f0, vocoder, size="tiny", n_speakers=4)
    return {
        "weight": dict(tensors_of(config)), "config": config.as_list(), "sr": rate, "f0": f0, "version": version,
        "epoch": 200, "step": 4000, "creation_date": "2026-08-01T12:00:00.123456", "model_hash": "ab" * 32,
        "dataset_length": "00:10:30", "model_name": "Ana", "author": "None", "embedder_model": "contentvec",
        "speakers_id": 1, "vocoder": vocoder,
    }


@pytest.fixture
def written(tmp_path):
    """A voice with some of its keys changed or left out."""

    def write(content: dict | None = None, **changes) -> Path:
        content = {**(content or content_of()), **changes}
        torch.save({key: value for key, value in content.items() if value is not ABSENT}, tmp_path / "ana.pth")
        return tmp_path / "ana.pth"

    return write


# -- what a file says ----------------------------------------------------------------------------------------------------------


def test_applios_voice_is_read(written):
    voice = VoiceModel.read(written())
    assert (voice.name, voice.epoch, voice.step, voice.embedder, voice.n_speakers, voice.author) == ("Ana", 200, 4000, "contentvec", 1, "")
    assert (voice.dataset_seconds, voice.created, voice.model_hash) == (630, "2026-08-01T12:00:00.123456", "ab" * 32)
    assert (voice.config.version, voice.config.sample_rate, voice.config.pitch_guidance) == ("v2", 40000, True)
    assert voice.config.n_speakers == 4


@pytest.mark.parametrize("f0", [1, 0])
def test_mainlines_voice_is_read(written, f0):
    content = content_of("v1", 48000, bool(f0))
    kept = {key: content[key] for key in ("weight", "config", "version")} | {"sr": "48k", "f0": f0, "info": "200epoch"}
    if f0:
        del kept["version"]  # files from before v2
    path = written({**kept})
    voice = VoiceModel.read(path)
    assert (voice.config.version, voice.config.pitch_guidance, voice.info) == ("v1", bool(f0), "200epoch")
    assert (voice.name, voice.embedder, voice.n_speakers, voice.author, voice.dataset_seconds) == ("ana", "contentvec", 1, "", None)
    assert voice.synthesizer().config == voice.config


@pytest.mark.parametrize("rate", [40000, "40000", "40k", ABSENT])
def test_the_rate_is_read_in_every_spelling(written, rate):
    assert VoiceModel.read(written(sr=rate)).config.sample_rate == 40000


@pytest.mark.parametrize("f0", [True, 1, "1", ABSENT])
def test_pitch_guidance_is_read_in_every_spelling(written, f0):
    assert VoiceModel.read(written(f0=f0)).config.pitch_guidance is True


@pytest.mark.parametrize("f0", [False, 0])
def test_a_voice_without_pitch_guidance_is_read_in_every_spelling(written, f0):
    voice = VoiceModel.read(written(content_of(f0=False), f0=f0))
    assert voice.config.pitch_guidance is False
    assert not hasattr(voice.synthesizer().enc_p, "emb_pitch")


@pytest.mark.parametrize(("values", "expected"), [
    ({"dataset_length": ABSENT, "dataset_lenght": "01:00:01"}, ("dataset_seconds", 3601)),  # as Applio 3.2.5 spelled it
    ({"dataset_length": None}, ("dataset_seconds", None)),
    ({"dataset_length": "unknown"}, ("dataset_seconds", None)),
    ({"epoch": "200"}, ("epoch", 200)),
    ({"epoch": None}, ("epoch", 0)),
    ({"speakers_id": 3}, ("n_speakers", 3)),
    ({"speakers_id": 0}, ("n_speakers", 1)),
    ({"speakers_id": 1000}, ("n_speakers", 4)),
    ({"embedder_model": ABSENT}, ("embedder", "contentvec")),
    ({"embedder_model": "spin-v2"}, ("embedder", "spin-v2")),
    ({"author": "Bo"}, ("author", "Bo")),
    ({"model_name": ABSENT}, ("name", "ana")),
    ({"vocoder": ABSENT}, ("name", "Ana")),
    ({"overtrain_info": "none", "made_with": 7, "tags": ["a", {"b": 1.5}]}, ("name", "Ana")),
])
def test_older_and_harmless_spellings_are_understood(written, values, expected):
    voice = VoiceModel.read(written(**values))
    assert getattr(voice, expected[0]) == expected[1]


def test_the_speaker_table_overrules_the_list(written):
    content = content_of()
    content["config"][15] = 109
    voice = VoiceModel.read(written(content))
    assert voice.config.n_speakers == 4
    assert voice.synthesizer().emb_g.weight.shape == (4, 16)


def test_everything_can_be_shown_as_plain_json(written):
    import json

    shown = json.loads(json.dumps(VoiceModel.read(written()).as_dict()))
    assert (shown["kind"], shown["sample_rate"], shown["embedder"], shown["n_speakers"]) == ("voice", 40000, "contentvec", 1)


# -- its network ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [checkpoint.old_names, checkpoint.new_names])
def test_both_spellings_of_weight_norm_make_the_same_network(written, names):
    content = content_of()
    network = VoiceModel.read(written(content, weight=names(content["weight"]))).synthesizer()
    assert not network.training
    assert not any(name.startswith("enc_q") or one.requires_grad for name, one in network.named_parameters())
    assert {one.dtype for one in network.parameters()} == {torch.float32}
    g, v = (content["weight"][f"dec.ups.1.weight_{part}"].float() for part in "gv")
    torch.testing.assert_close(network.dec.ups[1].weight, v * g / v.flatten(1).norm(dim=1)[:, None, None])


def test_loading_a_voice_draws_nothing(written):
    voice = VoiceModel.read(written())
    torch.manual_seed(7)
    voice.synthesizer()
    after = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), after)


def test_a_posterior_that_was_left_in_is_passed_over(written):
    content = content_of()
    content["weight"]["enc_q.pre.bias"] = torch.zeros(32).half()
    assert not hasattr(VoiceModel.read(written(content)).synthesizer(), "enc_q")


@pytest.mark.parametrize(("change", "said"), [
    (lambda weight: weight.pop("flow.flows.2.post.bias"), r"missing \(flow.flows.2.post.bias\)"),
    (lambda weight: weight.update(more=torch.zeros(2)), r"unknown \(more\)"),
    (lambda weight: weight.update({"enc_p.proj.bias": torch.zeros(5)}), "enc_p.proj.bias has the shape 5, not 64"),
    (lambda weight: weight.update({"enc_p.proj.bias": torch.zeros(64, dtype=torch.int32)}), r"no tensor of fractions \(enc_p.proj.bias\)"),
])
def test_a_network_that_does_not_fit_its_description_is_refused(written, change, said):
    content = content_of()
    change(content["weight"])
    with pytest.raises(FormatError, match=said) as caught:
        VoiceModel.read(written(content)).synthesizer()
    assert "ana.pth" in str(caught.value)


# -- what is no voice ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "said"), [
    ({"weight": ABSENT}, "no weights"),
    ({"weight": {}}, "no weights"),
    ({"weight": torch.zeros(3)}, "no weights"),
    ({"weight": {"a": 1.0}}, "entry 'a' that is not a tensor"),
    ({"weight": {3: torch.zeros(1)}}, "entry 3"),
    ({"weight": ABSENT, "model": {"a": torch.zeros(1)}}, "training checkpoint"),
    ({"optimizer": {"state": [torch.zeros(1)]}}, "tensors outside 'weight', under 'optimizer'"),
    ({"epoch": torch.tensor(3)}, "tensors outside 'weight', under 'epoch'"),
    ({"config": ABSENT}, "18 entries"),
    ({"config": [1, 2]}, "18 entries"),
    ({"version": "v3"}, "version 'v3'"),
    ({"vocoder": "RefineGAN"}, "they have a HiFi-GAN vocoder, not RefineGAN"),
    ({"vocoder": "RefineGAN", "f0": 0}, "RefineGAN vocoder exists for v2 voices with pitch guidance only"),
    ({"vocoder": "WaveGlow"}, "no vocoder 'WaveGlow'"),
    ({"sr": "fast"}, "'fast' is not a sample rate"),
    ({"sr": [40000]}, "not a sample rate"),
    ({"epoch": "many"}, "'epoch' is 'many'"),
    ({"speakers_id": [1]}, "'speakers_id'"),
    ({"f0": "yes"}, "'f0'"),
    ({"model_name": ["Ana"]}, "'model_name' is a list"),
])
def test_a_file_that_is_no_voice_is_refused_with_the_reason(written, changes, said):
    with pytest.raises(FormatError, match=said) as caught:
        VoiceModel.read(written(**changes))
    assert str(caught.value).startswith("ana.pth")


@pytest.mark.parametrize(("entry", "value", "said"), [
    (2, 64, "conv_pre"), (3, 64, "emb_phone"), (4, 128, "conv_1"), (6, 3, "ffn_layers.2.conv_1.weight is missing"), (7, 5, "conv_1"),
    (10, [3, 7, 9], "resblocks.2"), (13, 32768, "conv_pre"), (14, [18, 16, 4, 4], "ups.0"), (16, 256, "emb_g"),
])
def test_a_description_of_another_network_is_refused_before_any_is_built(written, entry, value, said):
    content = content_of()
    content["config"][entry] = value
    with pytest.raises(FormatError, match=said):
        VoiceModel.read(written(content))


@pytest.mark.parametrize("vocoder", ["MRF HiFi-GAN", "RefineGAN"])
def test_voices_with_the_further_vocoders_are_read_also_when_the_file_does_not_say(vocoder, written):
    content = content_of(rate=24000, vocoder=vocoder)
    assert content["vocoder"] == vocoder
    for changes in ({}, {"vocoder": ABSENT}):
        voice = VoiceModel.read(written(content, **changes))
        assert voice.config == replace(config_for("v2", 24000, vocoder=vocoder, size="tiny", n_speakers=4), segment_samples=32 * 240)
        assert not voice.synthesizer().training


def test_the_old_refinegan_is_refused_by_name(written):
    content = content_of(rate=24000, vocoder="RefineGAN")
    content["weight"]["dec.pre_conv.weight_v"] = torch.zeros(256, 1, 7).half()
    with pytest.raises(FormatError, match=r"ana\.pth: This is a RefineGAN of the old kind"):
        VoiceModel.read(written(content))


def test_a_checkpoint_given_as_a_voice_says_how_to_make_one(tmp_path):
    torch.save({"model": {"emb_g.weight": torch.zeros(1, 1)}, "iteration": 1}, tmp_path / "G_1.pth")
    with pytest.raises(FormatError) as caught:
        VoiceModel.read(tmp_path / "G_1.pth")
    assert "export" in caught.value.fix


# -- the library ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def put(home: Home, *names: str, age: float = 0) -> None:
    """Files below logs/; nobody opens them while listing."""
    for name in names:
        path = home.logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))


def names(home: Home) -> list[str]:
    return [entry.name for entry in VoiceLibrary(home).entries()]


def index_of(home: Home, name: str) -> str | None:
    entry = VoiceLibrary(home).find(name)
    return entry.index.relative_to(home.logs).as_posix() if entry.index else None


def test_an_empty_or_missing_folder_has_no_voices(home):
    assert names(home) == []
    home.logs.mkdir()
    assert names(home) == []


def test_voices_are_listed_by_folder_with_the_newest_first(home):
    put(home, "zoe/zoe_10e_100s.pth", age=30)
    put(home, "zoe/zoe_20e_200s.pth", age=20)
    put(home, "zoe/zoe_15e_150s.pth", age=10)
    put(home, "Bo/bo_9e_90s.pth", "Bo/bo_10e_100s.pth", "alone.pth", age=5)
    assert names(home) == ["alone", "Bo/bo_10e_100s", "Bo/bo_9e_90s", "zoe/zoe_15e_150s", "zoe/zoe_20e_200s", "zoe/zoe_10e_100s"]


def test_what_is_no_voice_is_not_listed(home):
    put(home, "run/G_100.pth", "run/D_100.pth", "run/G_2333333.pth", "run/state_100.pt", "run/.run_1e_1s.pth.x.part.pth", "run/run.index",
        ".hidden/a.pth", "mute/f0/mute.wav.npy", "run/eval/notes.txt")
    assert names(home) == []


def test_applios_run_folder_is_a_run_of_ours(home):
    put(home, "ana/ana_100e_900s.pth", "ana/G_2333333.pth", "ana/D_2333333.pth", "ana/ana.index", "ana/model_info.json",
        "ana/sliced_audios/0_0_0.wav", "ana/extracted/0_0_0.npy", "ana/ana_100e_900s_best_epoch.pth")
    assert names(home) == ["ana/ana_100e_900s", "ana/ana_100e_900s_best_epoch"]
    assert index_of(home, "ana") == "ana/ana.index"


@pytest.mark.parametrize(("voice", "indexes", "expected"), [
    ("ana/ana_9e_9s.pth", ["ana/ana.index"], "ana/ana.index"),
    ("ana/ana_9e_9s.pth", ["ana/other.index", "ana/ana.index"], "ana/ana.index"),
    ("ana/ana_9e_9s.pth", ["ana/added_ana_v2.index", "ana/trained_ana_v2.index"], "ana/added_ana_v2.index"),
    ("ana/x_e9_s9.pth", ["ana/added_IVF256_Flat_nprobe_1_x_v2.index", "ana/added_IVF256_Flat_nprobe_1_y_v2.index"],
     "ana/added_IVF256_Flat_nprobe_1_x_v2.index"),
    ("ana/some.pth", ["ana/ana.index", "ana/more.index"], "ana/ana.index"),
    ("ana/some.pth", ["ana/anything.index"], "ana/anything.index"),
    ("ana/some.pth", ["ana/one.index", "ana/two.index"], None),
    ("ana/some.pth", ["ana/trained_IVF1_Flat.index"], None),
    ("ana/some.pth", ["bo/some.index"], None),
    ("weights/x_12e_99s_best_epoch.pth", ["weights/x.index", "weights/y.index"], "weights/x.index"),
    ("some.pth", ["some.index", "other.index"], "some.index"),
    ("take_2024_11.pth", ["take.index"], None),
    ("some.pth", ["other.index"], None),
    ("some.pth", ["added_IVF9_Flat_nprobe_1_some_v2.index"], "added_IVF9_Flat_nprobe_1_some_v2.index"),
    ("Ana/ANA.pth", ["Ana/ana.index"], "Ana/ana.index"),
])
def test_an_index_is_paired_with_the_voice_it_belongs_to(home, voice, indexes, expected):
    put(home, voice, *indexes)
    assert index_of(home, voice.removesuffix(".pth")) == expected


def test_a_voice_is_found_by_run_by_name_by_file_and_by_path(home, tmp_path):
    put(home, "ana/ana_1e_1s.pth", age=9)
    put(home, "ana/ana_2e_2s.pth", "Bo Li/bo.pth")
    library = VoiceLibrary(home)
    assert library.find("ana").name == "ana/ana_2e_2s"
    assert library.find("ana/ana_1e_1s").name == "ana/ana_1e_1s"
    assert library.find("ana_1e_1s.pth").name == "ana/ana_1e_1s"
    assert library.find("bo").name == "Bo Li/bo"
    assert library.find("Bo Li").name == "Bo Li/bo"
    assert library.find(home.logs / "ana" / "ana_1e_1s.pth").path == home.logs / "ana" / "ana_1e_1s.pth"
    outside = tmp_path / "downloads" / "guest.pth"
    outside.parent.mkdir()
    outside.write_bytes(b"")
    (outside.parent / "guest.index").write_bytes(b"")
    entry = library.find(outside)
    assert (entry.name, entry.path, entry.index) == ("guest", outside, outside.parent / "guest.index")


def test_a_voice_that_is_not_there_is_an_error_with_the_nearest_name(home):
    put(home, "marianne/marianne_1e_1s.pth")
    with pytest.raises(SettingsError, match="no voice 'mariane'") as caught:
        VoiceLibrary(home).find("mariane")
    assert "'marianne'" in caught.value.fix


def test_a_file_name_that_two_folders_have_is_asked_about(home):
    put(home, "a/same.pth", "b/same.pth")
    with pytest.raises(SettingsError) as caught:
        VoiceLibrary(home).find("same")
    assert "a/same, b/same" in caught.value.fix


def test_links_are_followed_once(home, tmp_path):
    put(home, "ana/ana.pth")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "guest.pth").write_bytes(b"")
    (home.logs / "linked").symlink_to(shelf)
    (home.logs / "ana" / "loop").symlink_to(home.logs)
    (home.logs / "ana" / "dead.pth").symlink_to(tmp_path / "gone.pth")
    assert "linked/guest" in names(home)
    assert names(home).count("ana/ana") == 1


def test_a_voice_is_opened_again_only_when_it_changed(home):
    path = home.logs / "ana.pth"
    path.parent.mkdir()
    torch.save(content_of(), path)
    library = VoiceLibrary(home)
    first = library.read(library.find("ana"))
    assert library.read(path) is first
    torch.save({**content_of(), "model_name": "Another Ana"}, path)
    assert library.read(path).name == "Another Ana"
    path.unlink()
    with pytest.raises(FormatError, match="no file"):
        library.read(path)


def test_listing_voices_needs_no_torch(home):
    put(home, "ana/ana.pth")
    program = ("import sys; from pathlib import Path; from rvc.paths import Home; from rvc.voices import VoiceLibrary; "
               f"print(VoiceLibrary(Home(Path({str(home.root)!r}))).entries()[0].name, 'torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ana/ana", "False"]


def test_an_exported_voice_is_found_and_read(home):
    config = config_for("v2", 24000, size="tiny", n_speakers=2)
    export_voice(Synthesizer(config), config, home.logs / "ana" / "ana_3e_9s.pth", VoiceFacts(name="ana", epoch=3, step=9))
    library = VoiceLibrary(home)
    voice = library.read(library.find("ana"))
    assert (voice.name, voice.epoch, voice.step, voice.config.sample_rate, voice.info) == ("ana", 3, 9, 24000, "3epoch")
