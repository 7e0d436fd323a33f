"""A machine is asked whether its kernel ended a process for memory, and its silence means nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray

from search.tune import oom as watcher
from search.tune import run as cluster
from search.tune.oom import NEAR_S, SILENT_S, OomWatcher


class Machines:
    """Stand in for machines that count; those without a count are gone."""

    def __init__(self) -> None:
        self.counts: dict[str, int | None] = {}
        self.asked: list[str] = []
        self.now = 100.0

    def ask(self, _: OomWatcher, address: str) -> int | None:
        """Answer at once."""
        self.asked.append(address)
        return self.counts.get(address)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    made = Machines()
    monkeypatch.setattr(OomWatcher, "_ask", lambda *given: made.ask(*given))
    monkeypatch.setattr(watcher, "_living", lambda: dict.fromkeys(made.counts, "id"))
    return made


@pytest.fixture
def watching(machines: Machines) -> OomWatcher:
    return OomWatcher(clock=lambda: machines.now)


def test_a_count_that_rose_since_the_first_look_tells_of_a_killing(machines: Machines, watching: OomWatcher) -> None:
    machines.counts = {"a": 3, "b": 0}
    watching.see_all()
    machines.counts["a"] = 4
    assert watching.oom_killed("a")
    assert not watching.oom_killed("b")


def test_a_count_that_stays_tells_of_none_however_high(machines: Machines, watching: OomWatcher) -> None:
    machines.counts = {"a": 3}
    watching.see("a")
    assert not watching.oom_killed("a")


def test_a_killing_counts_for_those_that_die_with_it_and_for_nobody_later(
    machines: Machines, watching: OomWatcher
) -> None:
    machines.counts = {"a": 0}
    watching.see("a")
    machines.counts["a"] = 1
    assert watching.oom_killed("a")
    machines.now += NEAR_S / 2
    assert watching.oom_killed("a")
    machines.now += NEAR_S
    assert not watching.oom_killed("a")


def test_a_machine_that_was_never_seen_says_nothing_the_first_time(machines: Machines, watching: OomWatcher) -> None:
    machines.counts = {"a": 5}
    assert not watching.oom_killed("a")
    machines.counts["a"] = 6
    assert watching.oom_killed("a")


def test_a_machine_that_cannot_count_or_is_gone_says_nothing(machines: Machines, watching: OomWatcher) -> None:
    machines.counts = {"a": None}
    watching.see_all()
    assert not watching.oom_killed("a")
    assert not watching.oom_killed("gone")


def test_a_machine_is_seen_once(machines: Machines, watching: OomWatcher) -> None:
    machines.counts = {"a": 0}
    for _ in range(3):
        watching.see_all()
        watching.see("a")
        watching.see("")
    assert machines.asked == ["a"]


# The questions that it asks of Ray


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Start Ray, and give this machine's address."""
    cluster.start(None, verbose=False)
    yield ray.util.get_node_ip_address()
    cluster.stop()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], object]:
    """Give `counted(count)`: what the kernel counts from now on."""
    file = str(tmp_path / "count")

    def count_there() -> int:
        with open(file) as opened:  # noqa: PTH123  # the task knows no more than its file
            return int(opened.read())

    monkeypatch.setattr(watcher, "kills", count_there)
    return lambda count: Path(file).write_text(str(count))


@pytest.mark.slow
@pytest.mark.cluster
def test_a_rise_is_seen_from_another_process(address: str, counted: Callable[[int], object]) -> None:
    counted(1)
    watching = OomWatcher()
    watching.see_all()
    assert not watching.oom_killed(address)
    counted(2)
    assert watching.oom_killed(address)


@pytest.mark.slow
@pytest.mark.cluster
def test_the_kernels_own_count_can_be_read(address: str) -> None:
    watching = OomWatcher()
    assert isinstance(watching._answer(address, watching._ask(address)), int)


@pytest.mark.slow
@pytest.mark.cluster
def test_what_does_not_answer_is_left_alone_for_a_while(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    watching = OomWatcher(clock=lambda: now[0])
    monkeypatch.setattr(watcher, "ANSWER_S", 0.0)
    assert not watching.oom_killed(address)
    assert watching._ask(address) is None
    now[0] = SILENT_S
    assert watching._ask(address) is not None


@pytest.mark.slow
@pytest.mark.cluster
def test_a_machine_that_is_not_there_is_not_asked(address: str) -> None:
    assert address != "192.0.2.99"
    assert not OomWatcher().oom_killed("192.0.2.99")


def test_of_this_machine_alone_no_process_has_to_start_for_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    count = [4]
    monkeypatch.setattr(watcher, "kills", lambda: count[0])
    monkeypatch.setattr(watcher, "_living", lambda: {"here": "id"})
    watching = OomWatcher(here=True)
    watching.see_all()
    assert not watching.oom_killed("here")
    count[0] = 5
    assert watching.oom_killed("here")
