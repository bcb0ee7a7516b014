"""Errors become sentences, once."""

import logging

import gradio as gr
import pytest

from rvc.errors import DatasetError, SettingsError
from tabs.boundary import PageError, handler


@handler
def refuses(message: str) -> None:
    raise SettingsError(message, fix="Use another.")


def test_a_sentence_and_its_fix_are_shown():
    with pytest.raises(gr.Error) as raised:
        refuses("That cannot be.")
    assert raised.value.message == "That cannot be.<br>Use another."
    assert raised.value.text == "That cannot be.\nUse another."
    assert raised.value.print_exception is False


def test_what_came_from_outside_is_shown_as_text():
    with pytest.raises(gr.Error) as raised:
        refuses("<img src=x onerror=alert(1)> & 'quotes'")
    assert "<img" not in raised.value.message
    assert "&lt;img src=x onerror=alert(1)&gt; &amp;" in raised.value.message


def test_an_unexpected_error_is_told_plainly_and_logged_with_its_traceback(caplog):
    @handler
    def broken() -> float:
        return 1 / 0

    with caplog.at_level(logging.ERROR), pytest.raises(PageError) as raised:
        broken()
    assert "division by zero" in raised.value.text
    assert "log of the studio" in raised.value.text
    assert "ZeroDivisionError" in caplog.text
    assert "in broken" in caplog.text


def test_a_generator_shows_what_it_had_and_then_the_sentence():
    @handler
    def steps():
        yield "first"
        raise DatasetError("Nothing in there.")

    running = steps()
    assert next(running) == "first"
    with pytest.raises(PageError, match="Nothing in there"):
        next(running)


def test_closing_a_generator_closes_the_work_inside():
    closed = []

    @handler
    def steps():
        try:
            yield 1
        finally:
            closed.append(True)

    running = steps()
    next(running)
    running.close()
    assert closed == [True]


def test_a_toast_raised_on_purpose_stays_as_it_is():
    @handler
    def says() -> None:
        raise gr.Error("As written.")

    with pytest.raises(gr.Error) as raised:
        says()
    assert type(raised.value) is gr.Error
