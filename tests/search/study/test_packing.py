"""Seeds of one network are handed out together where that pays, and nothing is lost or doubled by it."""

import pytest

from search.core.records import TrialRecord
from search.study.running import Nothing, RunningStudy
from spaces.errors import TrialFailure
from tests.search.bench import Bench
from tests.search.study.test_seeds import confirming, counts, finished, stored, train
from workers.kinds import FailureKind

__all__ = ["finished"]  # a fixture


def hand_out(running: RunningStudy, workers: float = 1, most: int = 8) -> list[TrialRecord]:
    """Return who is trained together next; nobody where there is nothing now."""
    if running.packing is not None:
        running.packing.most = lambda _trial: most
    first = running.hand_out()
    return [] if isinstance(first, Nothing) else [first, *running.mates(first, workers)]


def test_seeds_of_one_network_are_handed_out_together(finished: Bench) -> None:
    with confirming(finished, seeds=4, trials=(3, 5)) as (_, running):
        first, second = hand_out(running), hand_out(running)
        assert hand_out(running) == []
    assert [len(first), len(second)] == [4, 4]
    for pack in (first, second):
        assert len({trial.digest for trial in pack}) == 1
        assert len({trial.seed for trial in pack}) == 4
    assert counts(finished) == {3: 4, 5: 4}  # recorded before anybody trains them


@pytest.mark.parametrize(
    ("most", "workers", "expected"), [(3, 1, 2), (8, 1, 4), (8, 2, 4), (8, 4, 2), (8, 8, 1), (8, 100, 1)]
)
def test_a_pack_is_what_pays_and_takes_no_work_from_a_worker_that_is_free(
    finished: Bench, most: int, workers: float, expected: int
) -> None:
    with confirming(finished, seeds=4, trials=(3, 5)) as (_, running):
        assert len(hand_out(running, workers, most)) == expected


def test_nobody_is_trained_more_often_for_being_packed(finished: Bench) -> None:
    packs = []
    with confirming(finished, seeds=5, trainings=7) as (_, running):
        while pack := hand_out(running):
            packs.append(len(pack))
            for trial in pack:
                train(running, trial)
        assert running.over
    assert max(packs) == 3  # what each gets before seeds go where they decide something
    assert sum(counts(finished).values()) == 7
    assert all(each.complete for trial in stored(finished) for each in trial.replicates)


@pytest.mark.parametrize("plan", [{"packed": "never"}, {"folds": 4}])
def test_seeds_are_trained_alone_where_that_is_asked_and_folds_always(finished: Bench, plan: dict[str, object]) -> None:
    with confirming(finished, trials=(3,), **plan) as (_, running):
        assert len(hand_out(running)) == 1


def test_what_a_launch_left_is_taken_up_together_wherever_each_stands(finished: Bench) -> None:
    with confirming(finished, seeds=3, trials=(3, 5)) as (_, running):
        first, second = hand_out(running), hand_out(running)
        train(running, first[0], until=2)
        train(running, second[1], until=1)
    with confirming(finished, seeds=3, trials=(3, 5)) as (_, running):
        again = [hand_out(running), hand_out(running)]
        assert hand_out(running) == []
    assert [[trial.number for trial in pack] for pack in again] == [
        [trial.number for trial in pack] for pack in (first, second)
    ]
    assert [trial.epochs for trial in again[0]] == [2, 0, 0]
    assert counts(finished) == {3: 3, 5: 3}


@pytest.mark.parametrize("kind", [FailureKind.OUT_OF_MEMORY, FailureKind.CRASH, FailureKind.KILLED])
def test_what_fails_together_is_tried_alone_before_anybody_is_blamed(finished: Bench, kind: FailureKind) -> None:
    failure = TrialFailure(kind, "too much")
    with confirming(finished, seeds=3, trials=(3,)) as (_, running):
        pack = hand_out(running)
        train(running, pack[2])  # which has left by then
        running.failed_together([trial.number for trial in pack[:2]], failure)
        for expected in pack[:2]:
            (only,) = hand_out(running)
            assert only.number == expected.number
            assert only.attempts == 0
            train(running, only)
        assert hand_out(running) == []
    assert counts(finished) == {3: 3}


def test_what_another_launch_has_taken_over_is_not_trained_here_too(finished: Bench) -> None:
    with confirming(finished, seeds=3, trials=(3,)) as (_, running):
        pack = hand_out(running)
        running.elsewhere.add(pack[1].number)
        running.failed_together([trial.number for trial in pack], TrialFailure(FailureKind.CRASH, "of one of them"))
        assert [hand_out(running)[0].number for _ in range(2)] == [pack[0].number, pack[2].number]
        assert hand_out(running) == []


def test_a_worker_that_dies_is_an_attempt_of_each_who_then_go_on_alone(finished: Bench) -> None:
    with confirming(finished, seeds=3, trials=(3,)) as (_, running):
        pack = hand_out(running)
        later = [running.clock()]
        running.queue.clock = lambda: later[0]
        running.failed_together([trial.number for trial in pack], TrialFailure(FailureKind.LOST, "gone"))
        assert [running.trials[trial.number].attempts for trial in pack] == [1, 1, 1]
        assert running.hand_out() is Nothing.NOW
        later[0] = running.queue._not_before[pack[0].number]
        assert [len(hand_out(running)) for _ in pack] == [1, 1, 1]


def test_who_waits_for_a_fresh_worker_is_in_no_pack(finished: Bench) -> None:
    with confirming(finished, seeds=3, trials=(3,)) as (_, running):
        pack = hand_out(running)
        running.failed(pack[1].number, TrialFailure(FailureKind.NATIVE_CRASH, "SIGSEGV"))
        (only,) = hand_out(running)
        assert only.number == pack[1].number
