"""The command line: one file per group of commands, flags made from the settings models.

Exit codes: 0 done, 1 failed with a sentence on stderr, 2 wrong usage, 130 interrupted. With ``--json`` one JSON document goes to
stdout and everything else to stderr.
"""

import sys

from cyclopts import App, CycloptsError
from pydantic import ValidationError

from rvc import __version__
from rvc.cli import assets, conversion, dataset, epochs, lab, machine, optimizers, pretrains, training
from rvc.errors import RvcError, SettingsError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def make_app() -> App:
    """All commands. Nothing heavy is imported until one of them runs."""
    app = App(name="rvc", help="Train a voice, convert speech and singing into it, watch it learn.", help_format="plaintext",
              version=__version__, result_action="return_value", print_error=False, exit_on_error=False)
    for group in (training, dataset, epochs, pretrains, optimizers, lab, conversion, assets, machine):
        group.register(app)
    return app


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code. Errors become one sentence on stderr, here and nowhere else."""
    try:
        return make_app()(arguments) or DONE
    except CycloptsError as error:
        print(f"{_plain(error)} See --help.", file=sys.stderr)
        return WRONG_USAGE
    except SettingsError as error:
        print(error, file=sys.stderr)
        return WRONG_USAGE
    except RvcError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


def _plain(error: CycloptsError) -> str:
    """One line, whatever the library that noticed would print."""
    for cause in (error.__cause__, error.__context__):
        if isinstance(cause, ValidationError):
            first = cause.errors()[0]
            flag = str(first["loc"][-1]).replace("_", "-")
            return f"--{flag}: {first['msg'].lower()}; {first['input']!r} was given."
    sentence = " ".join(str(error).split())
    return sentence if sentence.endswith((".", "?")) else sentence + "."
