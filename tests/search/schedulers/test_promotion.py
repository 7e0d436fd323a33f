"""Of the trials that rest, the one goes on by which the front is expected to gain most, within its share of epochs."""

from dataclasses import replace
from typing import Any

import pytest

from search.core.gains import Entry
from search.schedulers.base import PromotionState
from search.schedulers.promotion import Gain, GainOptions, Promotion, gains
from search.schedulers.rungs import Rung
from tests import factories

OPTIONS = GainOptions(share=5 / 32)  # 90 of 360 epochs of 40 trials


def entry(number: int, error: float, cost: float, epoch_s: float = 0.0) -> Entry:
    return Entry(number=number, quality=error, costs=(cost,), values=(error, cost), epoch_s=epoch_s)


def rung(*entries: tuple[int, float, float]) -> Rung:
    made = Rung()
    for each in entries:
        made.enter(entry(*each))
    return made


# Five trained in full that came to a tenth of what they showed in epoch 1, and two that rest there.
FULL = [(0, 0.5, 1.0), (1, 0.4, 2.0), (2, 0.3, 3.0), (3, 0.6, 2.5), (4, 0.7, 3.5)]


def reached(*resting: tuple[int, float, float]) -> dict[int, Rung]:
    full = [(number, error / 10, cost) for number, error, cost in FULL]
    return {1: rung(*FULL, *resting), 9: rung(*full)}


def decision(*resting: tuple[int, float, float], **changes: Any) -> Promotion:
    made = Gain(factories.study(max_epochs=9), OPTIONS, (1, 3), 0.1)
    made.reached = changes.pop("reached", reached(*resting))
    given: dict[str, Any] = {
        "resting": {each[0]: 1 for each in resting}, "active": {}, "trials": 40, "trained_epochs": 52,
        "no_more_trials": False, "force_one": False,
    }  # fmt: skip
    return Promotion(made, PromotionState(**{**given, **changes}))


def choose(*resting: tuple[int, float, float], **changes: Any) -> int | None:
    made = decision(*resting, **changes)
    return made.scheduler.promote(made.state)


def test_nobody_who_rests_gains_nothing() -> None:
    assert gains(reached(), {}, {}, 9) == {}


def test_whoever_may_dominate_gains_more_than_who_is_dominated() -> None:
    gained = gains(reached((7, 0.2, 1.5), (8, 0.65, 3.2)), {7: 1, 8: 1}, {}, 9)
    assert gained[7] > 5 * gained[8] > 0


def test_a_network_cheaper_than_the_front_gains_by_its_cost() -> None:
    gained = gains(reached((7, 0.55, 0.5), (8, 0.55, 3.4)), {7: 1, 8: 1}, {}, 9)
    assert gained[7] > gained[8]


def test_a_training_that_came_to_nothing_does_not_make_every_cheap_network_worth_going_on() -> None:
    better, cheap = (7, 0.2, 1.5), (8, 0.75, 0.2)
    assert choose(better, cheap) == 7
    there = reached(better, cheap)
    there[1].enter(entry(5, 3.0, 3.2))
    there[9].enter(entry(5, 0.3, 3.2))  # an error four times as high as any other
    assert choose(better, cheap, reached=there) == 7


def test_what_a_running_trial_is_expected_to_bring_is_not_gained_twice() -> None:
    there = reached((7, 0.2, 1.5), (8, 0.2, 1.5))
    assert gains(there, {7: 1}, {8: 1}, 9)[7] < gains(there, {7: 1}, {}, 9)[7]


def test_the_best_goes_on_while_there_are_epochs_of_the_share() -> None:
    assert choose((8, 0.65, 3.2), (7, 0.2, 1.5)) == 7


@pytest.mark.parametrize("changes", [{"trained_epochs": 89}, {"active": {20: 0, 21: 0}, "trained_epochs": 87}])
def test_whose_epochs_are_beyond_the_share_waits(changes: dict[str, Any]) -> None:
    assert choose((7, 0.2, 1.5), **changes, no_more_trials=False, force_one=True) is None


