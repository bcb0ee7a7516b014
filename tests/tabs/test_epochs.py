"""The Epochs view without a browser: what the table offers, two epochs against each other, and what is sent when nothing changed."""

import html
import re

import gradio as gr
import pytest

from rvc import jobs
from rvc.paths import Home
from rvc.train import rewind as rewinding
from rvc.train.listening.epochs import EpochRow, epochs
from rvc.train.run import TrainingRun
from tabs.boundary import PageError
from tabs.epochs import Duel, Epochs, Seen, table_html, title, wire
from tabs.offered import offered
from tabs.studio import Studio
from tests.sounds import singing
from tests.train.conftest import make_run
from tests.train.test_epochs import save

SCORES = {"mel_distance": 0.5123, "f0_error_cents": 12.34, "voiced_agreement": 0.9}


def row(epoch: int | None = 10, step: int = 100, **changes) -> EpochRow:
    there = {"scores": SCORES, "audition": "a.flac", "voice": "v.pth", "has_checkpoint": True, **changes}
    return EpochRow(epoch, step, **there)


def buttons(text: str) -> list[str]:
    return re.findall(r"<button[^>]*>([^<]*)</button>", text)


# -- the table ---------------------------------------------------------------------------------------------------------------


def test_a_save_is_a_row_with_its_scores_and_units():
    text = table_html([row()], active=False)
    assert [cell for cell in ("0.512", "12.3 ¢", "90.0%") if cell not in text] == []
    assert buttons(text) == ["Play", "Download", "Continue"]


@pytest.mark.parametrize(("changes", "left"), [
    ({"audition": None}, ["Download", "Continue"]),
    ({"voice": None}, ["Play", "Export", "Continue"]),
    ({"has_checkpoint": False}, ["Play", "Download"]),
    ({"has_checkpoint": False, "voice": None}, ["Play"]),
])
def test_only_what_can_be_done_is_offered(changes, left):
    assert buttons(table_html([row(**changes)], active=False)) == left


def test_while_a_run_is_trained_nobody_else_can_go_on_from_one_of_its_epochs():
    assert buttons(table_html([row()], active=True)) == ["Play", "Download"]


def test_no_row_is_marked_as_the_best_and_the_page_says_why():
    rows = [row(10, 100, scores={**SCORES, "mel_distance": 0.1}), row(20, 200)]
    first, second = re.findall(r"<tr data-step=.*?</tr>", table_html(rows, active=False))
    assert first.replace("100", "200").replace("10", "20").replace("0.200", "0.512") == second  # they differ in their numbers alone
    assert "not necessarily a better voice" in table_html(rows, active=False)


def test_scores_that_no_save_has_have_no_column():
    without_pitch = table_html([row(scores={"mel_distance": 0.5})], active=False)
    assert "Mel distance" in without_pitch
    assert "f0 error" not in without_pitch
    assert "Mel distance" not in table_html([row(scores=None)], active=False)


def test_damage_is_told_in_words_and_whatever_is_in_it_is_text():
    text = table_html([row(trouble="<img onerror=x> cannot be read")], active=False)
    assert html.escape("<img onerror=x>") in text
    assert "<img" not in text


def test_without_a_save_the_place_says_what_will_appear():
    assert "Nothing is saved yet" in table_html([], active=False)


def test_a_stop_inside_an_epoch_is_called_by_its_step():
    assert (title(row(None, 95)), title(row(10, 100))) == ("Step 95", "Epoch 10")


# -- against each other ------------------------------------------------------------------------------------------------------


def duel(blind: bool = True, before: Duel | None = None, run: str = "demo") -> Duel:
    return Duel.next_round(before, run, (row(10, 100), row(20, 200)), blind=blind)


def test_openly_the_players_are_called_by_their_epochs_in_the_chosen_order():
    found = duel(blind=False)
    assert (found.label(0), found.label(1), found.hidden) == ("Epoch 10", "Epoch 20", False)


