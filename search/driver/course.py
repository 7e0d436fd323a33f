"""Follow a study through its course: run it, confirm its front, write its report and sum it up."""

import argparse
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from search import cli
from search.config.study import StudyConfig
from search.core.confirmation import assessed
from search.core.records import TrialRecord
from search.core.terminal import say
from search.driver.confirming import Asked, confirm
from search.driver.driver import run
from search.driver.paging import live_page
from search.driver.publishing import publish
from search.driver.screen import meanwhile
from search.driver.summary import show_found, show_further, typed
from search.study.running import RunningStudy
from search.study.seeds import SeedPlan
from spaces.cli import DONE, INTERRUPTED
from spaces.errors import InputError, StudyError


def follow(given: argparse.Namespace, config: StudyConfig, console: Console, started_at: datetime) -> int:
    """Return the exit code: 130 where the study was interrupted.

    Args:
        given: what the command was given.
        config: the file.
        console: where the study is shown.
        started_at: when the command began.

    Raises:
        WidefrontError: what stood in the way.
        StudyError: every trial failed.
    """
    with _page(given, config, console):
        return _follow(given, config, console, started_at)


def _page(given: argparse.Namespace, config: StudyConfig, console: Console) -> AbstractContextManager[None]:
    """Show the study on a page meanwhile, where that is asked for."""
    if not given.page and given.page_port is None:
        return nullcontext()
    return live_page(config.storage, config.study, partial(say, console), written=typed(config), port=given.page_port)


def _follow(given: argparse.Namespace, config: StudyConfig, console: Console, started_at: datetime) -> int:
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
    known = assessed(running.record, trials)
    try:
        show_found(running, config, console, known)
    except OSError:  # nobody reads any more, or a log has no room: the report is for later
        _report(given, config, console)
        raise
    show_further(running, config, console, known, _report(given, config, console))
    return _verdict(running)


def _report(given: argparse.Namespace, config: StudyConfig, console: Console) -> Path | None:
    """Write the report, where one is asked for, and return its path."""
    if given.no_report:
        return None
    doing = meanwhile(console, "writing the report")
    return publish(config.storage, config.study, given.report, typed(config), doing=doing)


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


def _verdict(running: RunningStudy) -> int:
    """Return 0, but where every trial failed."""
    kinds = [trial.reason for trial in running.trials.values() if trial.failure_kind]
    if not kinds or len(kinds) < len(running.trials):
        return DONE
    commonest = max(set(kinds), key=kinds.count)
    raise StudyError(f"all {len(kinds)} trials failed; the commonest reason: {commonest}")