def test_where_nothing_was_trained_in_full_one_goes_on_at_last() -> None:
    assert choose((7, 0.2, 1.5), trained_epochs=90, no_more_trials=True, force_one=True) == 7
    assert choose((7, 0.2, 1.5), trained_epochs=90, no_more_trials=True) is None


def test_at_the_end_a_few_trials_go_on_whatever_their_share() -> None:
    small: dict[str, Any] = {"trials": 8, "trained_epochs": 24}
    assert choose((7, 0.2, 1.5), **small) is None
    assert choose((7, 0.2, 1.5), **small, no_more_trials=True) == 7
    assert choose((7, 0.2, 1.5), **{**small, "trained_epochs": 36}, no_more_trials=True) is None


def test_without_anybody_at_rest_it_is_nobodys_turn() -> None:
    assert choose(no_more_trials=True, force_one=True) is None


def test_of_two_that_gain_alike_the_one_with_fewer_epochs_left_goes_on() -> None:
    there = reached((7, 0.2, 1.5))
    there[3] = rung(*FULL, (8, 0.2, 1.5))
    both = decision(reached=there, resting={7: 1, 8: 3}, trained_epochs=30)
    assert both.gains[7] == pytest.approx(both.gains[8])
    assert both.choose() == 8


def test_of_two_that_gain_alike_the_one_whose_epochs_take_less_goes_on() -> None:
    there = reached()
    for each in (entry(7, 0.2, 1.5, 3.0), entry(8, 0.2, 1.5, 1.0), entry(9, 0.2, 1.5)):
        there[1].enter(each)
    three = decision(reached=there, resting={7: 1, 8: 1, 9: 1}, trained_epochs=30)
    assert three.choose() == 8
    assert three.rates[8] == pytest.approx(3**0.5 * three.rates[7])
    assert three.rates[9] == pytest.approx(three.gains[9] / 8 / 2**0.5)  # nobody knows its seconds: between the others'


def test_a_slow_network_goes_on_all_the_same_where_the_front_gains_enough_by_it() -> None:
    there = reached()
    there[1].enter(entry(7, 0.2, 1.5, 4.0))
    there[1].enter(entry(8, 0.65, 3.2, 1.0))
    assert decision(reached=there, resting={7: 1, 8: 1}, trained_epochs=30).choose() == 7


def test_an_epoch_takes_what_the_fastest_took() -> None:
    study, trial = factories.study(max_epochs=9), factories.trial(0)
    took = [factories.measurement(epoch, train_s=seconds) for epoch, seconds in ((1, 5.0), (2, 0.0), (3, 2.0))]
    made = Gain(study, OPTIONS, (1, 3), 0.1)
    for last in (1, 3):
        made.observe(replace(trial, measurements=tuple(took)), took[last - 1])
    assert [made.reached[epoch].entries[0].epoch_s for epoch in (1, 3)] == [5.0, 2.0]


def test_whoever_rests_at_last_stops_because_the_epochs_are_spent_and_is_told_its_place() -> None:
    last = decision((8, 0.65, 3.2), (7, 0.2, 1.5), trained_epochs=90, no_more_trials=True)
    assert last.choose() is None
    spent = "epoch 1: the epochs for going on (scheduler.share) are spent"
    rest = "of 2 paused trials by expected hypervolume gain for its time"
    assert last.ends() == {8: f"{spent}; rank 2 {rest}", 7: f"{spent}; rank 1 {rest}"}


def test_no_gain_stands_beside_the_end_of_a_trial_as_if_it_were_the_reason() -> None:
    ends = decision((7, 0.2, 1.5), trained_epochs=90).ends()
    assert "%" not in ends[7]


def test_by_whom_the_front_gains_nothing_has_no_place() -> None:
    last = decision((8, 0.65, 3.2), (7, 0.2, 1.5), trained_epochs=90)
    vars(last)["gains"] = {8: 1e-9, 7: 0.2748}
    ends = last.ends()
    assert ends[8].endswith("are spent; next to no hypervolume gain was expected of it")
    assert "rank 1 of 2" in ends[7]
