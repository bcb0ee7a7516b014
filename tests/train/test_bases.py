"""What a run can start from, and everything that can be wrong with it: told before a run is made, in one sentence with the fix."""

import pytest

from rvc.download import sidecar
from rvc.download.sidecar import Network, Sidecar
from rvc.errors import EmbedderMismatchError, MissingAssetError, RunError, SettingsError
from rvc.settings import from_flat
from rvc.train import bases, new_run
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings

FULL = {"embedder": "contentvec", "base_model": "auto"}  # what the official pairs were made for


def put_official(home, name="f0{}40k", folder="hifi-gan") -> None:
    (home.pretraineds / folder).mkdir(parents=True, exist_ok=True)
    for letter in "GD":
        (home.pretraineds / folder / f"{name.format(letter)}.pth").touch()


def put_made(home, name="made", **changes) -> None:
    """A pair with a JSON beside it."""
    about = {"name": name, "sample_rate": 40000, "version": "v2", "pitch_guidance": True, "vocoder": "HiFi-GAN", "embedder": "contentvec",
             "model_size": "standard", "hours": 60.0, "speakers": 9, "steps": 10, "epochs": 2, "started_from": "scratch",
             "datasets": ["voices"], "created": "2026-01-01T00:00:00+00:00", "sha256": {"G": "0", "D": "0"}, **changes}
    home.custom_pretraineds.mkdir(parents=True, exist_ok=True)
    for letter in "GD":
        (home.custom_pretraineds / f"{letter}_{name}.pth").touch()
    (home.custom_pretraineds / f"{name}.json").write_text(Sidecar.model_validate(about).text(), encoding="utf-8")


def put_run(home, name="other", steps=(30, 60), **values) -> TrainingRun:
    asked = {"dataset": str(home.root), "embedder": "builtin", "f0_method": "fcpe", "base_model": "scratch", "model_size": "tiny"}
    run = new_run.create(home, name, from_flat(TrainingSettings, {**asked, **values}))
    for step in steps:
        for kind in ("G", "D", "state"):
            run.checkpoint(kind, step).touch()
    return run


def resolve(home, embedder="contentvec", **values) -> str:
    return bases.resolve(from_flat(TrainingSettings, {**FULL, **values}), embedder, home)


# -- auto ------------------------------------------------------------------------------------------------------------------------


def test_auto_takes_the_official_pair_that_fits(home):
    assert resolve(home) == "scratch"
    put_official(home)
    assert resolve(home) == "v2-f0-40k"


@pytest.mark.parametrize(("embedder", "values"), [
    ("builtin", {}), ("contentvec", {"sample_rate": 48000}), ("contentvec", {"version": "v1"}), ("contentvec", {"pitch_guidance": False}),
    ("contentvec", {"model_size": "tiny"}), ("contentvec", {"vocoder": "MRF HiFi-GAN"})])
def test_auto_never_takes_a_pair_that_does_not_fit(home, embedder, values):
    put_official(home)
    assert resolve(home, embedder, **values) == "scratch"


def test_auto_takes_nobodys_own_pair(home):
    put_made(home)
    assert resolve(home) == "scratch"


# -- a pair by name --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("put", "name"), [(put_official, "v2-f0-40k"), (put_made, "made")])
@pytest.mark.parametrize(("values", "sentence", "flag"), [
    ({"sample_rate": 48000}, r"is for 40000 Hz \(this run: 48000 Hz\)", "--sample-rate 40000"),
    ({"version": "v1"}, r"is for v2 voices \(this run: v1\)", "--version v2"),
    ({"vocoder": "MRF HiFi-GAN"}, r"has the vocoder HiFi-GAN \(this run: MRF HiFi-GAN\)", "--vocoder HiFi-GAN"),
    ({"pitch_guidance": False}, r"was trained with pitch guidance \(this run: without\)", "--pitch-guidance"),
    ({"model_size": "tiny"}, r"is of the standard size \(this run: tiny\)", "--model-size standard"),
])
def test_a_pair_of_another_network_is_refused_with_the_fix(home, put, name, values, sentence, flag):
    put(home)
    assert resolve(home, base_model=name) == name
    with pytest.raises(SettingsError, match=f"The pretrain {name} does not fit: it {sentence}") as raised:
        resolve(home, base_model=name, **values)
    assert flag in raised.value.fix


