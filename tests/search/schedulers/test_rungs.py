"""Test `search.schedulers.rungs`."""

import copy
import math
import random
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.models.pareto import as_points, crowding, order, ranks
from search.schedulers.base import GO_ON, Decision, Verdict, rung_levels
from search.schedulers.registry import Plan, scheduler_class
from search.schedulers.rungs import Asha, Entry, ParetoRung, QualityRung, Rung
from tests import factories

relaxed = settings(deadline=None, max_examples=50)

RULES = ("asha", "pareto-asha")
RUNGS: dict[str, type[Rung]] = {"asha": QualityRung, "pareto-asha": ParetoRung}


def entry(number: int, accuracy: float, cost: float = 1.0) -> Entry:
    return Entry(number=number, quality=-accuracy, values=(-accuracy, cost))


def at_rung(*accuracies: float) -> list[Entry]:
    return [entry(number, accuracy) for number, accuracy in enumerate(accuracies)]


def scheduler(rule: str, **options: float) -> Asha:
    """Return a scheduler of two rungs whose floor is at an accuracy of 0.1."""
    given = scheduler_class(rule).options_class(floor=0.0, **options)  # type: ignore[call-arg,arg-type]
    made = Plan(name=rule, options=given, levels=(1, 3), chance=0.1).make(factories.study())
    assert isinstance(made, Asha)
    return made


def rung_of(rule: str, entries: Sequence[Entry]) -> Rung:
    rung = RUNGS[rule]()
    for each in entries:
        rung.enter(each)
    return rung


def decide(made: Asha, epoch: int, entries: Sequence[Entry]) -> Decision:
    """Return what is decided on the last that came."""
    for each in entries:
        made.reached.setdefault(epoch, made.rung()).enter(each)
    last = entries[-1]
    return made.on_measurement(factories.trial(last.number), factories.measurement(epoch, accuracy=-last.quality))


def judge(rule: str, entries: Sequence[Entry], keep: float) -> Decision:
    return rung_of(rule, entries).decide(entries[-1].number, keep)


asha, pareto_asha = (partial(judge, rule) for rule in RULES)

ENTRIES = st.lists(
    st.tuples(st.sampled_from([0.2, 0.4, 0.5, 0.6, 0.9]), st.sampled_from([1.0, 2.0, 4.0, 8.0])),
    min_size=1,
    max_size=15,
).map(lambda shown: [entry(number, *values) for number, values in enumerate(shown)])
KEEP = st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 1.0])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("keep", [0.01, 1 / 3, 1.0])
def test_the_first_to_arrive_goes_on(rule: str, keep: float) -> None:
    assert decide(scheduler(rule, keep=keep), 1, at_rung(0.11)) == GO_ON


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("epoch", [2, 4, 9])
def test_between_rungs_and_at_full_fidelity_nobody_stops(rule: str, epoch: int) -> None:
    assert decide(scheduler(rule), epoch, at_rung(0.9, 0.8, 0.7, 0.0)) == GO_ON


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("accuracy", [0.0, 0.05, 0.1])
def test_at_chance_even_the_first_and_cheapest_stops(rule: str, accuracy: float) -> None:
    cheapest = entry(5, accuracy, cost=1e-9)
    for before in ([], [entry(0, 0.9, 100.0)]):
        decision = decide(scheduler(rule, keep=1.0), 3, [*before, cheapest])
        reason = f"epoch 3: accuracy {accuracy:.3f} is not above 0.100, the floor over chance (scheduler.floor)"
        assert decision == Decision(Verdict.STOP, reason)


@pytest.mark.parametrize("rule", RULES)
def test_the_floor_looks_at_the_last_alone(rule: str) -> None:
    assert decide(scheduler(rule), 1, at_rung(0.0, 0.05, 0.2)) == GO_ON


@pytest.mark.parametrize(
    ("last", "stops"), [(0.95, False), (0.85, False), (0.75, True), (0.55, True)]
)  # among 0.9, 0.8, 0.7, 0.6 and itself, two go on
def test_asha_keeps_the_best_share(last: float, stops: bool) -> None:
    assert asha([*at_rung(0.9, 0.8, 0.7, 0.6), entry(4, last)], 0.4).stop is stops


def test_asha_does_not_look_at_cost() -> None:
    before = [entry(0, 0.9, 50.0), entry(1, 0.8, 40.0)]
    assert asha([*before, entry(2, 0.7, 1.0)], 1 / 3).stop
    assert not asha([*before, entry(2, 0.95, 1e9)], 1 / 3).stop


