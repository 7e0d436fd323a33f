"""The front of this folder's commands and of the dashboards': `spaces.cli`, with values of variables hidden."""

import gc
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from search.core.environment import hide
from spaces import cli
from spaces.errors import visible

DONE = cli.DONE


def warn(lines: Iterable[str]) -> None:
    """Say on stderr what is odd, and no reason to end."""
    for line in lines:
        print(f"warning: {visible(hide(line))}", file=sys.stderr)


@contextmanager
def loading() -> Iterator[None]:
    """Import much at once without looking for garbage, and never look through what was imported.

    Python's collector walks through all that there is, again and again as it grows, and finds next to nothing: a fifth
    of the time that Ray and torch take to be imported. Only for a process that is ours.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


run = partial(cli.run, shown=hide)
