"""The front of this folder's commands and of the dashboards': `spaces.cli`, with values of variables hidden."""

from functools import partial

from search.core.environment import hide
from spaces import cli

DONE = cli.DONE
run = partial(cli.run, shown=hide)