def test_blindly_they_are_a_and_b_in_random_order_until_one_is_picked():
    orders = {duel().players for _ in range(60)}
    assert orders == {(100, 200), (200, 100)}
    found = duel()
    assert (found.label(0), found.label(1), found.hidden, found.result()) == ("A", "B", True, "")
    revealed = found.after_pick(1)
    names = {100: "epoch 10", 200: "epoch 20"}
    assert (revealed.label(0), revealed.label(1)) == (f"A was {names[found.players[0]]}", f"B was {names[found.players[1]]}")
    assert f"You preferred {names[found.players[1]]}" in revealed.result()


def test_rounds_are_counted_by_epoch_and_not_by_letter():
    found = duel()
    for _ in range(5):
        found = duel(before=found.after_pick(found.players.index(200)))
    assert found.wins == {200: 5}
    assert "Rounds won: epoch 10: 1, epoch 20: 5." in found.after_pick(found.players.index(100)).result()


def test_a_second_pick_in_one_round_changes_nothing():
    found = duel().after_pick(0)
    assert found.after_pick(1) == found


def test_another_pair_or_another_run_begins_counting_anew():
    before = duel().after_pick(0)
    assert Duel.next_round(before, "demo", (row(10, 100), row(30, 300)), blind=True).wins == {}
    assert duel(before=before, run="other").wins == {}
    assert duel(before=before).wins == before.wins


# -- the handlers ------------------------------------------------------------------------------------------------------------


class Wired:
    """The view in a page of its own, and its handlers by name."""

    def __init__(self, studio: Studio) -> None:
        with gr.Blocks() as self.demo:
            with gr.Tab("Train") as tab:
                self.shown, self.card = gr.Dropdown([]), gr.HTML()
                self.view, self.epochs = [self.card], Epochs()
            self.of = lambda name: [f"card of {name}"]
            wire(studio, tab, self)
        self.handlers = {function.fn.__name__: function.fn for function in self.demo.fns.values()}

    def __getattr__(self, name: str):
        return self.handlers[name]


class At:
    """A click on a button of the table."""

    def __init__(self, step: int) -> None:
        self._data = {"step": step}


@pytest.fixture
def run(home: Home) -> TrainingRun:
    from rvc import audio

    made = make_run(home, "demo & co")
    for epoch, gain in ((10, 0.5), (20, 0.05)):
        save(made, epoch, 10 * epoch)
        audio.save(made.eval / f"{epoch}e_{10 * epoch}s.flac", audio.Audio(gain * singing(1.0), 24_000))
    return made


@pytest.fixture
def view(home, run) -> Wired:
    return Wired(Studio(home))


def test_the_table_is_sent_once_and_again_when_something_was_saved(view, run):
    seen, table, against, first, second, *opened = view.renew(run.name, None, None, None)
    assert table.count("<tr data-step") == 2
    assert (against["visible"], first["value"], second["value"]) == (True, 200, 100)
    again = view.renew(run.name, seen, 200, 100)
    assert all(one == gr.skip() for one in [*opened, *again])
    save(run, 30, 300)
    _, table, _, first, second, *_ = view.renew(run.name, seen, 200, 100)
    assert table.count("<tr data-step") == 3
    assert (first["value"], second["value"]) == (200, 100)  # what was chosen stays chosen


def test_another_run_closes_what_was_open(view, run, home):
    other = make_run(home, "other")
    seen, *_ = view.renew(run.name, None, None, None)
    _, table, against, _, _, *opened = view.renew(other.name, seen, 200, 100)
    assert "Nothing is saved yet" in table
    assert not against["visible"]
    assert opened[0] is None
    assert [one["visible"] for one in opened[1:-1]] == [False] * 5


