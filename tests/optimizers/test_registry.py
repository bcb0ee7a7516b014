"""The list: forty-three entries, each complete, and nothing that cannot be."""

import inspect
import json
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


@pytest.mark.parametrize(("arguments", "word"), [(["optimizers"], "Nero"), (["optimizers", "--category", "lr-free"], "Prodigy"),
                                                 (["optimizers", "muon"], "Newton-Schulz")])
def test_the_command_tells_people_too(capsys, arguments, word):
    assert main(arguments) == 0
    assert word in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "word"), [(["optimizers", "Prodgy"], "Prodigy"), (["optimizers", "--category", "fast"], "category")])
def test_the_command_refuses_what_is_not_there(capsys, arguments, word):
    assert main(arguments) == 2
    assert word in capsys.readouterr().err
