"""Whatever befalls a study, launch it again until it is over: nothing is lost, nothing counts twice, nothing stays."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.chaos import HOUR_S, KINDS, PERMANENT, PLANTED, TRIALS, Chaos, plan, told
from tests.end_to_end.conftest import Folder
from tests.end_to_end.invariants import check_left_behind, check_sessions, check_spending, check_whole, doctor

ORDINARY = range(1)
MANY = range(1, 23)


@pytest.fixture
def chaos(folder: Folder, request: pytest.FixtureRequest) -> Iterator[Chaos]:
    """Give the study of the plan that the test is made with."""
    made = request.param if not isinstance(request.param, int) else plan(request.param)
    server: Any = None if made.sqlite else request.getfixturevalue("stoppable")
    played = Chaos(plan=made, folder=folder, server=server)
    yield played
    played.end()


def check_survived(chaos: Chaos) -> None:
    """Check all that is promised of a study, whatever befell it."""
    fired = {line for line in chaos.noted() if line.startswith(PERMANENT)}
    numbers = {int(line.split("-")[-2]): line for line in fired}
    check_whole(chaos.url, trials=TRIALS, may_fail=numbers)
    check_spending(chaos.url, chaos.folder.path)
    check_sessions(chaos.url, launches=len(chaos.codes), wall_s=chaos.seconds, moved_s=2 * HOUR_S)
    check_left_behind(chaos.url, chaos.folder.path, chaos.temporary)
    assert chaos.processes() == []
    assert chaos.codes[-1] == 0
    assert doctor(chaos.url, chaos.folder.path).endswith(": nothing is wrong")


def test_three_plans_hold_every_kind_of_fault_and_the_same_seed_makes_the_same_plan() -> None:
    for first in range(0, 24, 3):
        plans = [plan(seed) for seed in range(first, first + 3)]
        assert {fault.kind for each in plans for fault in each.faults} == set(KINDS)
        assert {fault["kind"] for each in plans for fault in each.planted} == set(PLANTED)
        assert all(len(each.faults) + len(each.planted) >= 6 for each in plans)
    assert plan(7) == plan(7)
    assert plan(7) != plan(10)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("chaos", ORDINARY, indirect=True)
def test_a_study_survives_what_chance_does_to_it(chaos: Chaos) -> None:
    chaos.play()
    print(told(chaos))
    assert len(chaos.befell) >= len(chaos.plan.faults) - 1  # a fast machine may end the study before the last fault
    check_survived(chaos)


@pytest.mark.very_slow
@pytest.mark.cluster
@pytest.mark.parametrize("chaos", MANY, indirect=True)
def test_many_more_studies_survive_what_chance_does_to_them(chaos: Chaos) -> None:
    chaos.play()
    print(told(chaos))
    check_survived(chaos)


@pytest.mark.very_slow
@pytest.mark.cluster
@pytest.mark.parametrize("chaos", [plan(seed, stopped_s=(30, 30), away_s=60) for seed in (3, 4)], indirect=True)
def test_a_study_survives_half_a_minute_of_standing_still_and_a_minute_without_its_database(chaos: Chaos) -> None:
    chaos.play()
    print(told(chaos))
    check_survived(chaos)
