"""Writing voices: exactly what Applio and mainline RVC read."""

import hashlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import torch

from rvc import checkpoint
from rvc.embedders.registry import BUILTIN_CONTENT
from rvc.errors import FormatError
from rvc.export import VoiceFacts, export_voice, model_hash, voice_from_checkpoint
from rvc.inspection import inspected
from rvc.models.config import ModelConfig, config_for
from rvc.models.discriminators import Discriminator
from rvc.models.speech import Speech
from rvc.models.synthesizer import Synthesizer
from rvc.voices import VoiceModel

KEYS = Path(__file__).parent / "data" / "keys"
FACTS = VoiceFacts(name="Ana", epoch=12, step=340, embedder="spin-v2", n_speakers=2, dataset_seconds=3725.6, author="Me")


def network(version: str = "v2", rate: int = 40000, f0: bool = True, **changes) -> Synthesizer:
    torch.manual_seed(0)
    return Synthesizer(replace(config_for(version, rate, f0, size="tiny", n_speakers=4), **changes))


@pytest.fixture
def voice(tmp_path) -> dict:
    synthesizer = network()
    export_voice(synthesizer, synthesizer.config, tmp_path / "ana.pth", FACTS)
    return torch.load(tmp_path / "ana.pth", weights_only=True)


def test_a_voice_has_the_keys_of_both_programs(voice):
    weight, config = voice.pop("weight"), voice.pop("config")
    created = datetime.strptime(voice.pop("creation_date"), "%Y-%m-%dT%H:%M:%S.%f")
    assert abs((datetime.now() - created).total_seconds()) < 60
    assert all(isinstance(one, torch.Tensor) for one in weight.values())
    assert voice == {
        "sr": 40000, "f0": 1, "version": "v2", "vocoder": "HiFi-GAN", "info": "12epoch", "epoch": 12, "step": 340,
        "model_hash": hashlib.sha256(f"Ana-12-340-40000-v2-{config}".encode()).hexdigest(), "dataset_length": "01:02:05",
        "model_name": "Ana", "author": "Me", "embedder_model": "spin-v2", "speakers_id": 2,
        "weights_are": "as trained",
    }
    assert type(voice["f0"]) is int
    assert config == [1025, 32, 32, 32, 64, 2, 2, 3, 0, "1", [3, 7, 11], [[1, 3, 5]] * 3, [10, 10, 2, 2], 64, [16, 16, 4, 4], 4, 16,
                      40000]


def test_a_voice_of_the_builtin_embedder_says_which_of_its_features_it_was_trained_on(tmp_path):
    synthesizer = network()
    export_voice(synthesizer, synthesizer.config, tmp_path / "ana.pth", replace(FACTS, embedder="builtin"))
    assert torch.load(tmp_path / "ana.pth", weights_only=True)["embedder_content"] == BUILTIN_CONTENT
    assert VoiceModel.read(tmp_path / "ana.pth").embedder_content == BUILTIN_CONTENT


def test_the_hash_is_applios_formula():
    config = config_for("v2", 40000)
    assert str(config.as_list()).startswith("[1025, 32, 192, 192, 768, 2, 6, 3, 0, '1', "), "the list is hashed as it is written"
    text = f"Ana-12-340-40000-v2-{config.as_list()}"
    assert model_hash(FACTS, config) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(("name", "version", "f0", "rate"), [
    ("v1_f0_48k", "v1", True, 48000), ("v1_nof0_32k", "v1", False, 32000), ("v2_f0_40k", "v2", True, 40000),
    ("v2_nof0_40k", "v2", False, 40000),
])
def test_exported_tensors_have_the_names_of_the_families_in_half_precision(tmp_path, name, version, f0, rate):
    synthesizer = network(version, rate, f0, n_layers=6)
    export_voice(synthesizer, synthesizer.config, tmp_path / "a.pth", FACTS)
    weight = torch.load(tmp_path / "a.pth", weights_only=True)["weight"]
    rows = (KEYS / f"INF_{name}.tsv").read_text().splitlines()[1:]
    assert sorted(weight) == sorted(row.split("\t")[0] for row in rows)
    assert {one.dtype for one in weight.values()} == {torch.float16}


def test_exporting_changes_nothing_in_the_network(tmp_path):
    synthesizer = network()
    before = {name: one.clone() for name, one in synthesizer.state_dict().items()}
    export_voice(synthesizer, synthesizer.config, tmp_path / "a.pth", FACTS)
    after = synthesizer.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert synthesizer.training


def test_an_exported_voice_sounds_like_the_network(tmp_path):
    synthesizer = network()
    export_voice(synthesizer, synthesizer.config, tmp_path / "a.pth", FACTS)
    loaded = VoiceModel.read(tmp_path / "a.pth").synthesizer()
    speech = Speech(content=torch.randn(1, 20, 768), lengths=torch.tensor([20]), coarse=torch.randint(1, 256, (1, 20)),
                    f0_hz=torch.full((1, 20), 200.0), speaker_id=torch.tensor([3]))
    torch.manual_seed(3)
    expected = synthesizer.eval().infer(speech)
    torch.manual_seed(3)
    assert (loaded.infer(speech) - expected).abs().max() < 2e-3, "half precision costs no more"


def test_weights_that_are_not_finite_are_not_published(tmp_path):
    synthesizer = network()
    torch.nn.init.constant_(synthesizer.emb_g.weight, 1e6)
    with pytest.raises(FormatError, match=r"emb_g.weight has values that are not finite"):
        export_voice(synthesizer, synthesizer.config, tmp_path / "a.pth", FACTS)
    assert list(tmp_path.iterdir()) == []


