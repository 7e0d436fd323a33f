"""The cores of a process are its machine's, its own or its control group's, whichever are fewer."""

import os
from pathlib import Path

import pytest

from workers.cores import cores, idle_cores


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)


def counted(folder: Path, group: str, **files: str) -> int:
    """Return the cores of a process in a control group; `__` stands for a dot in the names of its files."""
    (folder / "self").mkdir(exist_ok=True)
    (folder / "self/cgroup").write_text(group)
    version = "" if group.startswith("0:") else "cpu/"
    (folder / version / "x").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / version / "x" / name.replace("__", ".")).write_text(text)
    return cores(folder, folder)


@pytest.mark.parametrize(("quota", "count"), [("200000 100000", 2), ("250000 100000", 2), ("50000 100000", 1)])
def test_a_control_group_has_whole_cores_and_at_least_one(tmp_path: Path, quota: str, count: int) -> None:
    assert counted(tmp_path, "0::/x\n", cpu__max=quota) == count


@pytest.mark.parametrize("text", ["max 100000\n", "", "3"])
def test_a_group_without_a_limit_has_its_machines(tmp_path: Path, text: str) -> None:
    assert counted(tmp_path, "0::/x\n", cpu__max=text) == 8


def test_groups_of_the_first_version_are_read_too(tmp_path: Path) -> None:
    group = "4:cpu,cpuacct:/x\n"
    assert counted(tmp_path, group, cpu__cfs_quota_us="300000\n", cpu__cfs_period_us="100000\n") == 3
    assert counted(tmp_path, group, cpu__cfs_quota_us="-1\n") == 8


def test_a_group_around_it_limits_it_too(tmp_path: Path) -> None:
    """As a slice of systemd's, or a batch system's group for a whole job, limits the groups in it."""
    assert counted(tmp_path, "0::/x/job/step\n", cpu__max="300000 100000") == 3
    (tmp_path / "x/job").mkdir()
    (tmp_path / "x/job/cpu.max").write_text("200000 100000")
    assert cores(tmp_path, tmp_path) == 2


def test_a_process_that_is_bound_has_fewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {3, 5})
    assert cores(tmp_path, tmp_path) == 2


@pytest.mark.parametrize(("load", "count"), [(0.0, 8), (5.4, 3), (8.0, 1), (90.0, 1)])
def test_what_others_use_is_not_idle(monkeypatch: pytest.MonkeyPatch, load: float, count: int) -> None:
    monkeypatch.setattr("workers.cores.cores", lambda: 8)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert idle_cores() == count


def test_where_nobody_counts_all_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.cores.cores", lambda: 8)
    monkeypatch.delattr(os, "getloadavg")
    assert idle_cores() == 8
