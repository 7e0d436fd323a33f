"""A machine's clock that somebody moves concerns no launch."""

from datetime import UTC, datetime, timedelta

import time_machine

from search.core.clock import steady_clock

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_a_launch_s_clock_begins_with_the_machine_s_and_goes_on_at_the_pace_of_monotonic_time() -> None:
    passed = iter([100.0, 100.0, 102.5])
    clock = steady_clock(now=lambda: NOON, monotonic=lambda: next(passed))
    assert [clock(), clock()] == [NOON, NOON + timedelta(seconds=2.5)]


def test_a_machine_s_clock_that_is_moved_moves_no_launch_s() -> None:
    clock = steady_clock()
    before = clock()
    with time_machine.travel(before - timedelta(hours=1)):
        assert timedelta(0) <= clock() - before < timedelta(minutes=1)