# -- from training checkpoints -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [checkpoint.old_names, checkpoint.new_names])
@pytest.mark.parametrize(("version", "rate", "f0"), [("v1", 48000, True), ("v1", 32000, False), ("v2", 24000, True), ("v2", 48000, False)])
def test_a_checkpoint_becomes_the_voice_that_its_network_would(tmp_path, version, rate, f0, names):
    synthesizer = network(version, rate, f0)
    torch.save({"model": names(synthesizer.state_dict()), "iteration": 7, "optimizer": {}, "learning_rate": 1e-4}, tmp_path / "G_70.pth")
    config = voice_from_checkpoint(tmp_path / "G_70.pth", tmp_path / "a.pth", VoiceFacts(name="Ana"))
    assert config == synthesizer.config
    export_voice(synthesizer, synthesizer.config, tmp_path / "b.pth", VoiceFacts(name="Ana", epoch=7))
    one, other = (torch.load(tmp_path / name, weights_only=True) for name in ("a.pth", "b.pth"))
    assert list(one["weight"]) == list(other["weight"])
    assert all(torch.equal(one["weight"][name], other["weight"][name]) for name in one["weight"])
    assert {**one, "weight": 0, "creation_date": 0} == {**other, "weight": 0, "creation_date": 0}


@pytest.mark.parametrize("vocoder", ["MRF HiFi-GAN", "RefineGAN"])
def test_checkpoints_of_the_further_vocoders_become_voices_and_are_described(tmp_path, vocoder):
    torch.manual_seed(0)
    synthesizer = Synthesizer(config_for("v2", 24000, vocoder=vocoder, size="tiny", n_speakers=4))
    torch.save({"model": checkpoint.state_of(synthesizer), "iteration": 7}, tmp_path / "G_70.pth")
    assert inspected(tmp_path / "G_70.pth")["vocoder"] == vocoder
    assert voice_from_checkpoint(tmp_path / "G_70.pth", tmp_path / "a.pth", FACTS, sample_rate=24000) == synthesizer.config
    assert inspected(tmp_path / "a.pth")["vocoder"] == vocoder
    if vocoder == "RefineGAN":
        with pytest.raises(FormatError, match="24000 and 32000 Hz"):
            voice_from_checkpoint(tmp_path / "G_70.pth", tmp_path / "b.pth", FACTS)


@pytest.mark.parametrize("kind", ["v1", "v2", "v3"])
def test_a_discriminator_is_described_by_its_kind(tmp_path, kind):
    torch.save({"model": checkpoint.state_of(Discriminator(kind, width=1 / 16))}, tmp_path / "D_70.pth")
    facts = inspected(tmp_path / "D_70.pth")
    assert (facts["network"], facts["discriminator"]) == ("discriminator", kind)


def test_a_bare_state_in_half_precision_will_do(tmp_path):
    """Some published base models are just that."""
    torch.save({name: one.half() for name, one in checkpoint.state_of(network()).items()}, tmp_path / "G.pth")
    assert voice_from_checkpoint(tmp_path / "G.pth", tmp_path / "a.pth", FACTS, sample_rate=40000).sample_rate == 40000
    assert VoiceModel.read(tmp_path / "a.pth").epoch == 12


@pytest.mark.parametrize(("content", "said"), [
    ({"model": {"discriminators.0.conv_post.bias": torch.zeros(1)}}, "not the weights of an RVC generator"),
    ({"model": 3}, "not a dictionary"),
    ({"model": {"dec.pre_conv.weight_v": torch.zeros(256, 1, 7)}}, "RefineGAN of the old kind"),
    ({"weight": {}}, "not the weights of an RVC generator"),
])
def test_another_file_is_refused_and_nothing_is_written(tmp_path, content, said):
    torch.save(content, tmp_path / "D_70.pth")
    with pytest.raises(FormatError, match=said):
        voice_from_checkpoint(tmp_path / "D_70.pth", tmp_path / "a.pth", FACTS)
    assert not (tmp_path / "a.pth").exists()


def test_a_checkpoint_of_another_rate_is_refused(tmp_path):
    torch.save({"model": checkpoint.state_of(network())}, tmp_path / "G_1.pth")
    with pytest.raises(FormatError, match=r"G_1.pth: .*48000 Hz"):
        voice_from_checkpoint(tmp_path / "G_1.pth", tmp_path / "a.pth", FACTS, sample_rate=48000)


def test_a_checkpoint_that_lacks_a_tensor_is_refused_by_name(tmp_path):
    state = checkpoint.state_of(network())
    del state["dec.resblocks.3.convs1.1.bias"]
    torch.save({"model": state}, tmp_path / "G_1.pth")
    with pytest.raises(FormatError, match=r"1 tensor is missing \(dec.resblocks.3.convs1.1.bias\)"):
        voice_from_checkpoint(tmp_path / "G_1.pth", tmp_path / "a.pth", FACTS)


def test_the_list_of_the_config_is_plain_values():
    """So that weights_only loaders of every program accept it."""
    def plain(value: object) -> bool:
        return all(map(plain, value)) if type(value) is list else type(value) in (int, float, str)

    assert plain(config_for("v2", 48000).as_list())
    assert ModelConfig.from_list(config_for("v1", 40000).as_list(), version="v1").version == "v1"
