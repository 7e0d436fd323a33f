"""What peers are compared by is what this search is compared by: the same clock, epochs and networks."""

from collections import deque
from dataclasses import dataclass, field

import pytest

from search.core.budget import Budget
from search.core.records import State
from search.simulation.recordings import Recordings
from search.simulation.simulator import Course, policy, simulate
from tests.benchmarks.peers.loop import Loop, Setting, Verdict, Work
from tests.benchmarks.peers.rows import Rows
from tests.search.tables import grid, read, replay, trainings

CURVES = ([0.1, 0.5, 0.8], [0.3, 0.4, 0.5], [0.2, 0.6, 0.9], [0.1, 0.2])


@dataclass
class InOrder:
    """Take networks as they come; stop or rest where it is said."""

    resumes: bool = False
    verdicts: dict[tuple[int, int], Verdict] = field(default_factory=dict)  # by trial and epoch; else it goes on
    rested: deque[int] = field(default_factory=deque)
    told: list[tuple[str, int]] = field(default_factory=list)

    def ask(self, number: int) -> Work:
        back = self.rested.popleft() if self.rested else number
        return back, back

    def report(self, number: int, epoch: int, _values: list[float]) -> Verdict:
        verdict = self.verdicts.get((number, epoch), Verdict.GO)
        if verdict is Verdict.REST:
            self.rested.append(number)
        return verdict

    def end(self, number: int, _epoch: int, _values: list[float]) -> None:
        self.told.append(("end", number))

    def fail(self, number: int) -> None:
        self.told.append(("fail", number))


def run(recordings: Recordings, peer: InOrder, *, workers: int = 1, trials: int = 4) -> list[Course]:
    setting = Setting(recordings=recordings, rows=Rows(recordings), seed=0)
    return Loop(setting=setting, peer=peer, trials=trials, free=workers).run()


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_full_trainings_take_the_same_time_and_epochs_as_in_the_simulator(workers: int) -> None:
    recordings = read(grid(), {"seconds": "seconds", "parameters": ["width", "depth"]})
    own = policy(replay(), recordings, "recorded", "fifo")
    ours = simulate(recordings, own, Budget(trials=12), workers=workers, seed=0)
    theirs = run(recordings, InOrder(), workers=workers, trials=12)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.number, mine.network, mine.epochs, mine.spent_epochs) == (
            other.number, other.network, other.epochs, other.spent_epochs,
        )  # fmt: skip
        assert (mine.began_s, mine.ended_s) == pytest.approx((other.began_s, other.ended_s))


def test_what_a_peer_stops_has_cost_its_epochs_and_counts_for_nothing() -> None:
    recordings = read(trainings(*CURVES[:3]), {"parameters": ["net"]})
    peer = InOrder(verdicts={(0, 1): Verdict.STOP})
    courses = run(recordings, peer, trials=3)
    assert [(course.state, course.epochs) for course in courses] == [
        (State.STOPPED, 1), (State.COMPLETE, 3), (State.COMPLETE, 3),
    ]  # fmt: skip
    assert courses[-1].spent_epochs == 7
    assert peer.told == [("end", 0), ("end", 1), ("end", 2)]


def test_what_rests_goes_on_where_it_was() -> None:
    recordings = read(trainings(*CURVES[:3]), {"parameters": ["net"]})
    courses = run(recordings, InOrder(resumes=True, verdicts={(0, 2): Verdict.REST}), trials=3)
    assert {course.number: course.epochs for course in courses} == {0: 3, 1: 3, 2: 3}
    assert courses[-1].spent_epochs == 9


def test_a_training_that_is_not_recorded_whole_is_told_as_a_failure() -> None:
    recordings = read(trainings(*CURVES), {"parameters": ["net"]})
    peer = InOrder()
    courses = run(recordings, peer)
    assert courses[3].state is State.FAILED
    assert ("fail", 3) in peer.told


def test_a_proposal_is_its_row_and_what_is_no_row_the_nearest_that_is_free() -> None:
    recordings = read(grid(), {"parameters": ["width", "depth"]})
    rows = Rows(recordings)
    place = rows.row({"width": 2, "depth": 1})
    assert recordings.networks[place] == {"width": 2, "depth": 1}
    assert rows.row({"width": 2, "depth": 1}) == place
    outside = Rows(read(trainings(*CURVES[:3]), {"parameters": ["net"]}, space={"net": {"float": [0, 2]}}))
    assert [outside.row({"net": value}) for value in (0.1, 0.1, 0.2, 0.3)] == [0, 0, 1, 2]
