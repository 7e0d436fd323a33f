"""Test claims of the literature on residual networks on your images: each holds, does not hold, or needs more evidence.

python -m search.claims list [--data digits]
python -m search.claims run plain-is-worse-deep --data digits [--seeds 5] [--epochs 9] [--trainings 40] [--dry-run]
python -m search.claims show [--markdown docs/claims.md]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from search import cli
from search.core.arguments import number, whole
from search.core.commands import again
from search.core.interrupts import interrupts

STORAGE = "sqlite:///widefront.db"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    told = again("search.claims", argv)
    interrupts.line = lambda: f"interrupted; nothing is lost, go on with: {told}"
    return cli.run(_parser(), argv, _act, interrupted=lambda: interrupts.line())


def _act(given: argparse.Namespace) -> int:
    from search.claims import testing  # torch takes seconds, in which a signal is heeded

    return testing.ACTS[given.what](given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.claims", description="Test claims of the literature on residual networks on your images."
    )
    acts = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listing = acts.add_parser("list", help="the claims, and what each takes on your images")
    run = acts.add_parser("run", help="train what claims need, and say what was found")
    show = acts.add_parser("show", help="what was found so far")
    for each in (listing, run, show):
        each.add_argument("claims", nargs="*", metavar="ID", help="these (default: all)")
        each.add_argument("--file", type=Path, metavar="FILE", help="of claims, in the place of the product's own")
        each.add_argument("--json", action="store_true", help="as JSON")
        each.add_argument("--debug", action="store_true", help="show tracebacks")
    for each in (run, show):
        each.add_argument("--storage", default=STORAGE, metavar="URL", help="the database (default: %(default)s)")
    for each in (listing, run):
        _add_training(each)
    _add_run(run)
    show.add_argument("--markdown", type=Path, metavar="FILE", help="write a page of it, such as claims.md")
    show.add_argument("--made-by", default="python -m search.claims show", metavar="TEXT", help="what the page says")
    return parser


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="digits", help="as in space.yaml: digits, {folder: path}, {npz: file}")
    parser.add_argument("--seeds", type=whole(1, 1000), default=5, help="of each network (default: 5)")
    parser.add_argument("--epochs", type=whole(1, 10**6), default=9, help="of each training (default: 9)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trainings", type=whole(0, 10**6), metavar="N", help="at most so many, this time")
    parser.add_argument("--hours", type=number(0, 10**6), help="at most so long, this time")
    parser.add_argument("--dry-run", action="store_true", help="say what it takes, and train nothing")
    parser.add_argument("--again", action="store_true", help="train what has failed, or could not be read, once more")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=whole(1, 10_000), help="of the processor (default: idle cores)")


if __name__ == "__main__":
    interrupts.heed()
    sys.exit(main())
