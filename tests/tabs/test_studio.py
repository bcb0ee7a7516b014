"""What the tabs ask of the studio: settings and recordings in, a run and its worker out; and everything that can be wrong with them."""

import pytest
from filelock import FileLock

from rvc import jobs
from rvc.errors import DatasetError, MissingAssetError, RunBusyError, SettingsError
from rvc.events import JobState, Metrics
from rvc.settings import flat, from_flat
from rvc.train import new_run
from rvc.train.run import TrainingRun
from rvc.train.settings import TrainingSettings
from tabs import automatic, train
from tabs.choices import detector_choices, pretrain_choices
from tabs.studio import Studio
from tests.sounds import write_dataset


@pytest.fixture
def studio(home):
    return Studio(home)


@pytest.fixture
def launched(monkeypatch):
    """Names of the runs whose workers were started, instead of their workers."""
    names = []
    monkeypatch.setattr(jobs, "launch", lambda run: names.append(run.name))
    return names


@pytest.fixture
def made(studio, tmp_path):
    """Makes a run of a name."""
    dataset = str(write_dataset(tmp_path / "recordings", files=1, seconds=1))
    return lambda name: new_run.create(studio.home, name, from_flat(TrainingSettings, {"dataset": dataset}))


def values(**changes) -> dict:
    return {**flat(TrainingSettings()), **changes}


def test_a_dataset_and_a_name_make_a_run(studio, launched, tmp_path):
    run = studio.train("mara", [], values(dataset=str(write_dataset(tmp_path / "data")), epochs=3))
    assert launched == ["mara"]
    assert TrainingRun.open(studio.home.logs / "mara").settings == run.settings
    assert run.settings.fit.epochs == 3


def test_uploaded_recordings_become_the_dataset_of_the_run(studio, launched, tmp_path):
    files = [str(path) for path in write_dataset(tmp_path / "page").iterdir()]
    run = studio.train("mara", files, values())
    assert run.settings.data.dataset == str(studio.home.logs / "mara" / "uploads")
    assert len(list((studio.home.logs / "mara" / "uploads").iterdir())) == len(files)


@pytest.mark.parametrize("name", ["../x", "con", "a" * 300, "", "a/b", "G_1"])
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(studio, launched, tmp_path, name):
    with pytest.raises(SettingsError, match="cannot be a run name"):
        studio.train(name, [], values(dataset=str(tmp_path)))
    assert list(studio.home.logs.iterdir()) == []
    assert launched == []


def test_a_setting_out_of_range_is_refused_before_anything_is_written(studio, launched, tmp_path):
    with pytest.raises(SettingsError, match="batch_size must be between 1 and 256"):
        studio.train("mara", [str(tmp_path / "a.wav")], values(batch_size=0))
    assert list(studio.home.logs.iterdir()) == []


def test_training_from_nothing_is_refused(studio, launched):
    with pytest.raises(DatasetError, match="needs a dataset"):
        studio.train("mara", [], values(dataset=""))
    assert list(studio.home.logs.iterdir()) == []


def test_an_embedder_that_is_not_installed_is_refused_with_the_fix(studio, launched, tmp_path):
    with pytest.raises(MissingAssetError) as raised:
        studio.train("mara", [], values(dataset=str(tmp_path), embedder="contentvec"))
    assert raised.value.fix
    assert launched == []


def test_a_run_that_is_being_trained_is_left_alone(studio, tmp_path):
    dataset = str(write_dataset(tmp_path / "data"))
    folder = new_run.create(studio.home, "mara", from_flat(TrainingSettings, values(dataset=dataset))).folder
    manifest = (folder / "run.json").read_text()
    with FileLock(folder / "worker.lock"), pytest.raises(RunBusyError, match="being trained already"):
        studio.train("mara", [], values(dataset=dataset, epochs=9))
    assert (folder / "run.json").read_text() == manifest


def test_a_page_that_opens_shows_what_it_showed_else_what_is_trained_else_the_newest(studio, made, monkeypatch):
    for name in ("one", "two", "three"):
        made(name)
    newest = studio.run_names()[0]
    assert studio.run_to_show("two") == "two"
    assert studio.run_to_show("gone") == newest
    assert studio.run_to_show(None) == newest
    monkeypatch.setattr(jobs, "active", lambda home: [home.logs / "one"])
    assert studio.run_to_show(None) == "one"
    assert studio.run_to_show("two") == "two"


def test_without_runs_there_is_nothing_to_show(studio):
    assert studio.run_to_show("gone") is None


def test_stop_asks_first_and_ends_second(studio, made, monkeypatch):
    run = made("mara")
    asked = []
    monkeypatch.setattr(jobs, "stop", lambda folder, **how: asked.append(how))
    studio.stop("mara")
    run.stop_file.touch()
    studio.stop("mara")
    assert asked == [{}, {"wait_seconds": 0, "kill": True}]


