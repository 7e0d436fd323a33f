"""The gain that the page shows of a paused trial is the one that the scheduler goes on by."""

import random
from dataclasses import replace

import pytest

from dashboards.live.feed import Feed
from dashboards.live.watched import Watched
from search.core.records import EventKind, State
from search.schedulers.promotion import Gain, GainOptions, gains
from search.storage.retelling import _retell_ours
from search.storage.store import Store
from tests.dashboards.live.conftest import Written


@pytest.fixture
def paused(written: Written) -> Written:
    """Give a study of ten trials in full, six that rest at two rungs, and one that trains."""
    rng = random.Random(7)
    for _ in range(10):
        written.whole(rng.uniform(0.9, 0.98))
    for place in range(6):
        number = written.begin().number
        written.train(number, *(rng.uniform(0.4, 0.9) for _ in range(1 if place % 2 else 3)))
        written.happen(EventKind.RESTED, f"at epoch {1 if place % 2 else 3}", number)
    number = written.begin().number
    written.train(number, 0.6, 0.7)
    return written


def test_gains_are_those_of_the_scheduler(paused: Written) -> None:
    scheduler = Gain(paused.record, GainOptions(), (1, 3), 0.1)
    trials = paused.store.trials(paused.name)
    for trial in trials:
        for measurement in trial.measurements:
            scheduler.observe(trial, measurement)
    resting = {trial.number: trial.epochs for trial in trials if trial.state is State.RUNNING and trial.epochs != 2}
    expected = gains(scheduler.reached, resting, {16: 1}, 9)
    with Store.open(paused.url, create=False, migrate=False) as store:
        known = Watched(store, paused.record)
        told = known.paused().gains()
        assert {number: gain for number, _, gain, _ in told} == pytest.approx(expected)
        assert [each[3] for each in told] == sorted((each[3] for each in told), reverse=True)
        assert {number: epoch for number, epoch, _, _ in told} == resting
        paused.happen(EventKind.PROMOTED, "from epoch 3", 10)  # what is new is taken in
        paused.train(10, 0.95)
        known.hear(known.ask(store))
        assert known.paused().gains() == Watched(store, paused.record).paused().gains()
        assert 10 not in {each[0] for each in known.paused().gains()}


def test_a_network_that_the_space_no_longer_holds_takes_no_gain_from_others_as_it_takes_none_in_a_launch(
    paused: Written,
) -> None:
    trials = paused.store.trials(paused.name)
    best = max(trials[:10], key=lambda trial: trial.found.metrics["accuracy"] if trial.found else 0.0)
    with paused.store.transaction() as connection:  # what `retell` writes of ours
        out = replace(best, outside="depth 4 is above 3")
        _retell_ours(connection, paused.store.study_id(connection, paused.name), paused.record, [out])
    scheduler = Gain(paused.record, GainOptions(), (1, 3), 0.1)
    for trial in trials:
        for measurement in trial.measurements if trial is not best else ():
            scheduler.observe(trial, measurement)
    resting = {trial.number: trial.epochs for trial in trials if trial.state is State.RUNNING and trial.epochs != 2}
    expected = gains(scheduler.reached, resting, {16: 1}, 9)
    with Store.open(paused.url, create=False, migrate=False) as store:
        told = Watched(store, paused.record).paused().gains()
    assert {number: gain for number, _, gain, _ in told} == pytest.approx(expected)


def test_where_nobody_rests_there_is_none(written: Written) -> None:
    feed = Feed(written.url, None)
    assert feed.gains(None) == {"paused": 0, "rows": []}
    written.begin()
    feed.look()
    assert feed.gains(None) == {"paused": 0, "rows": []}
    feed.close()
