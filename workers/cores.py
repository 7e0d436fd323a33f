"""Read how many cores this process may use, and how many of them others leave idle.

Threads that wait for each other on busy cores spin: two on two such cores took 25 times the processor time of one.
"""

import os
from pathlib import Path

from workers.memory import CGROUP, PROC, groups, text


def cores(proc: Path = PROC, cgroup: Path = CGROUP) -> int:
    """Return the cores that this process may use: its machine's, its own where it is bound, its control group's.

    Args:
        proc: where the kernel tells of processes.
        cgroup: where control groups are mounted, of either version.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares = [_share(version, folder) for version, folder in groups(proc, cgroup, "cpu")]
    return max(1, min([bound, *(int(share) for share in shares if share is not None)]))


def _share(version: int, folder: Path) -> float | None:
    """Return how many cores' time a control group has, or None where it has no limit."""
    if version == 2:
        quota, _, period = text(folder / "cpu.max").strip().partition(" ")  # `max 100000` is none
    else:
        quota, period = (text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))  # -1 is none
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def load() -> float:
    """Return how many cores the whole machine has used lately, a minute's average; 0 where nobody counts."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


def idle_cores() -> int:
    """Return how many cores there are for this process, of those that it may use; at least one."""
    return max(1, min(cores(), round((os.cpu_count() or 1) - load())))
