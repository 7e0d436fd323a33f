"""Which network to take: the best under a bound, the cheapest above one, the nearest where nothing fits, the knee."""

import math
from dataclasses import replace

import pytest

from search.core.picking import Bound, bounds_of, knee, pick
from search.core.records import State
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
