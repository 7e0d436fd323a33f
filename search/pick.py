"""Say which network to take.

python -m search.pick URL --study S --under "macs <= 200k, latency_ms <= 3" [--above "accuracy >= 0.985"] [--knee]
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence

from search import cli
from search.core.arguments import add_study
from search.core.columns import row_of
from search.core.confirmation import Confidence, assessed
from search.core.environment import expand
from search.core.picking import Bound, Pick, best_quality, bounds_of, described, first_cost, knee, pick
from search.core.records import StudyRecord, TrialRecord
from search.storage.finding import find
from search.storage.store import Store
from spaces.errors import InputError, StudyError, visible


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 where nothing keeps the bounds."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    if given.knee and (given.under or given.above):
        raise InputError("the knee is that of the whole front: give bounds or --knee", place="--knee")
    with Store.reading(expand(given.url, os.environ), cli.warn) as store:
        study = find(store, given.study)
        bounds = _bounds(given, study)
        trials = assessed(study, store.trials(study.name))
    found = Pick(chosen=knee(study, trials)) if given.knee else pick(study, trials, bounds)
    if given.json:
        print(json.dumps({role: _row(study, trial) for role, trial in _roles(found)}, indent=2))
    if found.chosen is None:
        raise StudyError(_nothing(study, found, bounds))
    if not given.json:
        print("\n".join(map(visible, _lines(study, trials, found, bounds))))
    return cli.DONE


def _bounds(given: argparse.Namespace, study: StudyRecord) -> list[Bound]:
    found = list[Bound]()
    for place in ("under", "above"):
        try:
            found += bounds_of(getattr(given, place), study.measures)
        except InputError as error:
            raise error.at(f"--{place}") from error
    return found


def _roles(found: Pick) -> list[tuple[str, TrialRecord | None]]:
    return [("pick", found.chosen), ("more", found.more), ("nearest", found.nearest)]


def _row(study: StudyRecord, trial: TrialRecord | None) -> dict[str, object] | None:
    return None if trial is None else row_of(study, trial)


def _lines(study: StudyRecord, trials: Sequence[TrialRecord], found: Pick, bounds: Sequence[Bound]) -> Iterator[str]:
    """Yield what to take, what a little more would buy, and what is as good for less as far as anybody knows."""
    chosen = found.chosen
    assert chosen is not None
    yield f"take trial {chosen.number}: {_told(study, chosen, bounds)}"
    if found.more is not None:
        over = ", ".join(_over(bound, found.more) for bound in bounds if bound.overstep(found.more))
        yield f"with {over}: trial {found.more.number}: {_told(study, found.more, bounds)}"
    for other, sure in _rivals(study, trials, chosen):
        told = f"may be as good for less ({100 * sure:.0f} % that it is worse)"
        yield f"{told}: trial {other.number}: {_told(study, other, bounds)}"


def _told(study: StudyRecord, trial: TrialRecord, bounds: Sequence[Bound]) -> str:
    return described(study, trial, [bound.objective for bound in bounds])


def _over(bound: Bound, trial: TrialRecord) -> str:
    return f"{100 * bound.overstep(trial):.3g} % {'more' if bound.below else 'less'} {bound.objective.name}"


def _rivals(
    study: StudyRecord, trials: Sequence[TrialRecord], chosen: TrialRecord
) -> Iterator[tuple[TrialRecord, float]]:
    """Yield networks that cost less and may be as good, where seeds tell."""
    cost = first_cost(study)
    value = cost.minimised(cost.value(chosen.cost, chosen.found))
    for other, sure in Confidence(study, trials).worse_than(chosen, best_quality(study)):
        if cost.minimised(cost.value(other.cost, other.found)) < value:
            yield other, sure


def _nothing(study: StudyRecord, found: Pick, bounds: Sequence[Bound]) -> str:
    asked = ", ".join(bound.text for bound in bounds)
    if found.nearest is None:
        return f"no network of {study.name} that was trained in full is known by {asked or 'anything'}"
    over = ", ".join(_over(bound, found.nearest) for bound in bounds if bound.overstep(found.nearest))
    nearest = f"trial {found.nearest.number} ({_told(study, found.nearest, bounds)})"
    return f"nothing keeps {asked}; the nearest, with {over}, is {nearest}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.pick", description="Say which network to take.")
    add_study(parser)
    parser.add_argument("--under", action="append", default=[], metavar="BOUNDS", help="such as 'macs <= 200k'")
    parser.add_argument("--above", action="append", default=[], metavar="BOUNDS", help="such as 'accuracy >= 98.5 %%'")
    parser.add_argument("--knee", action="store_true", help="where quality begins to be dear, without bounds")
    parser.add_argument("--json", action="store_true", help="as JSON: pick, more, nearest")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
