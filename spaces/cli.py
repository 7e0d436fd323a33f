"""The front of every command: what goes wrong is one line on stderr and an exit code.

0 done, 1 it failed, 2 what was given is wrong, 130 interrupted, 141 nobody reads the output any more.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from spaces.errors import InputError, WidefrontError, first_line

DONE, FAILED, WRONG, INTERRUPTED, CLOSED = 0, 1, 2, 130, 141


def run(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    act: Callable[[argparse.Namespace], int],
    *,
    shown: Callable[[str], str] = str,
    interrupted: Callable[[], str] = lambda: "interrupted",
) -> int:
    """Run a command and return its exit code.

    Args:
        parser: of its arguments; where it has `--debug`, an error is raised as it is.
        argv: the arguments, else the process's.
        act: does what they say and returns an exit code.
        shown: makes a line fit to be seen.
        interrupted: returns what is said at Ctrl-C.
    """
    debug = False
    try:
        given = parser.parse_args(argv)
        debug = getattr(given, "debug", False)
        code = act(given)
        sys.stdout.flush()
    except BrokenPipeError:
        return _closed()
    except (WidefrontError, OSError) as error:
        if debug:
            raise
        print(f"error: {shown(_line(error))}", file=sys.stderr)
        return WRONG if isinstance(error, InputError) else FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        print(interrupted(), file=sys.stderr)
    return code


def _line(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:  # a driver's own may hold lines of its words
        return str(error) if isinstance(error, WidefrontError) else first_line(error)
    name = error.filename2 or error.filename  # of two, where it was to go
    return f"{name}: {error.strerror}" if name else error.strerror


def _closed() -> int:
    """Let nothing be written any more, or Python would complain of it on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return CLOSED
