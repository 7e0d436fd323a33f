"""What each searched value buys: the error at equal cost of the networks that have it, against that of the others.

An error at equal cost is one over the least of any network that costs no more (`search.core.equal_cost`), so that size,
which buys most, is taken out. Only what was trained in full has one.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import eq

from search.core.analyses import Question, Row
from search.core.equal_cost import excess
from search.core.fronts import complete_trials
from search.core.picking import best_quality, first_cost
from search.core.records import StudyRecord, TrialRecord
from search.core.units import value_text
from search.models.contrast import ratio
from spaces.domains import Scalar

SEVERAL = 6  # distinct numbers of an axis from which on they are told in thirds


@dataclass(frozen=True, slots=True)
class _Group:
    """Values of an axis that are told together."""

    name: str
    has: Callable[[Scalar], bool]


def marginals(study: StudyRecord, trials: Sequence[TrialRecord]) -> tuple[Question, tuple[Row, ...]]:
    """Return what is asked and what is found: a row for each value of each searched axis that trials differ in.

    Each row has how many trials were trained in full and how many were proposed with the value, the geometric mean of
    their errors at equal cost, and its ratio to that of the other values, with an interval at 95 %. Where an axis
    exists in some networks alone, those are compared among themselves.
    """
    quality, cost = best_quality(study), first_cost(study)
    full = [
        trial
        for trial in complete_trials(trials)
        if math.isfinite(quality.value(trial.cost, trial.found)) and math.isfinite(cost.value(trial.cost, trial.found))
    ]
    far = dict(zip([trial.number for trial in full], excess(study, full, quality), strict=True)) if full else {}
    rows = tuple(row for axis in study.domains for row in _rows(axis, full, trials, far))
    told = [sorted(far.items()), {trial.number: dict(trial.params) for trial in trials}]
    seen = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
    settings = {"quality": quality.name, "cost": cost.name}
    numbers = tuple(trial.number for trial in full)
    question = Question(
        kind="marginals", trials=numbers, settings=settings, weights=seen, fingerprint=study.fingerprint
    )
    return question, rows


def _rows(
    axis: str, full: Sequence[TrialRecord], trials: Sequence[TrialRecord], far: Mapping[int, float]
) -> Iterator[Row]:
    having = [trial for trial in full if axis in trial.params]
    groups = _groups([trial.params[axis] for trial in having])
    if len(groups) < 2:
        return
    for group in groups:
        mine = [far[trial.number] for trial in having if group.has(trial.params[axis])]
        others = [far[trial.number] for trial in having if not group.has(trial.params[axis])]
        proposed = sum(axis in trial.params and group.has(trial.params[axis]) for trial in trials)
        found = ratio(mine, others)
        yield {
            "axis": axis, "value": group.name, "trials": len(mine), "others": len(others), "proposed": proposed,
            "excess": math.exp(sum(map(math.log, mine)) / len(mine)),
            **{name: _known(value) for name, value in
               (("effect", found.mean), ("low", found.low), ("high", found.high))},
        }  # fmt: skip


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _groups(values: Sequence[Scalar]) -> list[_Group]:
    """Return what is told together: each value, or thirds of numbers where there are many."""
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in distinct)
    if not numeric or len(distinct) < SEVERAL:
        return [_Group(value_text(value), partial(eq, value)) for value in distinct]
    ordered = sorted(float(value) for value in values)
    cuts = sorted({ordered[len(ordered) * place // 3] for place in (1, 2)} - {ordered[0]})
    ends = [ordered[0], *cuts, math.inf]
    return [_third(low, high, ordered) for low, high in pairwise(ends)]


def _third(low: float, high: float, ordered: Sequence[float]) -> _Group:
    most = max(value for value in ordered if value < high)
    return _Group(f"{value_text(low)} to {value_text(most)}", lambda given: low <= float(given) < high)