@pytest.mark.parametrize(("put", "name"), [(put_official, "v2-f0-40k"), (put_made, "made")])
def test_a_pair_of_another_embedder_is_refused_with_the_fix(home, put, name):
    put(home)
    with pytest.raises(EmbedderMismatchError, match=r"was trained with the embedder contentvec \(this run: spin\)") as raised:
        resolve(home, "spin", base_model=name)
    assert "--embedder contentvec" in raised.value.fix


def test_all_that_does_not_fit_is_one_sentence(home):
    put_made(home, vocoder="RefineGAN", sample_rate=32000)
    with pytest.raises(SettingsError, match=r"32000 Hz.*RefineGAN"):
        resolve(home, base_model="made")


def test_an_embedder_of_ones_own_is_the_same_wherever_its_folder_lies(home):
    put_made(home, embedder="my-hubert")
    assert resolve(home, "/some/where/my-hubert", base_model="made") == "made"


def test_a_name_that_states_another_rate_is_refused(home):
    home.custom_pretraineds.mkdir(parents=True)
    for letter in "GD":
        (home.custom_pretraineds / f"Titan_48k_{letter}.pth").touch()
    with pytest.raises(SettingsError, match="is for 48000 Hz"):
        resolve(home, base_model="Titan_48k")
    assert resolve(home, base_model="Titan_48k", sample_rate=48000) == "Titan_48k"


@pytest.mark.parametrize("asked", ["x", "G_x", "G_x.pth"])
def test_half_a_pair_is_told_with_the_file_that_is_missing(home, asked):
    home.custom_pretraineds.mkdir(parents=True)
    (home.custom_pretraineds / "G_x.pth").touch()
    with pytest.raises(MissingAssetError, match=r"There is G_x\.pth but no D_x\.pth") as raised:
        resolve(home, base_model=asked)
    assert "D_x.pth" in raised.value.fix


def test_half_an_official_pair_is_told_with_the_file_that_is_missing(home):
    put_official(home)
    (home.pretraineds / "hifi-gan" / "f0G40k.pth").unlink()
    with pytest.raises(MissingAssetError, match=r"There is f0D40k\.pth but no f0G40k\.pth"):
        resolve(home, base_model="v2-f0-40k")
    assert resolve(home) == "scratch"


def test_a_pair_that_is_not_there_is_told_with_those_that_are(home):
    put_official(home)
    with pytest.raises(MissingAssetError, match=r"There is no pretrain 'nobody' \(v2-f0-40k\)"):
        resolve(home, base_model="nobody")


# -- another run -----------------------------------------------------------------------------------------------------------------


def start_from(home, base_model, **values) -> str:
    return resolve(home, "builtin", base_model=base_model, model_size="tiny", **values)


def test_a_run_is_started_from_by_its_newest_checkpoint_or_by_a_step(home):
    run = put_run(home)
    assert start_from(home, "run:other") == "run:other"
    assert start_from(home, "run:other@30") == "run:other@30"
    newest, older = bases.named("run:other", home), bases.named("run:other@30", home)
    assert (newest.name, newest.g_path, newest.d_path) == ("run:other@60", run.checkpoint("G", 60), run.checkpoint("D", 60))
    assert older.g_path == run.checkpoint("G", 30)
    assert older.network == Network(40000, "v2", True, "HiFi-GAN", "builtin", "tiny")


@pytest.mark.parametrize(("values", "word"), [({"sample_rate": 48000}, "is for 40000 Hz"), ({"version": "v1"}, "is for v2 voices"),
                                              ({"vocoder": "MRF HiFi-GAN"}, "has the vocoder HiFi-GAN"),
                                              ({"pitch_guidance": False}, "with pitch guidance")])
def test_a_run_of_another_network_is_refused(home, values, word):
    put_run(home)
    with pytest.raises(SettingsError, match=f"The run 'other' at step 60 does not fit: it .*{word}"):
        start_from(home, "run:other", **values)


