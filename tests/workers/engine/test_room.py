"""Trials begin in line, as many as there are slots, and on a GPU as memory has been seen to hold."""

import pytest

from workers.engine.room import MARGIN, Held, Place, Room, is_room

GIB = 2**30


def test_one_trial_always_has_room() -> None:
    assert is_room(0, [], 0)


def test_until_one_has_trained_an_epoch_nobody_knows_what_a_second_would_hold() -> None:
    assert not is_room(100 * GIB, [Held(now=1, peak=1)], 0)


@pytest.mark.parametrize(("free", "fits"), [(2 * GIB * MARGIN, True), (2 * GIB * MARGIN - 1, False)])
def test_the_next_may_hold_as_much_as_the_largest_with_a_margin(free: float, fits: bool) -> None:
    assert is_room(int(free), [Held(now=GIB, peak=GIB, settled=True)], 2 * GIB) is fits


def test_what_others_are_still_going_to_take_is_theirs() -> None:
    just_begun = Held(now=GIB // 2, peak=GIB // 2)
    between_steps = Held(now=GIB, peak=2 * GIB, settled=True)
    assert just_begun.due(3 * GIB) == 5 * GIB // 2
    assert between_steps.due(3 * GIB) == GIB
    needed = int(MARGIN * (3 * GIB + 5 * GIB // 2 + GIB))
    assert is_room(needed, [just_begun, between_steps], 3 * GIB)
    assert not is_room(needed - 1, [just_begun, between_steps], 3 * GIB)


def begun(room: Room, *places: Place) -> list[bool]:
    """Let each begin that may, and return who did."""
    found = []
    for place in places:
        found.append(room.may_begin(place))
        if found[-1]:
            room.begin(place)
    return found


def test_trials_begin_in_line_while_there_are_slots() -> None:
    room = Room(2)
    first, second, third = (room.come() for _ in range(3))
    assert not room.may_begin(second)
    assert begun(room, first, second, third) == [True, True, False]
    assert room.beside(first) == 1
    room.leave(first)
    assert begun(room, third) == [True]


def test_who_leaves_the_line_lets_the_next_one_come_first() -> None:
    room = Room(1)
    first, second = room.come(), room.come()
    room.leave(first)
    assert begun(room, second) == [True]


def test_who_is_to_be_alone_waits_for_all_and_all_wait_for_it() -> None:
    room = Room(4)
    first, alone, last = room.come(), room.come(alone=True), room.come()
    assert begun(room, first, alone, last) == [True, False, False]
    room.leave(first)
    assert begun(room, alone, last) == [True, False]
    room.leave(alone)
    assert begun(room, last) == [True]


def test_memory_is_asked_for_again_once_something_has_changed() -> None:
    free: list[int] = []

    def asked() -> int:
        free.append(0)
        return 3 * GIB if len(free) > 1 else GIB

    room = Room(9, asked)
    first, second = room.come(), room.come()
    assert begun(room, first) == [True]
    first.held.now = first.held.peak = GIB
    room.settle(first)
    assert [room.may_begin(second) for _ in range(3)] == [False] * 3
    assert len(free) == 1
    room.settle(first)
    assert begun(room, second) == [True]
