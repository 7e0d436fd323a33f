"""The front of every command: what goes wrong is one line on stderr and an exit code.

0 done, 1 it failed, 2 what was given is wrong, 130 interrupted, 141 nobody reads the output any more.
"""

import argparse
import os
import select
import sys
from collections.abc import Callable, Sequence
from threading import Thread
from typing import TextIO

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
    except (WidefrontError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _closed():  # else it is another's: a database's, a cluster's
            return CLOSED
        if debug:
            raise
        _say(f"error: {shown(_line(error))}")
        return WRONG if isinstance(error, InputError) else FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        _say(interrupted())
    return code


def _say(line: str) -> None:
    """Say a line on stderr; where nobody reads that, the exit code has to do."""
    try:
        print(line, file=sys.stderr)
    except BrokenPipeError:
        _closed()


def _line(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:  # a driver's own may hold lines of its words
        return str(error) if isinstance(error, WidefrontError) else first_line(error)
    name = error.filename2 or error.filename  # of two, where it was to go
    return f"{name}: {error.strerror}" if name else error.strerror


def _closed() -> bool:
    """Whether nobody reads stdout or stderr any more; then nothing is written there, or Python would complain."""
    closed = [stream for stream in (sys.stdout, sys.stderr) if _is_unread(stream)]
    for stream in closed:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(closed)


def end_unread() -> None:
    """End this process as soon as nobody reads its output any more, also in the midst of a long computation.

    For one that works for another, which may be killed.
    """

    def watch() -> None:
        if _is_unread(sys.stdout, None):
            os._exit(CLOSED)

    Thread(target=watch, daemon=True).start()


def _is_unread(stream: TextIO, patience_ms: int | None = 0) -> bool:
    """Ask the kernel: of a pipe or a socket that nobody reads it tells an error or a hang-up, or never (None)."""
    try:
        asked = select.poll()
        asked.register(stream.fileno(), 0)
        return bool(asked.poll(patience_ms))
    except (AttributeError, OSError, ValueError):  # there is none, or it has no file, or is closed
        return False
