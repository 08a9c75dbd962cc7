"""The command line: ``medallion COMMAND ...``.

Exit codes: 0 all is well; 1 a gate or a step failed; 2 wrong use or conf; 130 stopped by the keyboard.
A person's mistake is told in one message, on stderr, or with ``--json`` as a document on stdout.
"""

import logging
import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from medallion import causes
from medallion.commands import app
from medallion.errors import ConfError, LakehouseError
from medallion.output import as_text, in_a_line, printable

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Failures are reported by the commands themselves.
    logging.getLogger("medallion").addHandler(logging.NullHandler())
    # Whom a run waits for, and who could not be told of it.
    for told in ("medallion.lock", "medallion.openlineage", "medallion.alerts"):
        logging.getLogger(told).addHandler(logging.StreamHandler())
    try:
        code = app(given, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except CycloptsError as error:
        return _refuse(f"{str(error).rstrip('.')}; `medallion --help` tells how", MISUSED, given)
    except ConfError as error:
        return _refuse(str(error), MISUSED, given)
    except LakehouseError as error:
        return _refuse(str(error), FAILED, given)
    except KeyboardInterrupt:
        return _refuse("stopped; whatever was committed stays, the next run takes up the rest", INTERRUPTED, given)
    except BrokenPipeError:  # the reader of our output has gone, as in `medallion show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except causes.of_the_world() as error:
        return _refuse(causes.told(error), FAILED, given)


def _refuse(message: str, code: int, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        sys.stdout.write(as_text({"error": message}) + "\n")
    else:
        for given in arguments:  # a line of what was typed must not pass for one of ours
            message = message.replace(given, in_a_line(given)) if "\n" in given else message
        sys.stderr.write(printable(message) + "\n")
    return code
