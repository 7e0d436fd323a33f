"""Print the front of a study.

python -m search.front URL --study S [--json | --csv]
python -m search.front URL --study S --curves out.parquet
"""

import argparse
import csv
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from search import cli
from search.core.arguments import add_study
from search.core.columns import View, row_of
from search.core.confirmation import Confidence, assessed, confirmation_lines
from search.core.environment import expand
from search.core.fronts import front_trials
from search.core.labels import outside_line
from search.core.records import State, StudyRecord, TrialRecord
from search.core.terminal import front_table, make_console
from search.core.units import format_number_of
from search.storage.finding import find
from search.storage.store import Store
from spaces.errors import visible


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _show)


def _show(given: argparse.Namespace) -> int:
    with Store.reading(expand(given.url, os.environ), cli.warn) as store:
        study = find(store, given.study)
        trials = store.trials(study.name)
    if given.curves:
        from search.simulation.curves import write_curves  # which needs what replays need: torch, pandas

        write_curves(trials, given.curves, study.measures)
    else:
        trials = assessed(study, trials)
        _print(study, trials, given)
    return cli.DONE


def _print(study: StudyRecord, trials: list[TrialRecord], given: argparse.Namespace) -> None:
    front = front_trials(study, trials)
    if given.json:
        print(json.dumps([row_of(study, trial) for trial in front], indent=2))
    elif given.csv:
        _print_csv([row_of(study, trial, View.CSV) for trial in front])
    elif front:
        console = make_console()
        console.print(front_table(study, front, width=console.width))
        for line in filter(None, (*confirmation_lines(Confidence(study, trials)), outside_line(trials))):
            console.print(visible(line), markup=False, highlight=False, soft_wrap=True)
    else:
        none = f"no trial of {study.name} has reached {format_number_of('epoch', study.max_epochs)} yet"
        print(visible(outside_line(trial for trial in trials if trial.state is State.COMPLETE)) or none)


def _print_csv(rows: list[dict[str, object]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.front", description="Print the front of a study.")
    add_study(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--csv", action="store_true", help="as CSV")
    form.add_argument("--curves", type=Path, help="write every epoch of every trial to a .parquet or .csv(.gz) file")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
