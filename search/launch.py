"""Run the study that a file describes, or go on with it.

python -m search.launch space.yaml [--set scheduler.max_epochs=3] [--dry-run]
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from search import dry_run
from search.config import StudyConfig, load
from search.ending import show_end
from search.labels import make_console
from search.running import RunningStudy
from search.study import look_ahead, run
from spaces.errors import InputError, StudyError, WidefrontError

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    started_at = datetime.now(UTC)
    given = _parser().parse_args(argv)
    console = make_console()
    try:
        return _launch(given, console, started_at)
    except WidefrontError as error:
        if given.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return WRONG if isinstance(error, InputError) else FAILED
    except KeyboardInterrupt:
        return _interrupted(given)


def _launch(given: argparse.Namespace, console: Console, started_at: datetime) -> int:
    config = load(given.file, given.set)
    if given.dry_run:
        dry_run.show(config, *look_ahead(config), console)
        return DONE
    running = run(
        config, console, address=given.address, verbose=given.verbose, started_at=started_at, share=given.share
    )
    if not running.over:
        return _interrupted(given)
    report = None if given.no_report else _publish(config, given.report)
    show_end(running, config, report, console)
    return _verdict(running)


def _verdict(running: RunningStudy) -> int:
    """Return 1 where every trial failed, else 0."""
    kinds = [trial.reason for trial in running.trials.values() if trial.failure_kind]
    if not kinds or len(kinds) < len(running.trials):
        return DONE
    commonest = max(set(kinds), key=kinds.count)
    raise StudyError(f"all {len(kinds)} trials failed; the commonest reason: {commonest}")


def _interrupted(given: argparse.Namespace) -> int:
    print(f"interrupted; nothing is lost, go on with: python -m search.launch {given.file}", file=sys.stderr)
    return INTERRUPTED


def _publish(config: StudyConfig, path: Path) -> Path | None:
    """Let the dashboards write the report; a process of its own, since they stand above search.

    The storage goes by the environment, since a process list shows command lines.
    """
    command = [sys.executable, "-m", "dashboards.publish", "${WIDEFRONT_STORAGE}", "--study", config.study]
    done = subprocess.run(
        [*command, "-o", str(path)],
        env={**os.environ, "WIDEFRONT_STORAGE": config.storage},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        print(f"warning: there is no report: {last}", file=sys.stderr)
        return None
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.launch", description="Run a study, or go on with it.")
    parser.add_argument("file", type=Path, help="the study's file, such as space.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one leaf")
    parser.add_argument("--dry-run", action="store_true", help="look over the space and the cost, and exit")
    parser.add_argument("--address", help="a Ray cluster to join, such as auto")
    parser.add_argument("--share", action="store_true", help="let other launches that say so join this study")
    parser.add_argument("--report", type=Path, default=Path("report.html"), help="where the report goes")
    parser.add_argument("--no-report", action="store_true", help="write no report")
    parser.add_argument("--verbose", action="store_true", help="show what Ray says")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    code = main()
    if code == INTERRUPTED:  # Ray's threads, cut off while they start, can crash the interpreter on its way out
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
