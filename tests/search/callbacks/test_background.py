"""What hears of a study in the background holds nothing up, whatever it does."""

import threading
import time
from typing import Any

import pytest

from search.callbacks.background import Background, CallbackFailure
from tests import factories


class Heard:
    """Keep what was heard, after a while, or fail."""

    def __init__(self, wait: threading.Event | None = None, fails: BaseException | None = None) -> None:
        self.heard: list[Any] = []
        self.wait, self.fails, self.closed = wait, fails, False

    def on_measurement(self, trial: Any, measurement: Any) -> None:
        if self.wait:
            self.wait.wait(60)
        if self.fails:
            raise self.fails
        self.heard.append((trial.number, measurement.epoch))

    def on_trial(self, trial: Any) -> None:
        self.heard.append(trial.number)

    def close(self) -> None:
        self.closed = True


TRIAL = factories.trial(3, (0.5,))


def test_everything_is_heard_in_order_and_then_it_is_closed() -> None:
    listener = Heard()
    background = Background("x", listener)
    for epoch in range(1, 4):
        background.on_measurement(TRIAL, factories.measurement(epoch))
    background.on_trial(TRIAL)
    assert background.close() == ""
    assert listener.heard == [(3, 1), (3, 2), (3, 3), 3]
    assert listener.closed


def test_nobody_waits_for_what_is_slow_and_the_end_says_what_was_left() -> None:
    wait = threading.Event()
    background = Background("slow", Heard(wait))
    for epoch in range(1, 4):
        background.on_measurement(TRIAL, factories.measurement(epoch))
    assert background.close(within_s=0.1) == "slow did not take everything in 0.1 s; 2 left"
    wait.set()


def test_what_is_far_too_slow_is_given_up() -> None:
    wait = threading.Event()
    background = Background("slow", Heard(wait), most=2)
    with pytest.raises(CallbackFailure, match="slow: is too slow: 2 things wait to be heard"):
        [background.on_measurement(TRIAL, factories.measurement(epoch)) for epoch in range(1, 9)]
    wait.set()


@pytest.mark.parametrize("error", [ValueError("no\nroom"), SystemExit(3)])
def test_what_fails_says_so_at_the_next_thing_there_is_to_hear(error: BaseException) -> None:
    background = Background("x", Heard(fails=error))
    background.on_measurement(TRIAL, factories.measurement(1))
    told = f"x: {type(error).__name__}: {'no' if isinstance(error, ValueError) else '3'}"
    with pytest.raises(CallbackFailure, match=told):
        [background.on_trial(TRIAL) or time.sleep(0.1) for _ in range(600)]
    assert background.close() == told
