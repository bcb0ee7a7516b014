"""The list: forty-three entries, each complete, and nothing that cannot be."""

import inspect
import io
import json
from contextlib import redirect_stdout
from importlib import import_module
from itertools import pairwise

import pytest

from rvc.cli import main
from rvc.errors import SettingsError
from rvc.optimizers.registry import OPTIMIZERS, advised, for_discriminator, named, of_category
from rvc.optimizers.spec import CATEGORIES, SITUATIONS, STRONGEST, WEAKEST
from tests.optimizers.tasks import NAMES

ISSUED = """AdamW, ScheduleFreeAdamW, Muon, Sophia, Lion, Prodigy, NAdam, RAdam, Adan, AnyPrecisionAdamW, Ranger21, AdaFactor, DAdaptAdam,
Adam, PAdam, Apollo, CAME, NovoGrad, ScheduleFreeAdam, DAdaptAdaGrad, SGD, RMSprop, AdaBelief, AdaBeliefV2, LAMB, LARS, Adagrad, Adadelta,
Adamax, ASGD, DAdaptSGD, QHAdam, SWATS, Shampoo, SOAP, A2Grad, AggMo, PID, Yogi, Fromage, SM3, ScheduleFreeSGD, Nero"""
every = pytest.mark.parametrize("name", NAMES)


def test_the_list_is_the_one_that_users_know_in_its_order():
    assert list(OPTIMIZERS) == ISSUED.replace("\n", " ").split(", ")
    claimed = [one.stars for one in OPTIMIZERS.values()]
    assert all(before >= after for before, after in pairwise(claimed))  # the list is sorted by them


@pytest.mark.parametrize("written", ["adamw", "ADAMW", "AdamW"])
def test_a_name_is_found_in_whatever_case(written):
    assert named(written).name == "AdamW"


@pytest.mark.parametrize(("wrong", "meant"), [("AdamWW", "AdamW"), ("Prodgy", "Prodigy"), ("shampo", "Shampoo"),
                                              ("dadaptsdg", "DAdaptSGD")])
def test_an_unknown_name_is_answered_with_the_nearest(wrong, meant):
    with pytest.raises(SettingsError, match=f"Did you mean .*{meant}"):
        named(wrong)


def test_a_name_like_no_other_is_answered_with_where_the_names_are():
    with pytest.raises(SettingsError, match="python -m rvc optimizers"):
        named("gradient-free-wishful-thinking")


def test_every_category_has_somebody_and_every_situation_a_word():
    assert sum(len(of_category(one)) for one in CATEGORIES) == 43
    assert all(of_category(one) for one in CATEGORIES)
    assert all(advised(one) for one in SITUATIONS)
    assert advised("beginner")[0].name == "AdamW"


@every
def test_an_entry_is_complete_and_its_numbers_are_possible(name):
    spec = OPTIMIZERS[name]
    assert spec.description.endswith(".")
    assert spec.sentence.endswith(".")
    assert 1951 <= spec.paper.year <= 2026
    assert spec.paper.arxiv is None or spec.paper.arxiv[:4].isdigit()
    assert spec.paper.arxiv or spec.paper.venue, "published somewhere"
    if spec.paper.arxiv:  # the id begins with the month in which it was submitted
        assert int(spec.paper.arxiv[:2]) == spec.paper.year % 100 or "AMSGrad" in spec.title
    assert spec.learns > 1
    assert WEAKEST * STRONGEST == 1
    assert all(one.low <= one.default <= one.high for one in spec.knobs)
    assert spec.discriminator is None or spec.discriminator_reason
    assert all(one.name in OPTIMIZERS for one in spec.same_as)
    assert spec.scheduled == spec.schedule_says.startswith("follows")


@every
def test_the_library_knows_every_argument_it_is_given(name):
    """pytorch_optimizer takes any keyword without a word."""
    spec = OPTIMIZERS[name]
    library, _, attribute = spec.source.path.rpartition(".")
    known = set(inspect.signature(getattr(import_module(library), attribute)).parameters)
    own = set() if spec.source.adapter is None else set(inspect.signature(_loaded(spec.source.adapter)).parameters)
    words = {word for role in ("g", "d") for word in spec.keywords(role, {})}
    assert words <= known | own