def test_a_training_gets_the_memory_that_conversions_kept(studio, made, launched):
    made("mara")
    studio.resume("mara")
    released = []
    studio.converter = type("Converter", (), {"release": lambda self: released.append(list(launched))})()
    studio.resume("mara")
    assert launched == ["mara", "mara"]
    assert released == [["mara"]]  # before the worker was started


def test_a_cancellation_counts_once_and_for_its_own_session(studio):
    studio.cancel("a")
    assert not studio.take_cancellation("b")
    assert studio.take_cancellation("a")
    assert not studio.take_cancellation("a")


# -- what auto comes to --------------------------------------------------------------------------------------------------------


def said(studio, name: str = "", **changes) -> str:
    settings = from_flat(TrainingSettings, changes)
    return " ".join(automatic.sentences(settings, studio.resolved(name, settings)))


def test_the_banner_says_what_auto_comes_to_and_why(studio):
    text = said(studio)
    assert "Embedder: builtin. contentvec, which gives better voices, is not downloaded." in text
    assert "Pitch detector: fcpe. rmvpe is not downloaded." in text
    assert "Pretrain: none, from scratch, because the official pretrains understand contentvec only." in text


def test_what_was_chosen_by_name_is_not_repeated(studio):
    assert said(studio, embedder="builtin", f0_method="swift", base_model="scratch") == ""


def test_an_existing_run_keeps_what_auto_meant_when_it_was_made(studio, made):
    run = made("mara")
    from dataclasses import replace
    replace(run, resolved=replace(run.resolved, f0_method="crepe")).write()
    assert "Pitch detector: crepe." in said(studio, "mara")
    assert "Pitch detector: fcpe." in said(studio, "another")


# -- the live side -------------------------------------------------------------------------------------------------------------


def live_of(studio, name):
    import gradio as gr
    with gr.Blocks():
        live = train._Live(studio)
    return dict(zip(("card", "stop", "resume", "use", "curves", "log", "timer"), live.of(name), strict=True))


@pytest.mark.parametrize(("status", "shown"), [("running", ["stop"]), ("starting", ["stop"]), ("finished", []), ("stopped", ["resume"]),
                                               ("failed", ["resume"]), ("died", ["resume"])])
def test_stop_and_resume_are_there_when_they_make_sense(studio, made, monkeypatch, status, shown):
    made("mara")
    monkeypatch.setattr(jobs, "state", lambda folder: JobState(status=status))
    view = live_of(studio, "mara")
    assert [name for name in ("stop", "resume", "use") if view[name]["visible"]] == shown
    assert view["timer"].active == (status in ("running", "starting"))


def test_the_curves_and_the_log_are_those_of_the_run(studio, made):
    run = made("mara")
    for step in (1, 2, 3):
        run.events.append(Metrics(step=step, total_steps=9, epoch=1, epochs=3, steps_per_second=1.0, values={"loss/g/mel": 40.0 - step}))
    run.worker_log.write_text("a line with <b> in it\n")
    view = live_of(studio, "mara")
    assert 'data-tag="loss/g/mel"' in view["curves"]
    assert "a line with &lt;b&gt; in it" in view["log"]


def test_a_run_that_was_removed_is_shown_as_none(studio):
    view = live_of(studio, "gone")
    assert "No run yet" in view["card"]
    assert not view["timer"].active


def test_a_damaged_run_is_told_in_its_place(studio, made):
    run = made("mara")
    (run.folder / "run.json").write_text("{")
    view = live_of(studio, "mara")
    assert "is damaged" in view["card"]
    assert not view["stop"]["visible"]
    assert studio.run_to_show("mara") == "mara"


def test_pretrains_are_offered_with_their_sample_rate(studio):
    from tests.download.files import checkpoint

    studio.home.custom_pretraineds.mkdir(parents=True)
    for letter in "GD":
        (studio.home.custom_pretraineds / f"{letter}_Titan_48k.pth").write_bytes(checkpoint())
    shown = {value: label for label, value in pretrain_choices(studio.home, from_flat(TrainingSettings, {"sample_rate": 48000}))}
    assert list(shown) == ["auto", "scratch", "Titan_48k"]
    assert "48 kHz" in shown["Titan_48k"]
    assert [value for _, value in pretrain_choices(studio.home, TrainingSettings())] == ["auto", "scratch"]


def test_what_is_not_downloaded_is_marked_where_it_is_offered(studio):
    shown = {value: label for label, value in detector_choices(studio.home)}
    assert shown["rmvpe"] == "RMVPE (not here yet)"
    assert shown["fcpe"] == "FCPE"
