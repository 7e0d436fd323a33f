"""What a trial holds is what was given out in its own turns."""

from workers.engine.memory import Account
from workers.engine.room import Held


class Counter:
    """Stand in for a GPU's allocator."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def take(self, size: int) -> None:
        self.now += size
        self.most = max(self.most, self.now)

    def allocated(self) -> tuple[int, int]:
        return self.now, self.most

    def reset(self) -> None:
        self.most = self.now


def test_each_trials_peak_is_its_own_however_turns_go() -> None:
    counter, one, other = Counter(), Held(), Held()
    accounts = Account(counter, one), Account(counter, other)
    for account, sizes in ((accounts[0], (100, 50, -50)), (accounts[1], (7, 3, -3)), (accounts[0], (30, -30))):
        account.begin()
        for size in sizes:
            counter.take(size)
        account.rest()
    assert (one.now, one.peak) == (100, 150)
    assert (other.now, other.peak) == (7, 10)


def test_a_peak_is_told_and_begun_anew_within_a_turn() -> None:
    counter, held = Counter(), Held()
    account = Account(counter, held)
    account.begin()
    counter.take(100)
    counter.take(-60)
    assert account.peak() == 100
    account.start_peak()
    counter.take(10)
    assert account.peak() == 50
    account.rest()
    assert (held.now, held.peak) == (50, 50)
