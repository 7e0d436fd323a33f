"""A trial's work counts itself, and is reported no more than is needed to see it."""

from workers.pulse import EVERY_S, LOADING, MEASURING, STARTING, TRAINING, Pulse


class Clock:
    """Tell the time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_begins_is_told_at_once_and_steps_once_a_second() -> None:
    told: list[tuple[str, int]] = []
    clock = Clock()
    pulse = Pulse(lambda phase, count: told.append((phase, count)), clock=clock)
    pulse(STARTING)
    pulse(LOADING)
    for _ in range(100):
        clock.now += EVERY_S / 25
        pulse(TRAINING)
    assert told[:2] == [(STARTING, 1), (LOADING, 2)]
    assert [phase for phase, _ in told[2:]] == [TRAINING] * 4
    assert [count for _, count in told] == sorted({count for _, count in told})


def test_epochs_shorter_than_a_report_are_not_reported_one_by_one() -> None:
    told: list[tuple[str, int]] = []
    clock = Clock()
    pulse = Pulse(lambda phase, count: told.append((phase, count)), clock=clock)
    pulse(STARTING)
    for _ in range(50):
        pulse(TRAINING)
        pulse(MEASURING)
    assert told == [(STARTING, 1), (TRAINING, 2)]
    clock.now += EVERY_S
    pulse(TRAINING)
    assert told[-1] == (TRAINING, 102)
