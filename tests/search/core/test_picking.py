"""Which network to take: the best under a bound, the cheapest above one, the nearest where nothing fits, the knee."""

import math
import random
from dataclasses import replace

import pytest

from search.core.picking import Bound, Step, bounds_of, described, knee, pick, steps
from search.core.records import State, TrialRecord
from spaces.errors import InputError
from tests import factories

STUDY = factories.study()
CHEAP = factories.complete(0, [0.90] * 9, macs=10_000)
MIDDLE = factories.complete(1, [0.97] * 9, macs=20_000)
DEAR = factories.complete(2, [0.99] * 9, macs=90_000)
POOR = factories.complete(3, [0.80] * 9, macs=15_000)
STOPPED = factories.trial(4, [0.999], macs=5_000, state=State.STOPPED)
TRIALS = [CHEAP, MIDDLE, DEAR, POOR, STOPPED]


@pytest.mark.parametrize(
    ("text", "limit", "below"),
    [
        ("macs <= 200k", 200_000, True),
        ("macs<1.5M", 1_500_000, True),
        ("accuracy >= 98.5 %", 0.985, False),
        ("accuracy>.5", 0.5, False),
        ("params <= 1e6", 1e6, True),
        ("weight_bytes <= 2G", 2e9, True),
    ],
)
def test_a_bound_is_read_as_people_write_it(text: str, limit: float, below: bool) -> None:
    bound = Bound.parse(text)
    assert bound.limit == pytest.approx(limit)
    assert bound.below is below


@pytest.mark.parametrize("text", ["macs", "macs 3", "macs == 3", "<= 3", "macs <= k", "macs <= 1:30", "macs <= nan"])
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a bound such as"):
        Bound.parse(text)


def test_a_bound_on_nothing_that_is_known_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match=r"unknown objective 'mac'.*did you mean 'macs'"):
        Bound.parse("mac <= 3")


def test_several_bounds_stand_behind_commas() -> None:
    assert [bound.text for bound in bounds_of(["macs <= 1k, params < 2", "accuracy >= 0.5"])] == [
        "macs <= 1k", "params < 2", "accuracy >= 0.5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bounds", "chosen", "more"),
    [
        ("macs <= 50k", 1, 2),
        ("macs <= 20k", 1, 2),
        ("macs < 20k", 0, 1),
        ("macs <= 10G", 2, None),
        ("accuracy >= 0.95", 1, 0),  # the cheapest; for a little less accuracy there is a cheaper one
        ("accuracy >= 0.95, macs <= 100k", 2, None),
        ("", 2, None),
    ],
)
def test_the_best_within_bounds_is_taken_and_what_a_little_more_buys_is_told(
    bounds: str, chosen: int, more: int | None
) -> None:
    found = pick(STUDY, TRIALS, bounds_of([bounds]))
    assert found.chosen is not None
    assert found.chosen.number == chosen
    assert (found.more.number if found.more else None) == more


def test_what_was_stopped_early_is_never_taken() -> None:
    assert pick(STUDY, [STOPPED, POOR], bounds_of(["macs <= 50k"])).chosen == POOR


def test_what_is_outside_of_the_study_as_it_is_now_is_never_taken() -> None:
    outside = [replace(trial, outside="oversteps macs by 10%") for trial in TRIALS if trial != CHEAP]
    assert pick(STUDY, [CHEAP, *outside], []).chosen == CHEAP
    assert pick(STUDY, [CHEAP, *outside], bounds_of(["accuracy >= 0.999"])).nearest == CHEAP


def test_where_nothing_keeps_the_bounds_the_nearest_is_told() -> None:
    found = pick(STUDY, TRIALS, bounds_of(["macs <= 5k"]))
    assert found.chosen is None
    assert found.nearest == CHEAP
    assert bounds_of(["macs <= 5k"])[0].overstep(CHEAP) == pytest.approx(1.0)


def test_what_was_not_measured_keeps_no_bound() -> None:
    (bound,) = bounds_of(["latency_ms <= 3"])
    assert math.isinf(bound.overstep(CHEAP))
    found = pick(STUDY, TRIALS, [bound])
    assert (found.chosen, found.nearest) == (None, None)


def test_a_dominated_network_is_taken_where_the_front_breaks_a_bound_on_something_else() -> None:
    small = factories.complete(5, [0.96] * 9, macs=80_000)  # macs // 40 params
    lean = factories.complete(6, [0.95] * 9, macs=85_000)
    found = pick(STUDY, [DEAR, small, lean], bounds_of(["params <= 2.1k"]))
    assert found.chosen == small


def test_the_knee_is_where_quality_begins_to_be_dear() -> None:
    assert knee(STUDY, TRIALS) == MIDDLE
    assert knee(STUDY, [CHEAP, DEAR]) == CHEAP
    assert knee(STUDY, [STOPPED]) is None


def accuracy(trial: TrialRecord) -> float:
    return -math.inf if trial.last is None else trial.last.metrics["accuracy"]


def answer(found: list[Step], limit: float) -> tuple[TrialRecord | None, TrialRecord | None, TrialRecord | None]:
    """Return what the steps say of a bound: the network to take, what a little more buys, the nearest."""
    kept = [place for place, step in enumerate(found) if step.bound <= limit]
    if not kept:
        return None, None, found[0].chosen if found else None
    chosen = found[kept[-1]].chosen
    better = (step.chosen for step in found[kept[-1] + 1 :] if accuracy(step.chosen) > accuracy(chosen))
    return chosen, next(better, None), None


@pytest.mark.parametrize("cost", ["macs", "params", "latency_ms"])
def test_steps_say_what_pick_says_of_every_bound(cost: str) -> None:
    rng = random.Random(3)
    study = replace(STUDY, objectives=("accuracy", "macs", "latency_ms"))
    trials = []
    for number in range(200):  # few values, so that many are equal; one in ten has no measurement
        shown = factories.measurement(accuracy=rng.randint(60, 80) / 100, latency_ms=rng.randint(1, 40))
        measured = () if rng.random() < 0.1 else (shown,)
        macs = 1000 * rng.randint(10, 60)
        trials.append(factories.complete(number, macs=macs, measurements=measured))
    found = steps(study, trials, study.objective(cost))
    bounds = sorted({study.objective(cost).value(trial.cost, trial.found) for trial in trials} - {math.nan})
    asked = [limit for each in bounds if each == each for limit in (each * 0.999, each, each * 1.001)]
    assert len(asked) > 60
    for limit in asked:
        expected = pick(study, trials, bounds_of([f"{cost} <= {limit:.6f}"]))
        assert answer(found, float(f"{limit:.6f}")) == (expected.chosen, expected.more, expected.nearest)


def test_steps_of_steps_and_what_is_new_are_those_of_all() -> None:
    first, second = TRIALS[:2], TRIALS[2:]
    macs = STUDY.objective("macs")
    kept = [step.chosen for step in steps(STUDY, first, macs)]
    assert steps(STUDY, [*kept, *second], macs) == steps(STUDY, TRIALS, macs)


def test_without_a_network_there_is_no_step() -> None:
    assert steps(STUDY, [STOPPED], STUDY.objective("macs")) == []


def test_a_network_is_described_with_what_is_bounded() -> None:
    assert described(STUDY, CHEAP, [STUDY.objective("params")]) == (
        "basic-1x1, accuracy 90.00 %, macs 10.0k, params 250 (one run)"
    )
