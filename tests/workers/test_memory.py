"""What this process can still have is its machine's, or what its control group leaves of it."""

from pathlib import Path

import pytest

from workers.memory import available

GIB = 2**30


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Give a machine of which 8 GiB can be had."""
    write(tmp_path / "proc/meminfo", f"MemTotal:       16777216 kB\nMemFree: 12 kB\nMemAvailable:   {8 * 2**20} kB\n")
    return tmp_path / "proc"


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def test_without_a_group_it_is_the_machines(proc: Path, cgroup: Path) -> None:
    assert available(proc, cgroup) == 8 * GIB


def test_a_machine_that_tells_nothing_has_all_its_memory(tmp_path: Path) -> None:
    assert available(tmp_path / "none", tmp_path) > 2**28


@pytest.mark.parametrize("place", ["a.slice/b", ""])
def test_a_limit_of_the_group_counts_wherever_it_is_mounted(proc: Path, cgroup: Path, place: str) -> None:
    write(proc / "self/cgroup", "0::/a.slice/b\n")
    write(cgroup / place / "memory.max", f"{4 * GIB}\n")
    write(cgroup / place / "memory.current", f"{3 * GIB}\n")
    write(cgroup / place / "memory.stat", f"anon 5\ninactive_file {GIB}\nactive_file 7\n")  # the kernel gives it back
    assert available(proc, cgroup) == 2 * GIB


def test_version_1_has_other_names_for_it(proc: Path, cgroup: Path) -> None:
    write(proc / "self/cgroup", "4:memory:/x\n")
    write(cgroup / "memory/x/memory.limit_in_bytes", f"{4 * GIB}\n")
    write(cgroup / "memory/x/memory.usage_in_bytes", f"{5 * GIB}\n")
    write(cgroup / "memory/x/memory.stat", f"inactive_file 1\ntotal_inactive_file {2 * GIB}\n")
    assert available(proc, cgroup) == GIB


@pytest.mark.parametrize(("limit", "used", "left"), [("max", "5", 8 * GIB), (str(2**63), "5", 8 * GIB), ("5", "9", 0)])
def test_a_group_without_a_limit_leaves_the_machines_and_one_that_is_full_nothing(
    proc: Path, cgroup: Path, limit: str, used: str, left: int
) -> None:
    write(proc / "self/cgroup", "0::/\n")
    write(cgroup / "memory.max", limit)
    write(cgroup / "memory.current", used)
    assert available(proc, cgroup) == left
