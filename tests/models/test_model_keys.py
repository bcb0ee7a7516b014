"""Names, shapes and order of every network's tensors are those of Applio's and mainline's files."""

import pytest
import torch

from rvc.checkpoint import old_names
from rvc.models.config import config_for
from rvc.models.discriminators import Discriminator
from rvc.models.synthesizer import Synthesizer
from rvc.models.vocoders import MRF_HIFI_GAN, REFINEGAN

VARIANTS = [(v, f0, rate) for v, rates in (("v1", (32, 40, 48)), ("v2", (24, 32, 40, 48))) for f0 in (True, False) for rate in rates]
IDS = [f"{v}_{'f0' if f0 else 'nof0'}_{rate}k" for v, f0, rate in VARIANTS]
FURTHER = [(MRF_HIFI_GAN, rate, f"v2_f0_{rate}k_mrf") for rate in (24, 32, 40, 48)]
FURTHER += [(REFINEGAN, rate, f"v2_f0_{rate}k_refinegan") for rate in (24, 32)]
# Counted in Applio's and mainline's own classes.
PARAMETERS = {
    "v1_f0_32k": 36_294_338, "v1_f0_40k": 36_360_514, "v1_f0_48k": 36_400_834,
    "v1_nof0_32k": 36_225_600, "v1_nof0_40k": 36_289_088, "v1_nof0_48k": 36_323_904,
    "v2_f0_24k": 36_745_538, "v2_f0_32k": 36_880_706, "v2_f0_40k": 36_458_818, "v2_f0_48k": 37_638_466,
    "v2_nof0_24k": 36_682_304, "v2_nof0_32k": 36_813_376, "v2_nof0_40k": 36_387_392, "v2_nof0_48k": 37_567_040,
    "v2_f0_24k_mrf": 36_746_060, "v2_f0_32k_mrf": 36_881_228, "v2_f0_40k_mrf": 36_459_340, "v2_f0_48k_mrf": 37_638_988,
    "v2_f0_24k_refinegan": 35_096_850, "v2_f0_32k_refinegan": 35_096_850,
}


def shapes_of(network: torch.nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(one.shape)) for name, one in old_names(dict(network.named_parameters())).items()]


def synthesizer(version: str, f0: bool, rate: int, **options) -> Synthesizer:
    with torch.device("meta"):
        return Synthesizer(config_for(version, rate * 1000, f0), **options)


@pytest.mark.parametrize("variant", VARIANTS, ids=IDS)
def test_parameters_of_a_generator_are_those_of_the_file_in_its_order(variant, key_table):
    version, f0, rate = variant
    name = f"{version}_{'f0' if f0 else 'nof0'}_{rate}k"
    network = synthesizer(*variant)
    assert shapes_of(network) == key_table(f"G_{name}")
    assert list(old_names(network.state_dict())) == [key for key, _ in key_table(f"G_{name}")], "no buffers, the same order"
    assert sum(one.numel() for one in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize(("vocoder", "rate", "name"), FURTHER, ids=[name for *_, name in FURTHER])
def test_parameters_of_the_further_vocoders_are_those_of_the_file_in_its_order(vocoder, rate, name, key_table):
    config = config_for("v2", rate * 1000, vocoder=vocoder)
    with torch.device("meta"):
        network, exported = Synthesizer(config), Synthesizer(config, posterior=False)
    assert shapes_of(network) == key_table(f"G_{name}")
    assert list(old_names(network.state_dict())) == [key for key, _ in key_table(f"G_{name}")], "no buffers, the same order"
    assert sum(one.numel() for one in network.parameters()) == PARAMETERS[name]
    if rate == 32:
        assert dict(shapes_of(exported)) == dict(key_table(f"INF_{name}"))


@pytest.mark.parametrize("name", ["v1_f0_48k", "v1_nof0_32k", "v2_f0_40k", "v2_nof0_40k"])
def test_a_generator_without_its_posterior_holds_what_an_exported_voice_holds(name, key_table):
    version, f0, rate = name.split("_")
    network = synthesizer(version, f0 == "f0", int(rate[:-1]), posterior=False)
    assert dict(shapes_of(network)) == dict(key_table(f"INF_{name}"))


@pytest.mark.parametrize(("table", "version"), [("G_v1_f0_mainline", "v1"), ("G_v2_f0_applio", "v2")])
def test_optimizer_states_are_positional_and_the_positions_agree(table, version, optimizer_order):
    assert [name for name, _ in shapes_of(synthesizer(version, True, 40))] == optimizer_order(table)


@pytest.mark.parametrize(("version", "parameters"), [("v1", 54_968_286), ("v2", 71_410_594), ("v3", 47_028_034)])
def test_parameters_of_a_discriminator_are_those_of_the_file_in_its_order(version, parameters, key_table):
    with torch.device("meta"):
        network = Discriminator(version)
    assert shapes_of(network) == key_table(f"D_{version}")
    assert sum(one.numel() for one in network.parameters()) == parameters
