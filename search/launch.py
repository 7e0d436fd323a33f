"""Run the study that a file describes, or go on with it.

python -m search.launch space.yaml [--set scheduler.max_epochs=3] [--dry-run]
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from search.config.paths import check_inside, enter
from search.config.study import StudyConfig, load
from search.core.labels import make_console
from search.driver import preview as dry_run
from search.driver.driver import look_ahead, run
from search.driver.summary import show_end
from search.study.running import RunningStudy
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
    except OSError as error:  # such as a full disk where nobody expects it
        if given.debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return _interrupted(given)


def _launch(given: argparse.Namespace, console: Console, started_at: datetime) -> int:
    if given.folder:
        given.file = given.file.absolute()
        enter(given.folder, place="--folder")
    config = _load_within(given) if given.within else load(given.file, given.set)
    if given.dry_run:
        dry_run.show(config, *look_ahead(config), console)
        return DONE
    running = run(
        config,
        console,
        address=given.address,
        verbose=given.verbose,
        started_at=started_at,
        share=given.share,
        sqlite_on_driver=given.sqlite_on_driver,
    )
    if not running.over:
        return _interrupted(given)
    report = None if given.no_report else _publish(config, given.report)
    show_end(running, config, report, console)
    return _verdict(running)


def _load_within(given: argparse.Namespace) -> StudyConfig:
    """Read a file that was sent here: its paths are below one folder, and it is gone when this process is."""
    file = given.file.absolute()
    folder = enter(given.within)
    config = load(file, given.set)
    check_inside(config, folder, None if given.no_report else given.report)
    given.again = f"python -m search.submit --resume {config.study}"
    return config


def _verdict(running: RunningStudy) -> int:
    """Return 1 where every trial failed, else 0."""
    kinds = [trial.reason for trial in running.trials.values() if trial.failure_kind]
    if not kinds or len(kinds) < len(running.trials):
        return DONE
    commonest = max(set(kinds), key=kinds.count)
    raise StudyError(f"all {len(kinds)} trials failed; the commonest reason: {commonest}")


def _interrupted(given: argparse.Namespace) -> int:
    again = given.again or f"python -m search.launch {given.file}"
    print(f"interrupted; nothing is lost, go on with: {again}", file=sys.stderr)
    return INTERRUPTED


def heed_sigterm() -> None:
    """Let SIGTERM, with which clusters and machines end a process, do what Ctrl-C does."""
    signal.signal(signal.SIGTERM, _as_ctrl_c)


def _as_ctrl_c(_number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)  # called, as no SIGINT arrives in what Ray starts: it is blocked there
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


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
    parser.add_argument("--within", metavar="FOLDER", help="run in this folder and refuse paths outside it")
    parser.add_argument("--folder", metavar="FOLDER", help="make this folder if need be, and run there")
    parser.set_defaults(again="")
    parser.add_argument("--share", action="store_true", help="let other launches that say so join this study")
    parser.add_argument("--sqlite-on-driver", action="store_true", help="keep a SQLite file although others train too")
    parser.add_argument("--report", type=Path, default=Path("report.html"), help="where the report goes")
    parser.add_argument("--no-report", action="store_true", help="write no report")
    parser.add_argument("--verbose", action="store_true", help="show what Ray says")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    heed_sigterm()
    code = main()
    if code == INTERRUPTED:  # Ray's threads, cut off while they start, can crash the interpreter on its way out
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
