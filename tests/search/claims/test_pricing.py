"""What trainings will take is told by those that could be timed, and by nothing where none could."""

from collections.abc import Callable, Sequence
from math import isnan

import pytest

from search.claims.plan import Plan, Run
from search.claims.pricing import price

PlanOf = Callable[..., Plan]


def test_where_nothing_could_be_timed_nobody_knows(plan_of: PlanOf) -> None:
    plan = plan_of("plain-is-worse-deep")
    runs = list(plan.runs.values())
    found = price(runs, {}, plan.runs, plan.images.image, lambda _runs: {})
    assert isnan(found.left_s(runs))
    found.ended(runs[0], 1.0)
    assert isnan(found.left_s(runs[1:]))
    assert found.left_s([]) == 0


def test_a_network_is_timed_as_it_is_first_asked_for(plan_of: PlanOf) -> None:
    plan = plan_of("plain-is-worse-deep")
    runs = list(plan.runs.values())
    asked = list[str]()

    def timed(some: Sequence[Run]) -> dict[str, float]:
        asked.extend(run.key for run in some)
        return {run.key: 0.5 for run in some}

    found = price(runs, {}, plan.runs, plan.images.image, timed)
    assert set(asked) == {run.key for run in runs if run.seed == 0}
    assert found.left_s(runs) == pytest.approx(sum(0.5 * run.recipe.epochs for run in runs), rel=0.5)
