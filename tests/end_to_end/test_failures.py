"""Every failed trial has a kind; what was not its own fault goes on elsewhere, and what was is never tried again."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from search.core.records import State
from tests.end_to_end.conftest import Folder
from tests.end_to_end.invariants import read

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

FAULTS = Path(__file__).parent / "faults"
Plant = Callable[..., None]


@pytest.fixture
def plant(folder: Folder) -> Plant:
    """Give `plant(fault, ...)`: each a dictionary of kind, number and epoch; every epoch's process is noted."""
    control = folder.path / "faults.json"
    folder.environment |= {
        "PYTHONPATH": os.pathsep.join([str(FAULTS), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
        "WIDEFRONT_FAULTS": str(control),
    }

    def write(*faults: dict[str, Any]) -> None:
        control.write_text(json.dumps({"trials": faults, "who": True}))

    return write


def lines(folder: Folder) -> list[str]:
    return (folder.path / "faults.json.log").read_text().splitlines()


def begun(folder: Folder, number: int) -> list[tuple[int, int]]:
    """Return the process and the epoch of all that a trial began, in order."""
    found = [re.fullmatch(r"process (\d+) trial (\d+) epoch (\d+)", line) for line in lines(folder)]
    return [(int(each[1]), int(each[3])) for each in found if each and int(each[2]) == number]


def test_each_fault_is_known_and_no_process_outlives_one(folder: Folder, plant: Plant) -> None:
    folder.write(scheduler={"name": "fifo", "max_epochs": 3}, budget={"trials": 6})
    plant(
        {"kind": "out-of-memory", "number": 0, "epoch": 1},
        {"kind": "connection", "number": 1, "epoch": 2, "once": True},
        {"kind": "sigkill", "number": 2, "epoch": 2, "once": True},
        {"kind": "nan", "number": 3, "epoch": 1},
        {"kind": "out-of-memory", "number": 4, "epoch": 3},
    )
    said = folder.launch("--no-report")
    _, trials = read(folder.url)
    assert [(trial.failure_kind, trial.attempts, trial.epochs) for trial in trials] == [
        ("out-of-memory", 0, 0), ("", 1, 3), ("", 1, 3), ("not-finite", 0, 0), ("out-of-memory", 0, 2), ("", 0, 3),
    ]  # fmt: skip
    assert "failures: 2 out-of-memory (planted" in said
    assert "Traceback" not in said
    assert "MemoryError: planted" in trials[0].failure_details
    for number in (1, 2):
        processes, epochs = zip(*begun(folder, number), strict=True)
        assert epochs == (1, 2, 2, 3)  # goes on from its checkpoint
        assert processes[0] == processes[1] != processes[2] == processes[3]
    for number in (0, 1, 2, 3, 4):
        check_nothing_after_its_fault(lines(folder), number)


def test_a_crash_or_a_hang_costs_one_more_start_and_is_the_networks_only_if_it_comes_again(
    folder: Folder, plant: Plant
) -> None:
    folder.write(
        scheduler={"name": "fifo", "max_epochs": 3}, budget={"trials": 5},
        resources={"concurrent_trials": 1, "silence_s": 8},
    )  # fmt: skip
    plant(
        {"kind": "segv", "number": 0, "epoch": 2},
        {"kind": "segv", "number": 1, "epoch": 2, "once": True},
        {"kind": "spin", "number": 2, "epoch": 1},
        {"kind": "spin", "number": 3, "epoch": 1, "once": True},
    )
    said = folder.launch("--no-report")
    _, trials = read(folder.url)
    assert [(trial.failure_kind, trial.attempts, trial.epochs) for trial in trials] == [
        ("native-crash", 1, 1), ("", 1, 3), ("hung", 1, 0), ("", 1, 3), ("", 0, 3),
    ], said  # fmt: skip
    assert trials[0].reason.startswith("native-crash: SIGSEGV in _segv (trial_faults.py, line ")
    assert "most recent call first" in trials[0].failure_details
    assert "no sign of life for" in trials[2].reason
    assert "failures: 1 hung" in said
    assert "1 native-crash (SIGSEGV in _segv" in said
    starts = [process for number in range(5) for process, _ in begun(folder, number)]
    assert len(set(starts)) == 7  # the first, and one after each of six deaths
    assert not list((folder.path / "runs").glob("*/.*crash"))


def test_a_budget_of_time_ends_a_study_whose_worker_never_answers(folder: Folder, plant: Plant) -> None:
    folder.write(
        scheduler={"name": "fifo", "max_epochs": 3}, budget={"hours": 25 / 3600},
        resources={"concurrent_trials": 1, "grace_s": 2},
    )  # fmt: skip
    plant({"kind": "spin", "number": 0, "epoch": 2})
    said = folder.launch("--no-report")
    _, trials = read(folder.url)
    assert (trials[0].state, trials[0].epochs, trials[0].failure_kind) == (State.RUNNING, 1, "")
    assert "1 waiting for more budget" in said


def check_nothing_after_its_fault(noted: list[str], number: int) -> None:
    """Check that the process that a fault of a trial befell begins nothing after it."""
    at = next(i for i, line in enumerate(noted) if re.fullmatch(rf"[a-z-]+-{number}-\d", line))
    befallen = next(line for line in reversed(noted[:at]) if f"trial {number} epoch" in line).split()[1]
    assert not [line for line in noted[at:] if line.startswith(f"process {befallen} ")]


@pytest.mark.alone
def test_a_worker_that_ray_ends_for_memory_is_followed_by_another(folder: Folder, plant: Plant) -> None:
    """Ray's own killing is neither the end of the study nor, once, the fault of the trial."""
    memory = psutil.virtual_memory()
    if memory.available < 7_000_000_000:
        pytest.skip("too little memory to take much of it")
    limit = (memory.total - memory.available + 3_000_000_000) / memory.total  # Ray and the study take one of them
    folder.environment |= {"RAY_memory_usage_threshold": f"{limit:.3f}", "RAY_memory_monitor_refresh_ms": "100"}
    folder.write(scheduler={"name": "fifo", "max_epochs": 2}, budget={"trials": 3}, resources={"concurrent_trials": 1})
    plant({"kind": "gorge", "number": 1, "epoch": 2, "once": True})
    said = folder.launch("--no-report")
    _, trials = read(folder.url)
    assert [(trial.state, trial.attempts) for trial in trials] == [
        (State.COMPLETE, 0), (State.COMPLETE, 1), (State.COMPLETE, 0),
    ], said  # fmt: skip
    assert [epoch for _, epoch in begun(folder, 1)] == [1, 2, 2]
