"""Kill anything at any moment, run the same command again: it goes on, and nothing is lost."""

import random
import signal
import sqlite3
import time

import psutil
import pytest

from search.core.records import State
from tests.end_to_end.conftest import Folder, wait_until, workers_of
from tests.end_to_end.invariants import check_whole, read

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def epochs_recorded(folder: Folder) -> int:
    try:
        with sqlite3.connect(f"file:{folder.path}/study.db?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM nas_measurement").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        if "connection" in locals():
            connection.close()


def kill(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return


@pytest.mark.parametrize(("kills", "trials"), [(4, 12), pytest.param(10, 24, marks=pytest.mark.very_slow)])
def test_kills_at_random_moments_leave_every_trial_whole(folder: Folder, kills: int, trials: int) -> None:
    """Kill the driver, a worker, or all at once; the moments come from a seed, the machine adds its own chance."""
    rng = random.Random(20)
    folder.write(
        budget={"trials": trials}, data="digits",
        scheduler={"name": "pareto-asha", "max_epochs": 6, "reduction_factor": 2},
    )  # fmt: skip
    whom = (["driver", "workers", "both"] * 4)[:kills]
    driver = folder.start("--no-report")
    for target in whom:
        before = epochs_recorded(folder)
        goal = before + rng.randint(1, 6)
        wait_until(lambda driver=driver, goal=goal: epochs_recorded(folder) >= goal or driver.poll() is not None)
        time.sleep(rng.uniform(0, 0.3))
        if driver.poll() is not None:
            break
        if target in ("workers", "both"):
            for worker in workers_of(driver):
                kill(worker)
        if target in ("driver", "both"):
            driver.kill()
            driver.wait(240)
            driver = folder.start("--no-report")
    folder.launch("--no-report") if driver.wait(240) else None
    check_whole(folder.url, trials=trials)


def test_a_killed_trial_goes_on_from_its_last_checkpoint(folder: Folder) -> None:
    """Nothing but the epoch in flight is trained again: what was recorded stays as it was, to the digit."""
    folder.write(
        data="digits", scheduler={"name": "fifo", "max_epochs": 12}, budget={"trials": 2}, space=LONG, study="small"
    )
    driver = folder.start("--no-report")
    wait_until(lambda: epochs_recorded(folder) >= 6)
    driver.kill()
    driver.wait(240)
    _, killed = read(folder.url)
    folder.launch("--no-report")
    _, ended = read(folder.url)
    assert any(0 < trial.epochs < 12 for trial in killed)
    for before, after in zip(killed, ended, strict=False):
        assert after.measurements[: before.epochs] == before.measurements
        assert after.state is State.COMPLETE


LONG = {"block": {"choice": ["preact", "basic"]}, "depth": {"int": [2, 3]}, "widening_factor": 1}


def test_a_lost_worker_is_replaced_while_the_study_goes_on(folder: Folder) -> None:
    folder.write(data="digits", scheduler={"name": "fifo", "max_epochs": 12}, budget={"trials": 3}, space=LONG)
    driver = folder.start("--no-report")
    wait_until(lambda: epochs_recorded(folder) >= 3)
    for worker in workers_of(driver):
        kill(worker)
    assert driver.wait(240) == 0, folder.said()
    check_whole(folder.url, trials=3)
    _, trials = read(folder.url)
    assert any(trial.attempts for trial in trials)
