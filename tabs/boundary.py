"""Where errors become words on the page: the only place of the studio that catches them.

An ``RvcError`` is shown as its sentence with its fix. Anything else is a mistake of ours: it is logged with its traceback, and
the reader is told so in a plain sentence. Toasts render HTML, so whatever came from a file name or a form is escaped.
"""

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gradio as gr

from rvc.errors import RvcError

logger = logging.getLogger("timbre.page")
SHOWN_SECONDS = 12

Handler = TypeVar("Handler", bound=Callable[..., Any])


class PageError(gr.Error):
    """A toast. ``text`` is what it says, before it was made HTML."""

    def __init__(self, text: str, title: str) -> None:
        super().__init__(html.escape(text, quote=False).replace("\n", "<br>"), title=title, duration=SHOWN_SECONDS, print_exception=False)
        self.text = text


def handler(function: Handler) -> Handler:
    """An event handler, plain or generator, whose errors are shown as sentences."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with errors_as_words():
                yield from function(*args, **kwargs)

        return generator  # type: ignore[return-value]

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with errors_as_words():
            return function(*args, **kwargs)

    return plain  # type: ignore[return-value]


@contextmanager
def errors_as_words() -> Iterator[None]:
    """Whatever goes wrong inside is raised as a ``PageError``."""
    try:
        yield
    except gr.Error:
        raise
    except RvcError as error:
        raise PageError(sentence(error), "Not possible") from error
    except Exception as error:
        logger.exception("A handler of the page failed")
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PageError(f"Something went wrong that should not: {what}. The log of the studio has the details.", "Unexpected") from error


def sentence(error: RvcError) -> str:
    """What ``error`` says, and on a line of its own what to do about it."""
    return f"{error.message}\n{error.fix}" if error.fix else error.message
