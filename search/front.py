"""Print the front of a study.

python -m search.front URL --study S [--json | --csv]
"""

import argparse
import csv
import json
import os
import sys
from collections.abc import Sequence

from search.environment import expand
from search.fronts import front_trials
from search.labels import front_table, make_console, row_of
from search.store import Store
from search.trial import StudyRecord, TrialRecord
from spaces.errors import InputError, WidefrontError, unknown


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = _parser().parse_args(argv)
    try:
        with Store.open(expand(given.url, os.environ), create=False) as store:
            study = find(store, given.study)
            _print(study, front_trials(study, store.trials(study.name)), given)
    except WidefrontError as error:
        if given.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    return 0


def find(store: Store, name: str | None) -> StudyRecord:
    """Return a study; without a name, the only one there is.

    Raises:
        InputError: there is none of that name, or several to choose from.
    """
    studies = store.studies()
    if name is None and len(studies) == 1:
        return studies[0]
    for study in studies:
        if study.name == name:
            return study
    names = [study.name for study in studies]
    if not names:
        raise InputError(f"there is no study in {store.shown_url}")
    if name is None:
        raise InputError(f"name one of {', '.join(names)}", place="--study")
    raise InputError(unknown("study", name, names), place="--study")


def _print(study: StudyRecord, front: list[TrialRecord], given: argparse.Namespace) -> None:
    rows = [row_of(study, trial) for trial in front]
    if given.json:
        print(json.dumps(rows, indent=2))
    elif given.csv:
        _print_csv(rows)
    elif front:
        console = make_console()
        console.print(front_table(study, front, width=console.width))
    else:
        print(f"no trial of {study.name} has reached {study.max_epochs} epochs yet")


def _print_csv(rows: list[dict[str, object]]) -> None:
    plain = [{name: value for name, value in row.items() if name != "architecture"} for row in rows]
    names = list(dict.fromkeys(name for row in plain for name in row))
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(plain)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.front", description="Print the front of a study.")
    parser.add_argument("url", help="the database, such as sqlite:///widefront.db; ${NAME} is looked up")
    parser.add_argument("--study", help="its name; may be left out where there is only one")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--csv", action="store_true", help="as CSV")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