def test_without_a_run_or_with_a_damaged_one_the_place_stays_calm(view, run, home):
    assert "Nothing is saved yet" in view.renew(None, None, None, None)[1]
    assert "Nothing is saved yet" in view.renew("gone", None, None, None)[1]
    (run.folder / "run.json").write_text("{")
    assert "is damaged" in view.renew(run.name, None, None, None)[1]


def test_a_save_is_played_from_where_the_page_may_serve_it(view, run, home):
    played = view.hear(run.name, At(100))
    assert played["label"] == "Epoch 10"
    assert played["value"].startswith(str(home.outputs))
    with open(played["value"], "rb") as file:
        assert file.read() == (run.eval / "10e_100s.flac").read_bytes()


def test_a_save_that_is_gone_is_told(view, run):
    with pytest.raises(PageError, match="nothing saved at step 999"):
        view.hear(run.name, At(999))


def test_a_voice_that_is_there_is_handed_out_without_being_made_again(view, run, home):
    exported, seen, table = view.take(run.name, At(100))
    assert exported["value"].endswith("demo & co_10e_100s.pth")
    assert isinstance(seen, Seen)
    assert table.count("<tr data-step") == 2


def test_going_on_from_an_epoch_rewinds_the_run_and_starts_its_worker(view, run, monkeypatch):
    done = []
    monkeypatch.setattr(rewinding, "rewind", lambda run, step: done.append(("rewind", run.name, step)))
    monkeypatch.setattr(jobs, "launch", lambda run: done.append(("launch", run.name)))
    assert view.proceed(run.name, At(100)) == [f"card of {run.name}"]
    assert done == [("rewind", run.name, 100), ("launch", run.name)]


def test_two_epochs_are_played_at_equal_loudness_and_a_pick_reveals_them(view, run, home):
    from rvc.audio import load
    from rvc.train.listening.comparison import loudness

    found, a, b, picks, result = view.play(run.name, 100, 200, True, None)
    assert (a["label"], b["label"], picks["visible"], result) == ("A", "B", True, "")
    levels = [loudness(load(one["value"]), "") for one in (a, b)]
    assert levels[0] == pytest.approx(levels[1], abs=0.1)
    assert not re.search(r"\d+e_\d+s", a["value"].removeprefix(str(home.outputs)) + b["value"].removeprefix(str(home.outputs)))
    found, a, b, picks, result = view.picked(found)
    assert {a["label"], b["label"]} in ({"A was epoch 10", "B was epoch 20"}, {"A was epoch 20", "B was epoch 10"})
    assert not picks["visible"]
    assert "You preferred" in result


def test_the_files_stand_behind_the_right_names(view, run):
    found, a, b, *_ = view.play(run.name, 200, 100, False, None)
    _, c, d, *_ = view.play(run.name, 100, 200, False, found)
    assert (a["label"], b["label"]) == ("Epoch 20", "Epoch 10")
    assert (c["value"], d["value"]) == (b["value"], a["value"])


@pytest.mark.parametrize(("one", "other"), [(100, 100), (100, None), (None, None)])
def test_one_epoch_alone_is_no_comparison(view, run, one, other):
    with pytest.raises(PageError, match="Two different epochs"):
        view.play(run.name, one, other, False, None)


def test_an_epoch_without_a_sound_cannot_be_compared(view, run):
    epochs(run)[0].audition.unlink()
    with pytest.raises(PageError, match="Epoch 20 has no sound"):
        view.play(run.name, 100, 200, False, None)


def test_what_was_offered_long_ago_is_removed(home, tmp_path, monkeypatch):
    (tmp_path / "a.pth").write_bytes(b"voice")
    first = offered(home, tmp_path / "a.pth", "one.pth")
    assert offered(home, tmp_path / "a.pth", "one.pth") == first
    monkeypatch.setattr("tabs.offered.KEPT_SECONDS", -1.0)
    offered(home, tmp_path / "a.pth", "two.pth")
    assert [path.name for path in first.parent.iterdir()] == ["two.pth"]
    assert (tmp_path / "a.pth").exists()
