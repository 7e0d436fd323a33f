"""Analyse what a study has found: what its networks are worth together, without a part, and what they have learned.

python -m search.analyse ensemble URL --study S [--json]
python -m search.analyse lesion URL --study S --trial 18 [--blocks 2 --draws 20] [--paths 20] [--train]
python -m search.analyse filters URL --study S --front
python -m search.analyse surface URL --study S --trial 18 [--dimensions 2] [--plain]
python -m search.analyse speed URL --study S --networks wrn-16-4 resnet-110 [--trial 18]
python -m search.analyse marginals URL --study S
python -m search.analyse flow URL --study S --trial 18
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from search import cli
from search.core.analyses import Analysis
from search.core.arguments import add_study, number, whole
from search.core.confirmation import assessed
from search.core.environment import expand
from search.core.findings import heading, lines, table, told
from search.core.processes import Line
from search.core.records import StudyRecord
from search.core.terminal import make_console
from search.storage.finding import find
from search.storage.store import Store
from search.study.analysing import Bench, say_nothing
from search.study.questions import ASKED, PARTS, STATISTICS, STEPS, Given, ask
from spaces.errors import visible


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    asked = Given(**{each.name: getattr(given, each.name) for each in fields(Given)})
    asked.check(given.kind)
    url = expand(given.url, os.environ)
    found = list[Analysis]()
    with opened(url, given.study, given.checkpoints, given.device, again=given.again, shown=True) as bench:
        for analysis in ask(bench, given.kind, asked):
            cli.warn(bench.keep(analysis))
            found.append(analysis)
            if not given.json:
                _print(bench.study, analysis)
    if given.json:
        print(json.dumps([told(bench.study.name, each) for each in found], indent=2))
    return cli.DONE


@contextmanager
def opened(
    url: str,
    study: str | None,
    checkpoints: str | None = None,
    device: str = "auto",
    *,
    again: bool = False,
    shown: bool = False,
) -> Iterator[Bench]:
    """Give what an analysis of a study needs.

    Args:
        url: of the database.
        study: its name; the only one where there is one.
        checkpoints: where its weights lie now, if not where they were.
        device: that computes.
        again: compute what was found before.
        shown: say on a terminal how far it is.

    Raises:
        InputError: there is no such study.
    """
    with Store.reading(url, cli.warn) as store, _progress(shown) as hear:
        record = find(store, study)
        trials = assessed(record, store.trials(record.name))
        yield Bench(
            store=store, study=record, trials=trials, checkpoints=checkpoints, device=device, anew=again, told=hear
        )


@contextmanager
def _progress(shown: bool) -> Iterator[Callable[[Line], object]]:
    """Give what shows on a terminal how far it is, a line for each thing that is done, gone in the end."""
    console = make_console(stderr=True)
    if not (shown and console.is_terminal):
        yield say_nothing
        return
    tasks = dict[str, TaskID]()
    count = TextColumn("{task.completed:.0f} of {task.total:.0f}")
    shown_by = (TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn())
    bars = Progress(*shown_by, console=console, transient=True)

    def hear(line: Line) -> None:
        what = line["progress"]
        if what not in tasks:
            tasks[what] = bars.add_task(visible(what), total=line["of"])
        bars.update(tasks[what], completed=line["done"], total=line["of"])

    with bars:
        yield hear


def _print(study: StudyRecord, analysis: Analysis) -> None:
    console = make_console()
    for part in (heading(study.name, analysis), table(analysis), *lines(analysis)):
        shown = visible(part) if isinstance(part, str) else part
        console.print(shown, markup=False, highlight=False, soft_wrap=isinstance(part, str))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.analyse",
        description="Analyse what a study has found: its trials and the weights that it keeps.",
    )
    parser.add_argument("kind", choices=list(ASKED), help="see docs/analyses.md")
    add_study(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--trial", type=int, help="its number, as search.front tells it")
    which.add_argument("--front", action="store_true", help="every network of the front")
    parser.add_argument("--seed", type=whole(0, 2**32), help="of what is drawn (default: 0)")
    _add_lesion(parser.add_argument_group("lesion"))
    _add_surface(parser.add_argument_group("surface"))
    _add_speed(parser.add_argument_group("speed"))
    parser.add_argument("--again", action="store_true", help="compute anew what was found before")
    parser.add_argument("--checkpoints", metavar="FOLDER", help="where the study's weights lie now, or its URL")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--json", action="store_true", help="as JSON, every row")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _add_lesion(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--blocks", type=whole(1, 10**4), metavar="K", help="also K blocks at random at a time")
    group.add_argument("--draws", type=whole(1, 10**4), metavar="N", help="how often (default: 20)")
    group.add_argument("--paths", type=whole(1, 10**4), metavar="N", help="also N paths of each length alone")
    group.add_argument("--train", action="store_true", help="also train what goes through all blocks without the rest")


def _add_surface(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dimensions", type=int, choices=tuple(STEPS), help="directions (default: 1)")
    group.add_argument("--steps", type=whole(3, 1001), help="points along each (default: 21; of 2 directions 11)")
    group.add_argument("--span", type=number(1e-6, 1e6), help="from the middle to an end, in lengths of filters (1)")
    group.add_argument("--images", type=whole(1, 10**9), help="whose loss is taken (default: 512)")
    group.add_argument("--on", choices=PARTS, help="part of the data (default: training)")
    group.add_argument("--statistics", choices=STATISTICS, help="of normalisations, at each point (default: anew)")
    group.add_argument("--plain", action="store_true", help="beside the network without shortcuts, which is trained")


def _add_speed(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--networks", nargs="+", metavar="NAME", help='such as wrn-16-4 "wrn-16-4 order=original"')
    group.add_argument("--batch", type=whole(2, 10**6), help="images (default: the recipe's)")
    group.add_argument("--rounds", type=whole(2, 10**4), help="through all networks (default: 10)")
    group.add_argument("--threads", type=whole(1, 10**4), help="of the processor (default: what a trial has)")


if __name__ == "__main__":
    sys.exit(main())
