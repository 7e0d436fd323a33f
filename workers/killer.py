"""Read how many processes the kernel has ended for memory: a worker that it ended says nothing itself."""

import re
from contextlib import suppress
from pathlib import Path

from workers.memory import CGROUP, PROC, groups

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_COUNTERS = {1: "memory.oom_control", 2: "memory.events"}  # by the version of control groups


def kills(proc: Path = PROC, cgroup: Path = CGROUP) -> int | None:
    """Return how many processes have been ended so far, or None where that cannot be read.

    They are those of this process's control group, if it counts them: what befalls others on the machine, which
    `vmstat` counts too, says nothing of ours.

    Args:
        proc: where the kernel tells of processes.
        cgroup: where control groups are mounted, of either version.
    """
    counters = (folder / _COUNTERS[version] for version, folder in groups(proc, cgroup))
    for path in (*counters, proc / "vmstat"):
        with suppress(OSError):
            if found := _COUNT.search(path.read_text()):
                return int(found[1])
    return None