def _loaded(path: str) -> type:
    module, _, attribute = path.rpartition(".")
    return getattr(import_module(module), attribute)


def test_the_discriminator_gets_the_same_unless_a_reason_speaks_against_it():
    assert for_discriminator("Lion").name == "Lion"
    assert for_discriminator("Prodigy").name == "AdamW"
    assert {one.name for one in OPTIMIZERS.values() if one.discriminator} == {one.name for one in of_category("LR-free")}


def test_the_command_prints_every_field_of_every_entry(capsys):
    assert main(["optimizers", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in entries] == NAMES
    assert {frozenset(one) for one in entries} == {frozenset(entries[0])}
    for field in ("title", "category", "description", "source", "paper", "rates", "arguments", "knobs", "grouping", "evaluation",
                  "total_steps_argument", "curvature_every", "scheduled", "clip_norm", "state", "same_as", "label", "label_from", "stars",
                  "sentence", "advice", "discriminator"):
        assert field in entries[0]


@every
def test_the_printed_entry_has_all_that_there_is_to_know(printed, name):
    one = printed[name]
    assert all(one["source"][field] for field in ("library", "path"))
    assert one["source"]["library"] == "rvc" or one["source"]["licence"]
    assert one["paper"]["authors"] and one["paper"]["title"] and (one["paper"]["arxiv"] or one["paper"]["venue"])
    assert all(one["rates"][f"{network}{start}"] > 0 for network in ("generator", "discriminator") for start in ("", "_from_scratch"))
    assert all(one["state"][network] >= 0 for network in ("generator", "discriminator"))
    assert all(one[field] for field in ("category", "description", "sentence", "grouping_says", "schedule_says", "state_policy", "label",
                                        "label_from", "label_says", "stars"))
    assert all(one[field] is not None for field in ("scheduled", "evaluation", "rewrites_gradients", "warmup_steps", "first_steps"))
    assert one["paper"]["year"] >= 1951


def test_the_numbers_that_a_class_is_called_with_are_printed(printed):
    assert printed["AdamW"]["called_with"]["g"] == {"betas": [0.8, 0.99], "eps": 1e-9, "weight_decay": 0.01}
    assert printed["Lion"]["called_with"]["d"] == {"betas": [0.9, 0.99], "weight_decay": 0.03}
    assert printed["DAdaptSGD"]["called_with"]["d"]["growth_rate"] == 1.02


@pytest.mark.parametrize(("name", "hook"), [
    ("ScheduleFreeAdamW", "average"), ("ScheduleFreeSGD", "average"), ("ASGD", "average"), ("ASGD", "length of the run"),
    ("Sophia", "curvature"), ("Ranger21", "length of the run"), ("CAME", "rises over 1000 steps"), ("Muon", "rewrites gradients")])
def test_what_must_be_done_around_its_steps_is_printed(printed, name, hook):
    assert any(hook in one for one in printed[name]["hooks"])


@pytest.fixture(scope="module")
def printed() -> dict[str, dict]:
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["optimizers", "--json"]) == 0
    entries = json.loads(out.getvalue())
    assert len(entries) == 43
    return {one["name"]: one for one in entries}


@pytest.mark.parametrize(("arguments", "word"), [(["optimizers"], "Nero"), (["optimizers", "--category", "lr-free"], "Prodigy"),
                                                 (["optimizers", "muon"], "Newton-Schulz")])
def test_the_command_tells_people_too(capsys, arguments, word):
    assert main(arguments) == 0
    assert word in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "word"), [(["optimizers", "Prodgy"], "Prodigy"), (["optimizers", "--category", "fast"], "category")])
def test_the_command_refuses_what_is_not_there(capsys, arguments, word):
    assert main(arguments) == 2
    assert word in capsys.readouterr().err
