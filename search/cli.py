"""The front of this folder's commands and of the dashboards': `spaces.cli`, with values of variables hidden."""

import sys
from collections.abc import Iterable
from functools import partial

from search.core.environment import hide
from spaces import cli
from spaces.errors import visible

DONE = cli.DONE


def warn(lines: Iterable[str]) -> None:
    """Say on stderr what is odd, and no reason to end."""
    for line in lines:
        print(f"warning: {visible(hide(line))}", file=sys.stderr)


run = partial(cli.run, shown=hide)