def test_a_run_of_another_embedder_or_size_is_refused(home):
    put_run(home)
    with pytest.raises(EmbedderMismatchError, match="was trained with the embedder builtin"):
        bases.resolve(from_flat(TrainingSettings, {"base_model": "run:other", "model_size": "tiny"}), "contentvec", home)
    with pytest.raises(SettingsError, match="is of the tiny size"):
        bases.resolve(from_flat(TrainingSettings, {"base_model": "run:other"}), "builtin", home)


@pytest.mark.parametrize(("asked", "sentence", "fix"), [
    ("run:nobody", "There is no run 'nobody'", "runs"),
    ("run:other@31", "The run 'other' has no checkpoint of step 31", "There are: 30, 60."),
    ("run:other@x", "There is no run 'other@x'", "runs"),
    ("run:empty", "The run 'empty' has no checkpoint to start from", "Train it first"),
    ("run:", "it is empty", "Use letters"),
    ("run:../x", "cannot be a run name", "Use letters"),
])
def test_what_cannot_be_started_from_is_a_sentence(home, asked, sentence, fix):
    put_run(home)
    put_run(home, "empty", steps=())
    with pytest.raises((RunError, SettingsError), match=sentence) as raised:
        start_from(home, asked)
    assert fix in raised.value.fix


def test_a_checkpoint_that_is_being_removed_is_told_and_the_newest_whole_one_taken(home):
    run = put_run(home, steps=(30, 60, 90))
    run.checkpoint("D", 30).unlink()
    run.checkpoint("G", 90).unlink()
    with pytest.raises(RunError, match="step 30 of 'other' is being removed") as raised:
        start_from(home, "run:other@30")
    assert "There are: 60." in raised.value.fix
    assert bases.named("run:other", home).name == "run:other@60"


def test_a_name_may_hold_an_at_sign(home):
    put_run(home, "take@2", steps=(5,))
    assert bases.named("run:take@2", home).name == "run:take@2@5"
    assert bases.named("run:take@2@5", home).g_path.name == "G_5.pth"


@pytest.mark.parametrize("asked", ["run:other", "run:other@30"])
def test_a_run_cannot_start_from_itself(home, asked):
    run = put_run(home)
    with pytest.raises(SettingsError, match="cannot start from itself"):
        put_run(home, base_model=asked)
    assert TrainingRun.open(run.folder) == run


def test_a_run_that_has_learnt_something_needs_what_it_started_from_no_more(home):
    other = put_run(home)
    put_run(home, "mine", base_model="run:other@30")
    other.checkpoint("state", 30).unlink()
    assert put_run(home, "mine", base_model="run:other@30", epochs=7).resolved.base_model == "run:other@30"
    with pytest.raises(RunError, match="no checkpoint of step 31"):
        put_run(home, "mine", base_model="run:other@31")


# -- what is offered -------------------------------------------------------------------------------------------------------------


def offered(home, embedder="contentvec", **values) -> list[str]:
    return [base.name for base in bases.offered(from_flat(TrainingSettings, {**FULL, **values}), embedder, home)]


def test_only_what_fits_is_offered(home):
    put_official(home)
    put_made(home)
    put_made(home, "refine", vocoder="RefineGAN", sample_rate=32000)
    put_run(home)
    assert offered(home) == ["v2-f0-40k", "made"]
    assert offered(home, vocoder="RefineGAN", sample_rate=32000) == ["refine"]
    assert offered(home, "builtin", model_size="tiny") == ["run:other@60"]
    assert offered(home, "spin") == []


def test_a_pair_of_which_nothing_is_known_is_offered(home):
    home.custom_pretraineds.mkdir(parents=True)
    for letter in "GD":
        (home.custom_pretraineds / f"{letter}_x.pth").touch()
    assert offered(home, vocoder="RefineGAN", sample_rate=24000) == ["x"]


def test_a_damaged_run_does_not_keep_the_others_from_being_offered(home):
    (put_run(home, "broken").folder / "run.json").write_text("{")
    put_run(home)
    assert offered(home, "builtin", model_size="tiny") == ["run:other@60"]


def test_a_pair_whose_json_is_damaged_counts_as_one_without(home):
    put_made(home)
    path = home.custom_pretraineds / "made.json"
    path.write_text(path.read_text().replace("40000", '"forty"'))
    assert bases.named("made", home).network == Network()
    with pytest.raises(sidecar.FormatError, match=r"made\.json is damaged: sample_rate"):
        sidecar.read(path)