def test_asha_lets_ties_go_on() -> None:
    assert asha(at_rung(0.9, 0.9, 0.9, 0.9, 0.9, 0.9), 1 / 3) == GO_ON


@relaxed
@given(shown=st.lists(st.floats(0.11, 1), min_size=1, max_size=20, unique=True), keep=KEEP)
def test_asha_stops_exactly_those_beyond_the_share(shown: list[float], keep: float) -> None:
    place = sorted(shown, reverse=True).index(shown[-1])
    kept = max(1, math.ceil(round(len(shown) * keep, 6)))
    assert asha(at_rung(*shown), keep).stop == (place >= kept)


def test_one_third_of_three_is_one() -> None:
    assert asha(at_rung(0.9, 0.8, 0.7), 1 / 3).reason == "rank 3 of 3 by validation quality; top 1 promoted"
    assert asha(at_rung(*[0.9] * 5, 0.2), 1 / 3).reason == "rank 6 of 6 by validation quality; top 2 promoted"


def test_rounding_lets_nobody_more_go_on() -> None:
    shown = [0.99 - number / 1000 for number in range(100)]
    assert 100 * 0.07 > 7
    assert asha(at_rung(*shown), 0.07).reason.endswith("; top 7 promoted")


@relaxed
@given(entries=ENTRIES, keep=KEEP)
def test_pareto_asha_never_stops_the_cheapest_above_the_floor(entries: list[Entry], keep: float) -> None:
    cheapest = entry(len(entries), 0.15, cost=0.5)
    assert decide(scheduler("pareto-asha", keep=keep), 1, [*entries, cheapest]) == GO_ON


@relaxed
@given(entries=ENTRIES, keep=KEEP)
def test_pareto_asha_never_stops_the_most_accurate(entries: list[Entry], keep: float) -> None:
    best = entry(len(entries), 0.95, cost=100.0)
    assert decide(scheduler("pareto-asha", keep=keep), 1, [*entries, best]) == GO_ON


@relaxed
@given(entries=ENTRIES, keep=KEEP)
def test_pareto_asha_stops_by_rank_before_it_looks_at_crowding(entries: list[Entry], keep: float) -> None:
    rank = ranks(as_points([item.values for item in entries]))
    kept = max(1, math.ceil(round(len(entries) * keep, 6)))
    if (rank <= rank[-1]).sum() <= kept:
        assert not pareto_asha(entries, keep).stop
    if (rank < rank[-1]).sum() >= kept:
        assert pareto_asha(entries, keep).stop


def test_pareto_asha_keeps_a_cheap_network_that_asha_stops() -> None:
    entries = [entry(0, 0.9, 8.0), entry(1, 0.85, 4.0), entry(2, 0.8, 2.0), entry(3, 0.5, 1.0)]
    assert asha(entries, 0.5).stop
    assert not pareto_asha(entries, 0.5).stop


def test_pareto_asha_stops_what_others_beat_in_everything() -> None:
    entries = [entry(0, 0.9, 8.0), entry(1, 0.8, 2.0), entry(2, 0.7, 1.0), entry(3, 0.6, 4.0)]
    decision = decide(scheduler("pareto-asha", keep=0.5), 3, entries)
    assert decision == Decision(Verdict.STOP, "epoch 3: rank 4 of 4 by non-domination (layer 1); top 2 promoted")


def test_pareto_asha_stops_the_crowded_among_equals() -> None:
    front = [entry(0, 0.9, 9.0), entry(1, 0.5, 1.0), entry(2, 0.6, 2.0), entry(3, 0.7, 4.0)]
    crowded = entry(4, 0.601, 2.01)
    reason = "rank 4 of 5 by non-domination (layer 0, crowded there); top 3 promoted"
    assert pareto_asha([*front, crowded], 0.5).reason == reason


@pytest.mark.parametrize("rule", RULES)
def test_a_share_of_all_stops_nobody_above_the_floor(rule: str) -> None:
    shown = [entry(number, 0.9 - number / 20, 1.0 + number) for number in range(8)]
    assert decide(scheduler(rule, keep=1.0), 1, shown) == GO_ON


@relaxed
@given(entries=ENTRIES, keep=KEEP, rule=st.sampled_from(RULES))
def test_a_decision_is_a_function_of_the_rung_and_changes_nothing(entries: list[Entry], keep: float, rule: str) -> None:
    before = copy.deepcopy(entries)
    first = decide(scheduler(rule, keep=keep), 1, entries)
    assert decide(scheduler(rule, keep=keep), 1, entries) == first
    assert entries == before


