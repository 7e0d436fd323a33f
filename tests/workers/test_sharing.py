"""Who measures has the device alone, whoever trains on it gives way, and nobody waits for ever."""

import errno
import fcntl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.workers.test_trainer import spec, toy
from workers import latency, sharing
from workers.measurement import ALONE, Measurement
from workers.sharing import Sharing
from workers.trainer import Trainer

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


def no_wait() -> None:
    """Do nothing while somebody else has the device."""


@contextmanager
def stepping(folder: Path) -> Iterator[list[float]]:
    """Let a thread train in steps of a millisecond, and give a list that grows with the time of each."""
    steps, over = list[float](), threading.Event()
    mine = Sharing(CPU, folder)

    def train() -> None:
        with mine.training(no_wait):
            while not over.is_set():
                mine.give_way(no_wait)
                steps.append(time.monotonic())
                time.sleep(0.001)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        yield steps
    finally:
        over.set()
        thread.join()


def test_others_take_no_step_while_somebody_measures_and_go_on_behind_it(tmp_path: Path) -> None:
    mine = Sharing(CPU, tmp_path)
    with stepping(tmp_path) as one, stepping(tmp_path) as other, mine.training(no_wait):
        while not (one and other):
            time.sleep(0.001)
        with mine.alone(no_wait) as is_alone:
            began = time.monotonic()
            time.sleep(0.05)
            ended = time.monotonic()
        while min(one[-1], other[-1]) < ended:
            time.sleep(0.001)
    assert is_alone
    for steps in (one, other):
        assert steps[0] < began
        assert steps[-1] > ended
        assert not [step for step in steps if began < step < ended]


def test_those_who_measure_do_so_one_after_the_other(tmp_path: Path) -> None:
    spans = list[tuple[float, float, bool]]()

    def measure() -> None:
        mine = Sharing(CPU, tmp_path)
        with mine.training(no_wait), mine.alone(no_wait) as is_alone:
            began = time.monotonic()
            time.sleep(0.02)
            spans.append((began, time.monotonic(), is_alone))

    threads = [threading.Thread(target=measure) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second, third = sorted(spans)
    assert first[1] <= second[0]
    assert second[1] <= third[0]
    assert all(is_alone for *_, is_alone in spans)


def test_who_dies_lets_go(tmp_path: Path) -> None:
    code = (
        "import sys, time, torch, pathlib; from workers.sharing import Sharing\n"
        f"with Sharing(torch.device('cpu'), pathlib.Path({str(tmp_path)!r})).training(print):\n"
        "    print('there', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.kill()
        process.wait()
    with Sharing(CPU, tmp_path).alone(no_wait) as is_alone:
        assert is_alone


def test_somebody_who_hangs_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "WAIT_S", 0.05)
    waits = list[int]()
    hangs = Sharing(CPU, tmp_path)
    with hangs.training(no_wait), Sharing(CPU, tmp_path).alone(lambda: waits.append(1)) as is_alone:
        assert not is_alone
    assert waits  # whoever watches is told meanwhile


def test_without_a_place_for_locks_everything_goes_on_and_nothing_is_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    mine = Sharing(CPU, tmp_path / "file")
    with mine.training(no_wait):
        mine.give_way(no_wait)
        with mine.alone(no_wait) as is_alone:
            assert not is_alone


def test_whoever_hangs_while_it_measures_is_waited_for_once_and_not_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "WAIT_S", 0.05)
    hangs, mine = Sharing(CPU, tmp_path), Sharing(CPU, tmp_path)
    with mine.training(no_wait):
        with hangs.alone(no_wait) as is_alone:
            assert not is_alone  # nobody has given way, but the gate is closed
            mine.give_way(no_wait)
            waited_s = mine.waited_s
            assert waited_s >= 0.05
            for _ in range(3):
                mine.give_way(no_wait)
            assert mine.waited_s == waited_s
        hangs._unlock(hangs._held)
        mine.give_way(no_wait)  # the gate is open again
        with Sharing(CPU, tmp_path).alone(no_wait) as is_alone:
            assert not is_alone


def test_where_files_cannot_be_locked_everything_goes_on_and_nothing_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    mine = Sharing(CPU, tmp_path)
    with mine.training(no_wait):
        mine.give_way(no_wait)
        with mine.alone(no_wait) as is_alone:
            assert not is_alone


def test_the_folder_of_locks_is_this_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = sharing._folder()
    assert made.parent == tmp_path
    assert made.stat().st_mode & 0o077 == 0
    made.rmdir()
    (tmp_path / "elsewhere").mkdir()
    made.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="is somebody else's"):
        sharing._folder()


def asked(folder: Path) -> Trainer:
    made = Trainer(replace(spec(), measures=("latency_ms",)), toy())
    made.sharing = Sharing(CPU, folder)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARM_S", 0.0)
    monkeypatch.setattr(latency, "TIMED_S", 0.0)


@pytest.mark.usefixtures("quick")
def test_a_measurement_says_whether_its_latency_is_one_of_the_device_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = asked(tmp_path)
    assert [alone.run_epoch().metrics[ALONE] for _ in range(2)] == [1.0, 1.0]
    monkeypatch.setattr(sharing, "WAIT_S", 0.02)
    beside = asked(tmp_path)
    with Sharing(CPU, tmp_path).training(no_wait):
        assert beside.run_epoch().metrics[ALONE] == 0.0
    assert beside.run_epoch().metrics[ALONE] == 0.0  # it is not measured again
    assert ALONE not in Trainer(spec(), toy()).run_epoch().metrics


@pytest.mark.usefixtures("quick")
def test_a_latency_of_before_anybody_waited_was_not_alone(tmp_path: Path) -> None:
    before = {name: value for name, value in asked(tmp_path).run_epoch().metrics.items() if name != ALONE}
    made = asked(tmp_path)
    made.history = (Measurement(epoch=1, metrics=before, train_s=1.0, eval_s=1.0),)
    assert made.run_epoch().metrics[ALONE] == 0.0


def test_what_a_training_has_waited_is_no_part_of_its_time(tmp_path: Path) -> None:
    made, waiting, took = asked(tmp_path), threading.Event(), list[float]()
    made.spec = spec()
    made.beat = lambda _phase: waiting.set()

    def train() -> None:
        began = time.monotonic()
        made.run_epoch()
        took.append(time.monotonic() - began)

    with Sharing(CPU, tmp_path).alone(no_wait) as is_alone:
        assert is_alone
        thread = threading.Thread(target=train)
        thread.start()
        waiting.wait()
        time.sleep(0.1)
        assert made.epoch == 0
    thread.join()
    assert made.sharing.waited_s >= 0.1
    assert made.history[0].wall_s <= took[0] - 0.1


def test_what_is_waited_for_within_an_epoch_is_no_part_of_it_either(tmp_path: Path) -> None:
    made, held = asked(tmp_path), Sharing(CPU, tmp_path)
    made.spec = spec()
    gate = held._gate
    assert gate is not None
    steps = list[str]()

    def beat(phase: str) -> None:
        steps.append(phase)
        if len(steps) == 1:
            assert sharing._lock(gate, fcntl.LOCK_EX)  # at the next step somebody measures
            threading.Timer(0.1, fcntl.flock, (gate, fcntl.LOCK_UN)).start()

    made.beat = beat
    began = time.monotonic()
    found = made.run_epoch()
    assert made.sharing.waited_s >= 0.05
    assert found.wall_s <= time.monotonic() - began - made.sharing.waited_s
