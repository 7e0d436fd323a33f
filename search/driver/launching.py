"""Do what the command `search.launch` was given: preview, or run, report and sum up."""

import argparse
import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial

from rich.console import Console

from search import cli
from search.config.paths import check_inside, enter
from search.config.study import StudyConfig, load
from search.config.unread import unread
from search.core.commands import command
from search.core.confirmation import assessed
from search.core.records import TrialRecord
from search.core.terminal import make_console
from search.devices.costs import Forgets
from search.driver import preview
from search.driver.commands import devices, tried
from search.driver.confirming import Asked, confirm
from search.driver.driver import look_ahead, run
from search.driver.growing import foretold
from search.driver.paging import live_page
from search.driver.publishing import publish
from search.driver.screen import meanwhile
from search.driver.summary import show_end, typed
from search.driver.training import say
from search.storage.store import Store
from search.storage.url import holds_secret
from search.study.running import RunningStudy
from search.study.seeds import SeedPlan
from spaces.cli import DONE, INTERRUPTED
from spaces.errors import InputError, StudyError, WidefrontError


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
    with _page(given, config, console):
        return _launch(given, config, console, started_at)


def _page(given: argparse.Namespace, config: StudyConfig, console: Console) -> AbstractContextManager[None]:
    """Show the study on a page meanwhile, where that is asked for."""
    if not given.page and given.page_port is None:
        return nullcontext()
    return live_page(config.storage, config.study, partial(say, console), written=typed(config), port=given.page_port)


def _launch(given: argparse.Namespace, config: StudyConfig, console: Console, started_at: datetime) -> int:
    running = run(
        config,
        console,
        address=given.address,
        verbose=given.verbose,
        started_at=started_at,
        share=given.share,
        sqlite_on_driver=given.sqlite_on_driver,
        grow=given.grow,
    )
    if not running.over:
        return INTERRUPTED
    trials, over = list(running.trials.values()), True
    if config.confirm.seeds:
        trials, over = _confirm(given, config, console, trials)
    if not over:
        return INTERRUPTED
    report = None
    if not given.no_report:
        with meanwhile(console, "writing the report"):
            report = publish(config.storage, config.study, given.report, typed(config))
    show_end(running, config, report, console, assessed(running.record, trials))
    return _verdict(running)


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


def _confirm(
    given: argparse.Namespace, config: StudyConfig, console: Console, trials: list[TrialRecord]
) -> tuple[list[TrialRecord], bool]:
    """Train the front again with other seeds as the file asks, and return the trials then, and whether that is done."""
    asked = Asked(
        url=config.storage_text, study=config.study, plan=SeedPlan(**config.confirm.model_dump(exclude={"test"})),
        test=config.confirm.test, address=given.address, verbose=given.verbose,
    )  # fmt: skip
    try:
        found = confirm(asked, console, datetime.now(UTC))
    except InputError as error:  # the study itself is done: its report is written all the same
        cli.warn([f"nothing is confirmed: {error}"])
        return trials, True
    return found.trials, found.over


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


def _verdict(running: RunningStudy) -> int:
    """Return 0, but where every trial failed."""
    kinds = [trial.reason for trial in running.trials.values() if trial.failure_kind]
    if not kinds or len(kinds) < len(running.trials):
        return DONE
    commonest = max(set(kinds), key=kinds.count)
    raise StudyError(f"all {len(kinds)} trials failed; the commonest reason: {commonest}")
