"""What the page says about a run, and that nothing from outside is taken for HTML."""

import time

import pytest

from rvc.events import Finding, JobState, Saved
from tabs import curves, widgets

EVIL = '<img src=x onerror="alert(1)">'


def fit(**values) -> JobState:
    known = {"status": "running", "stage": "fit", "step": 50, "total_steps": 200, "epoch": 2, "epochs": 8, "steps_per_second": 2.5,
             "started_at": time.time() - 30, "updated_at": time.time()}
    return JobState(**{**known, **values})


def test_a_fit_shows_epoch_step_speed_and_time_left():
    card = widgets.run_card("mara", fit())
    for shown in ("2 / 8", "50 / 200", "2.50 it/s", "1 min 00 s", 'data-status="running"', "width:25.0%"):
        assert shown in card


def test_an_earlier_stage_shows_how_many_of_how_many():
    extracting = JobState(status="running", stage="extract", done=3, total=12, unit="clips", stages={"extract": "started"})
    card = widgets.run_card("mara", extracting)
    assert "3 of 12 clips" in card
    assert 'data-stage="extract" data-state="started"' in card


def test_a_stage_that_does_not_know_its_length_yet_has_an_open_bar():
    assert "data-open" in widgets.run_card("mara", JobState(status="running", stage="index", stages={"index": "started"}))


@pytest.mark.parametrize(("status", "word"), [("finished", "Finished"), ("stopped", "Stopped"), ("failed", "Failed"), ("died", "Died")])
def test_the_four_ways_to_end_are_four_words(status, word):
    card = widgets.run_card("mara", fit(status=status))
    assert f">{word}<" in card
    assert "progressbar" not in card
    assert "Time left" not in card


def test_a_failure_says_why_and_what_to_do():
    failed = fit(status="failed", message="The loss became NaN.", fix="Lower the learning rate.", stages={"fit": "started"})
    card = widgets.run_card("mara", failed)
    assert "The loss became NaN.<br>Lower the learning rate." in card
    assert 'data-stage="fit" data-state="broken"' in card


def test_a_run_that_was_asked_to_stop_says_that_it_is_stopping():
    assert ">Stopping<" in widgets.run_card("mara", fit(), stop_asked=True)
    assert ">Stopped<" in widgets.run_card("mara", fit(status="stopped"), stop_asked=True)


def test_what_the_run_doctor_sees_is_shown_with_what_to_do():
    found = (Finding(code="frozen", step=50, message="Weights do not move.", advice="Raise the learning rate."),
             Finding(code="data_starved", step=1234, message="Training waits.", advice="Keep the data on the GPU."))
    card = widgets.run_card("mara", fit(findings=found))
    assert card.count('data-tone="warn"') == 2
    assert card.index("Weights do not move.") < card.index("Raise the learning rate.") < card.index("Training waits.")
    assert "step 1\u202f234" in card
    assert "tm-finding" not in widgets.run_card("mara", fit())


def test_names_messages_warnings_and_logs_are_shown_as_text():
    state = fit(status="failed", message=EVIL, warnings=(EVIL,), saved=(Saved(what="voice", path=EVIL),),
                findings=(Finding(code=EVIL, step=1, message=EVIL, advice=EVIL),))
    pieces = [widgets.run_card(EVIL, state), widgets.note(EVIL), widgets.notes(EVIL, [EVIL]), widgets.progress(EVIL, 0.5),
              widgets.facts({EVIL: EVIL}), widgets.log_text(EVIL), widgets.lead(EVIL, EVIL),
              widgets.result_card(EVIL, {EVIL: EVIL}, [EVIL], [EVIL])]
    for piece in pieces:
        assert "<img" not in piece
        assert "&lt;img" in piece


def test_a_log_is_a_value_of_the_box_and_never_part_of_its_template():
    """Gradio evaluates templates as JavaScript: a line with ${...} or a backslash in it must not become part of one."""
    box = widgets.log_box("log")
    assert box.html_template == "${value}"


@pytest.mark.parametrize(("seconds", "text"), [
    (0.4, "0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (3540, "59 min"), (3600, "1 h 00 min"), (7322, "2 h 02 min"),
    (3 * 86400 + 3600, "3 d 1 h")])
def test_durations_are_told_in_the_units_that_matter(seconds, text):
    assert widgets.duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (73_106_273, "73 MB"), (1_500_000_000, "1.50 GB")])
def test_sizes_are_told_as_file_managers_do(count, text):
    assert widgets.size(count) == text


# -- curves ------------------------------------------------------------------------------------------------------------------


def points(tag: str, values: list[float]) -> list[dict]:
    return [{"step": 10 * number, "tag": tag, "value": value} for number, value in enumerate(values, start=1)]


def test_a_curve_spans_its_card_from_the_lowest_to_the_highest_value():
    drawn = curves.drawn(points("loss/g/mel", [30.0, 10.0, 20.0]))
    assert f'd="M0.0 0.0L{curves.WIDTH / 2:.1f} {curves.HEIGHT:.1f}L{curves.WIDTH:.1f} {curves.HEIGHT / 2:.1f}"' in drawn
    assert "10 – 30" in drawn
    assert "step 30" in drawn


def test_every_loss_gets_a_card_of_its_own_and_other_tags_none():
    rows = [row for tag in (*curves.TAGS, "learning_rate") for row in points(tag, [1.0, 2.0])]
    assert curves.drawn(rows).count("<figure") == len(curves.TAGS)


def test_nothing_is_drawn_before_there_are_two_points():
    assert curves.drawn([]) == ""
    assert curves.drawn(points("loss/g/mel", [1.0])) == ""


def test_a_constant_loss_and_one_that_exploded_are_drawn_without_nan():
    drawn = curves.drawn(points("loss/g/kl", [1.0, 1.0, 1.0]) + points("loss/g/mel", [1.0, float("nan"), float("inf"), 2.0]))
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert drawn.count("<figure") == 2


def test_smoothing_keeps_a_constant_and_starts_at_the_first_value():
    assert [value for _, value in curves.smoothed([(1, 5.0), (2, 5.0), (3, 5.0)])] == pytest.approx([5.0, 5.0, 5.0])
    assert curves.smoothed([(1, 8.0), (2, 0.0)], weight=0.5)[0] == (1, 8.0)
    assert curves.smoothed([(1, 8.0), (2, 0.0)], weight=0.5)[1][1] == pytest.approx(8.0 / 3)  # (0.5*0.5*8) / (1 - 0.25)


def test_a_short_curve_is_not_smoothed_and_a_long_one_is():
    few = [(step, float(step % 2)) for step in range(10)]
    many = [(step, float(step % 2)) for step in range(400)]
    assert curves.smoothed(few) == few
    assert max(abs(value - 0.5) for _, value in curves.smoothed(many)[200:]) < 0.05
