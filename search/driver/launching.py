"""Do what the command `search.launch` was given: a look ahead, or a study's whole course."""

import argparse
import logging
import sys
from collections.abc import Callable
from datetime import datetime

from rich.console import Console

from search import cli
from search.config.paths import check_inside, enter
from search.config.study import StudyConfig, load
from search.config.unread import unread
from search.core.commands import command
from search.core.terminal import make_console, say
from search.devices.costs import Forgets
from search.driver import preview
from search.driver.commands import devices, tried
from search.driver.growing import foretold
from search.driver.inspection import look_ahead
from search.storage.store import Store
from search.storage.url import holds_secret
from spaces.cli import DONE
from spaces.errors import WidefrontError


def launch(given: argparse.Namespace, started_at: datetime, again: Callable[[str], object]) -> int:
    """Return the exit code: 130 where the study was interrupted.

    Args:
        given: what the command was given.
        started_at: when the command began.
        again: called with the command that goes on with the study, where it is not this one.

    Raises:
        WidefrontError: in one line, why there is nothing to show.
    """
    console = make_console()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")  # to stderr, above a live display
    logging.getLogger("search").setLevel(logging.INFO if given.verbose else logging.WARNING)
    _warn_of_secrets(given)
    if given.folder:
        given.file = given.file.absolute()
        enter(given.folder, place="--folder")
    config = _load_within(given) if given.within else load(given.file, given.set)
    _heed_unread(config)
    if given.within:
        again(command("search.submit", "--resume", config.study))
    if given.dry_run:
        return _look(config, console)
    with cli.loading():
        from search.driver.course import follow  # Ray: a second of a processor, which a dry run does without

    return follow(given, config, console, started_at)


def _look(config: StudyConfig, console: Console) -> int:
    """Say what a study would do, what would become of the one that is there, and what commands measure."""
    data, seen = look_ahead(config)
    preview.show(config, data, seen, console)
    for line in foretold(config):
        say(console, line)
    with devices(config, data.image, Forgets()) as measuring:
        for line in tried(config, measuring, seen):
            say(console, line)
    return DONE


def _heed_unread(config: StudyConfig) -> None:
    """Refuse keys that the scheduler does not read; for a study that is under way already they are a warning.

    Raises:
        InputError: the first of them.
    """
    cli.warn(config.dropped)
    found = unread(config.scheduler)
    if found and not _is_stored(config):
        raise found[0]
    cli.warn(map(str, found))


def _is_stored(config: StudyConfig) -> bool:
    try:
        with Store.open(config.storage, create=False, migrate=False) as store:
            return config.study in store.names()
    except WidefrontError:  # a database that is away, or not made yet
        return False


def _warn_of_secrets(given: argparse.Namespace) -> None:
    for setting in given.set:
        key, _, value = setting.partition("=")
        if key == "storage" and holds_secret(value):
            line = "everyone on this machine can see a password on a command line; --set 'storage=${NAME}' hides it"
            print(f"warning: {line}", file=sys.stderr)


def _load_within(given: argparse.Namespace) -> StudyConfig:
    """Read a file that was sent here: its paths are below one folder, and it is gone when this process is."""
    file = given.file.absolute()
    folder = enter(given.within)
    config = load(file, given.set)
    check_inside(config, folder, None if given.no_report else given.report)
    return config
