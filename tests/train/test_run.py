"""The run folder: made, opened, changed, and protected."""

import json

import pytest

from rvc.errors import DatasetError, RunBusyError, RunError, SettingsError
from rvc.settings import from_flat
from rvc.train import new_run
from rvc.train.run import TrainingRun, fingerprint
from rvc.train.settings import TrainingSettings

ASKED = {"embedder": "builtin", "f0_method": "fcpe", "base_model": "scratch", "model_size": "tiny"}


def create(home, name="demo", **values) -> TrainingRun:
    return new_run.create(home, name, from_flat(TrainingSettings, {**ASKED, "dataset": str(home.root), **values}))


def test_a_run_opens_as_it_was_made(home):
    run = create(home, epochs=7)
    assert TrainingRun.open(run.folder) == run
    assert json.loads((run.folder / "run.json").read_text())["settings"]["fit"]["epochs"] == 7


def test_a_name_that_leads_out_of_logs_makes_nothing(home):
    with pytest.raises(SettingsError, match="cannot be a run name"):
        create(home, "../x")
    assert not home.logs.exists()


def test_a_new_run_needs_a_dataset_that_is_there(home):
    with pytest.raises(DatasetError, match="needs a dataset"):
        create(home, dataset="  ")
    with pytest.raises(DatasetError, match="does not exist"):
        create(home, dataset=str(home.root / "nowhere"))
    assert not home.logs.exists()


def test_new_settings_replace_the_old_ones_and_keep_the_day_it_was_made(home):
    first = create(home, epochs=1)
    second = create(home, epochs=2)
    assert (second.settings.fit.epochs, second.created) == (2, first.created)


def test_auto_stays_what_it_was_when_the_run_was_made(home):
    run = create(home, f0_method="auto")
    assert run.resolved.f0_method == "fcpe"
    home.predictors.mkdir(parents=True)
    (home.predictors / "rmvpe.pt").touch()
    assert create(home, "other", f0_method="auto").resolved.f0_method == "rmvpe"
    assert create(home, f0_method="auto").resolved.f0_method == "fcpe"
    assert create(home, f0_method="swift").resolved.f0_method == "swift"


@pytest.mark.parametrize(("change", "word"), [
    ({"sample_rate": 32000}, "sample_rate 40000"), ({"version": "v1"}, "version v2"), ({"pitch_guidance": False}, "pitch_guidance True"),
    ({"model_size": "standard"}, "model_size tiny")])
def test_a_run_with_checkpoints_keeps_its_network(home, change, word):
    run = create(home)
    create(home, **change)
    create(home)  # nothing learnt yet: anything may change
    run.checkpoint("state", 3).touch()
    with pytest.raises(RunError, match=word):
        create(home, **change)
    assert TrainingRun.open(run.folder) == run


def test_checkpoints_of_another_program_are_not_overwritten(home):
    folder = home.logs / "applio"
    folder.mkdir(parents=True)
    (folder / "G_2333333.pth").write_bytes(b"theirs")
    with pytest.raises(RunError, match="another program"):
        create(home, "applio")
    assert [path.name for path in folder.iterdir()] == ["G_2333333.pth"]


def test_a_run_with_a_worker_cannot_be_changed(home):
    run = create(home, epochs=1)
    with run.lock.acquire(timeout=0), pytest.raises(RunBusyError):
        create(home, epochs=2)
    assert TrainingRun.open(run.folder).settings.fit.epochs == 1
    run.refuse_if_busy()


@pytest.mark.parametrize("text", [
    "", "{", "[]", '{"settings": {}}', '{"settings": {"fit": {"epochs": -1}}, "resolved": {}, "created": ""}'])
def test_a_damaged_manifest_is_a_sentence(home, text):
    run = create(home)
    (run.folder / "run.json").write_text(text)
    with pytest.raises(RunError, match="damaged"):
        TrainingRun.open(run.folder)


GONE = object()


@pytest.mark.parametrize(("entry", "value", "word"), [
    ("settings.fit.epochs", "many", "epochs: input should be a valid integer"),
    ("settings.fit.epochs", 10**40, "epochs must be between 1 and 100000"),
    ("settings.fit.epochs", None, "epochs: input should be a valid integer"),
    ("settings.fit.learning_rate", float("nan"), "learning_rate: input should be a finite number"),
    ("settings.fit.epochz", 3, "there is no setting 'epochz'; did you mean 'epochs'?"),
    ("settings.fit", 5, "fit holds 5 in place of its entries"),
    ("settings.mood", {}, "there is no setting 'mood'"),
    ("settings.data.sample_rate", 44100, "sample_rate must be one of 24000"),
    ("settings.data.dataset", {"a": 1}, "dataset: input should be a valid string"),
    ("settings.model.vocoder", ["x"], "vocoder must be one of HiFi-GAN"),
    ("settings", GONE, "settings is missing"),
    ("resolved.embedder", 5, "embedder: input should be a valid string"),
    ("resolved.base_model", GONE, "base_model is missing"),
    ("created", 7, "created: Input should be a valid string"),
    ("format", 99, "format: Input should be 1"),
])
def test_a_manifest_edited_into_nonsense_is_one_sentence_that_names_the_entry(home, entry, value, word):
    path = create(home).folder / "run.json"
    manifest = json.loads(path.read_text())
    *above, last = entry.split(".")
    place = manifest
    for name in above:
        place = place[name]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    path.write_text(json.dumps(manifest))
    edited = path.read_bytes()
    with pytest.raises(RunError) as raised:
        TrainingRun.open(path.parent)
    assert raised.value.message.startswith(f"{path} is damaged at {' › '.join(entry.split('.'))}: ")
    assert word in raised.value.message
    assert "\n" not in str(raised.value)
    with pytest.raises(RunError):
        create(home)
    assert path.read_bytes() == edited


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5000, "null", "[]", "3"])
def test_a_manifest_that_holds_no_entries_is_one_sentence(home, text):
    path = create(home).folder / "run.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"run\.json is damaged: ") as raised:
        TrainingRun.open(path.parent)
    assert "\n" not in str(raised.value)


def test_a_setting_that_an_older_manifest_lacks_has_its_default(home):
    path = create(home, epochs=7).folder / "run.json"
    manifest = json.loads(path.read_text())
    del manifest["settings"]["fit"]["keep_every_epochs"]
    path.write_text(json.dumps(manifest))
    assert TrainingRun.open(path.parent).settings.fit.epochs == 7


def test_a_run_that_is_not_there_is_a_sentence(home):
    with pytest.raises(RunError, match="no run 'nobody'"):
        TrainingRun.named(home, "nobody")


def test_records_of_stages_come_back_and_can_be_forgotten(home):
    run = create(home)
    run.record("index", "abc", {"vectors": 3})
    run.record("fit", "def", {})
    assert run.records()["index"].summary == {"vectors": 3}
    run.forget("index")
    assert set(run.records()) == {"fit"}


def test_checkpoints_are_listed_by_their_steps_in_order(home):
    run = create(home)
    for step in (900, 1000, 30):
        run.checkpoint("state", step).touch()
    (run.folder / "state_x.pt").touch()
    assert run.checkpoint_steps() == [30, 900, 1000]


def test_fingerprints_differ_with_any_part():
    assert fingerprint(1, {"a": 2}) == fingerprint(1, {"a": 2})
    assert len({fingerprint(1), fingerprint(2), fingerprint("1"), fingerprint(1, None), fingerprint({"a": 1}), fingerprint({"b": 1})}) == 6