@relaxed
@given(entries=ENTRIES, keep=KEEP, data=st.data())
def test_whoever_comes_by_whom_pareto_asha_decides_by_its_definition(
    entries: list[Entry], keep: float, data: st.DataObject
) -> None:
    """Judged comes last, the others by number; rank, then crowding, then who came first."""
    came = data.draw(st.permutations(entries))
    judged = data.draw(st.sampled_from(came))
    told = sorted(came, key=lambda item: (item is judged, item.number))
    points = as_points([item.values for item in told])
    place, kept = order(points).tolist().index(len(told) - 1), max(1, math.ceil(round(len(told) * keep, 6)))
    end = ranks(points)[-1] == 0 and math.isinf(crowding(points)[-1])
    decision = rung_of("pareto-asha", came).decide(judged.number, keep)
    assert decision.stop == (place >= kept and not end)
    if decision.stop:
        rank = ranks(points)
        crowded = ", crowded there" if (rank < rank[-1]).sum() < kept else ""
        how = f"by non-domination (layer {rank[-1]}{crowded})"
        assert decision.reason == f"rank {place + 1} of {len(told)} {how}; top {kept} promoted"


@relaxed
@given(entries=ENTRIES, keep=KEEP, seed=st.integers(0, 99))
def test_the_order_of_those_before_does_not_matter(entries: list[Entry], keep: float, seed: int) -> None:
    *before, last = entries
    random.Random(seed).shuffle(before)
    assert asha([*before, last], keep) == asha(entries, keep)


@pytest.mark.parametrize("rule", RULES)
def test_whoever_stops_is_told_the_epoch_the_place_and_how_many_go_on(rule: str) -> None:
    decision = decide(scheduler(rule, keep=1 / 3), 3, [entry(0, 0.9, 1.0), entry(1, 0.8, 2.0), entry(2, 0.7, 3.0)])
    assert decision.stop
    assert decision.reason.startswith("epoch 3: rank 3 of 3 by ")
    assert decision.reason.endswith("; top 1 promoted")


@pytest.mark.parametrize(
    ("grace", "most", "eta", "levels"),
    [
        (1, 9, 3, (1, 3)),
        (1, 27, 3, (1, 3, 9)),
        (1, 28, 3, (1, 3, 9, 27)),
        (1, 81, 4, (1, 4, 16, 64)),
        (1, 20, 2.5, (1, 2, 6, 16)),
        (2, 30, 3, (2, 6, 18)),
        (5, 50, 2, (5, 10, 20, 40)),
        (1, 5, 1.2, (1, 2, 3, 4)),
        (1, 1, 3, ()),
        (9, 9, 3, ()),
        (1, 2, 3, (1,)),
    ],
)
def test_rungs_stand_at_powers_of_eta_from_the_grace_period_on(
    grace: int, most: int, eta: float, levels: tuple[int, ...]
) -> None:
    assert rung_levels(grace, most, eta) == levels


@relaxed
@given(grace=st.integers(1, 20), more=st.integers(0, 200), eta=st.floats(1.05, 8))
def test_rungs_rise_from_the_grace_period_and_stay_below_full_fidelity(grace: int, more: int, eta: float) -> None:
    levels = rung_levels(grace, grace + more, eta)
    assert list(levels) == sorted(set(levels))
    assert all(grace <= level < grace + more for level in levels)
    assert levels[:1] == ((grace,) if more else ())


@pytest.mark.parametrize("rule", RULES)
def test_the_share_that_a_file_names_is_kept(rule: str) -> None:
    assert scheduler(rule, keep=0.7).keep == 0.7


def test_without_a_named_share_ranking_by_non_domination_keeps_half() -> None:
    assert scheduler("pareto-asha").keep == 0.5
    assert scheduler("asha", reduction_factor=4.0).keep == 0.25


def test_whoever_is_on_a_rung_is_not_put_there_twice() -> None:
    for rung in (QualityRung(), ParetoRung()):
        for each in [*at_rung(0.9, 0.8), entry(0, 0.9), entry(2, 0.85)]:
            rung.enter(each)
        assert rung.decide(1, 1 / 3).reason.startswith("rank 3 of 3 ")


def test_without_a_known_chance_there_is_no_floor() -> None:
    made = Plan(name="asha", options=Asha.options_class(), levels=(1,), chance=None).make(factories.study())
    assert isinstance(made, Asha)
    assert decide(made, 1, at_rung(0.0)) == GO_ON
