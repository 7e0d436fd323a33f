"""One thread at a time has the baton, in one order, past those who have nothing to do."""

import threading
from collections.abc import Callable

from workers.engine.turns import Turn, Turns

WAIT_S = 10.0  # for threads that are to end at once


def run(turns: Turns, *bodies: Callable[[Turn], None]) -> None:
    """Let each body run in a thread with a turn of its own; the baton is theirs once all have come."""

    def begin(body: Callable[[Turn], None], turn: Turn) -> None:
        turn.wait(gate.is_set)
        body(turn)
        turn.leave()

    gate = threading.Event()
    threads = [threading.Thread(target=begin, args=(body, turns.join()), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    while not all(turn.waits_for for turn in turns._ring):
        pass
    gate.set()
    turns.look()
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_turns_go_around_in_the_order_in_which_threads_came_and_skip_who_has_left() -> None:
    seen: list[str] = []

    def body(name: str, times: int) -> Callable[[Turn], None]:
        def act(turn: Turn) -> None:
            for _ in range(times):
                seen.append(name)
                turn.wait()

        return act

    run(Turns(), body("a", 3), body("b", 1), body("c", 2))
    assert seen == ["a", "b", "c", "a", "c", "a"]


def test_nobody_computes_while_another_does() -> None:
    at_work: list[int] = []
    most: list[int] = []

    def body(turn: Turn) -> None:
        for _ in range(50):
            at_work.append(1)
            most.append(len(at_work))
            at_work.pop()
            turn.wait()

    run(Turns(), body, body, body)
    assert len(most) == 150
    assert max(most) == 1


def test_who_has_nothing_to_do_is_passed_by_until_somebody_changes_that() -> None:
    turns, seen, go = Turns(), list[str](), threading.Event()

    def idle(turn: Turn) -> None:
        turn.wait(go.is_set)
        seen.append("idle")

    def busy(turn: Turn) -> None:
        for _ in range(3):
            seen.append("busy")
            turn.wait()
        go.set()  # heard of as the baton is handed on

    run(turns, idle, busy)
    assert seen == ["busy"] * 3 + ["idle"]


def test_what_nobody_tells_of_is_looked_at_again_and_again() -> None:
    asked: list[int] = []

    def device(turn: Turn) -> None:
        turn.wait(lambda: asked.append(1) is None and len(asked) > 3, untold=True)

    run(Turns(), device)
    assert len(asked) == 4
