"""The kernel's killing for memory is counted where this process would be counted."""

from pathlib import Path

import pytest

from workers.killer import kills

EVENTS = "low 0\nhigh 0\nmax 7\noom 5\noom_kill 2\noom_group_kill 1\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Give a machine on which 9 processes have been ended."""
    write(tmp_path / "proc/vmstat", "nr_free_pages 12\noom_kill 9\nnuma_hit 3\n")
    return tmp_path / "proc"


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def test_the_groups_own_count_is_read(proc: Path, cgroup: Path) -> None:
    write(proc / "self/cgroup", "0::/a.slice/b.scope\n")
    write(cgroup / "a.slice/b.scope/memory.events", EVENTS)
    assert kills(proc, cgroup) == 2


def test_in_a_container_the_mount_may_be_the_group(proc: Path, cgroup: Path) -> None:
    write(proc / "self/cgroup", "0::/docker/0123\n")
    write(cgroup / "memory.events", EVENTS)
    assert kills(proc, cgroup) == 2


@pytest.mark.parametrize("place", ["memory/x/y", "memory"])
def test_version_1_has_a_mount_of_its_own_for_memory(proc: Path, cgroup: Path, place: str) -> None:
    write(proc / "self/cgroup", "9:name=systemd:/\n4:cpu,memory:/x/y\n0::/\n")
    write(cgroup / place / "memory.oom_control", CONTROL)
    assert kills(proc, cgroup) == 3


def test_a_path_may_hold_colons(proc: Path, cgroup: Path) -> None:
    write(proc / "self/cgroup", "0::/a:b:c\n")
    write(cgroup / "a:b:c/memory.events", EVENTS)
    assert kills(proc, cgroup) == 2


def test_where_no_group_counts_the_machine_does(proc: Path, cgroup: Path) -> None:
    assert kills(proc, cgroup) == 9
    write(proc / "self/cgroup", "0::/\n")
    assert kills(proc, cgroup) == 9


@pytest.mark.parametrize("told", ["", "oom_kill_disable 0\nunder_oom 0\n", "oom_kill many\n"])
def test_a_group_that_does_not_count_is_passed_over(proc: Path, cgroup: Path, told: str) -> None:
    write(proc / "self/cgroup", "4:memory:/\n")
    write(cgroup / "memory/memory.oom_control", told)
    assert kills(proc, cgroup) == 9


def test_what_is_no_line_of_a_group_is_passed_over(proc: Path, cgroup: Path) -> None:
    write(proc / "self/cgroup", "\nnonsense\n0::/a\n")
    write(cgroup / "a/memory.events", EVENTS)
    assert kills(proc, cgroup) == 2


def test_where_nothing_can_be_read_nothing_is_said(tmp_path: Path) -> None:
    assert kills(tmp_path / "proc", tmp_path / "cgroup") is None
