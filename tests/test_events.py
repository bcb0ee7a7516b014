"""Events survive the log, and the state is a fold of them."""

import math

from rvc.events import Ended, EventLog, Metrics, Note, Progress, Saved, Stage, Started, fold, from_json

EVENTS = [
    Started(pid=1, process_started=2.5),
    Stage(stage="preprocess", status="started"),
    Progress(stage="preprocess", done=1, total=4, message="ä.wav"),
    Stage(stage="preprocess", status="finished", summary={"clips": 3, "left_out": {"a": "silent"}}),
    Stage(stage="fit", status="started"),
    Metrics(step=2, total_steps=8, epoch=1, epochs=4, steps_per_second=2.0, values={"loss/g/total": 30.5}),
    Note(level="warning", message="Look."),
    Saved(what="voice", path="demo.pth", epoch=1, step=2),
]


def test_every_event_comes_back_from_the_log_as_it_was(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    for event in EVENTS:
        log.append(event)
    assert log.read()[0] == EVENTS


def test_reading_goes_on_where_it_ended_and_leaves_half_a_line_for_later(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append(EVENTS[0])
    first, position = log.read()
    line = EVENTS[1].as_json().encode()
    with open(log.path, "ab") as file:
        file.write(line[:10])
    assert log.read(position) == ([], position)
    with open(log.path, "ab") as file:
        file.write(line[10:] + b"\n")
    assert first + log.read(position)[0] == EVENTS[:2]


def test_a_damaged_line_does_not_hide_the_others(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.append(EVENTS[0])
    with open(log.path, "ab") as file:
        file.write(b'{"kind": "prog\n')
    log.append(EVENTS[1])
    events, _ = log.read()
    assert [events[0], events[2]] == EVENTS[:2]
    assert "damaged" in events[1].message


def test_a_loss_that_is_not_a_number_travels_too():
    event = Metrics(step=1, total_steps=1, epoch=1, epochs=1, steps_per_second=1.0, values={"a": math.nan, "b": math.inf, "c": 1.0})
    back = from_json(event.as_json()).values
    assert math.isnan(back["a"])
    assert back["b"] == math.inf
    assert back["c"] == 1.0


def test_the_state_is_a_fold_of_the_events():
    state = fold(EVENTS)
    assert (state.status, state.stage, state.step, state.epoch, state.epochs) == ("running", "fit", 2, 1, 4)
    assert state.stages == {"preprocess": "finished", "fit": "started"}
    assert state.warnings == ("Look.",)
    assert state.eta_seconds == 3.0
    assert state.fraction == 0.25
    assert [one.path for one in state.saved] == ["demo.pth"]


def test_each_end_has_its_own_word_and_carries_its_fix():
    for outcome in ("finished", "stopped", "failed"):
        state = fold([*EVENTS, Ended(outcome=outcome, message="So.", fix="Thus.")])
        assert (state.status, state.message, state.fix, state.active, state.eta_seconds) == (outcome, "So.", "Thus.", False, None)


def test_a_new_attempt_forgets_the_warnings_and_the_end_of_the_last_but_keeps_what_was_saved():
    state = fold([*EVENTS, Ended(outcome="failed", message="So."), Started(pid=5, process_started=9.0)])
    assert (state.status, state.warnings, state.message, state.pid) == ("running", (), "", 5)
    assert [one.path for one in state.saved] == ["demo.pth"]
