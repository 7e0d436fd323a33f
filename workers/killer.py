"""Read how many processes the kernel has ended for memory: a worker that it ended says nothing itself."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def kills(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return how many processes have been ended so far, or None where that cannot be read.

    They are those of this process's control group, if it counts them: what befalls others on the machine, which
    `vmstat` counts too, says nothing of ours.

    Args:
        proc: where the kernel tells of processes.
        cgroup: where control groups are mounted, of either version.
    """
    for path in (*_counters(proc, cgroup), proc / "vmstat"):
        with suppress(OSError):
            if found := _COUNT.search(path.read_text()):
                return int(found[1])
    return None


def _counters(proc: Path, cgroup: Path) -> Iterator[Path]:
    """Yield where a control group may count; in a container, the mount may begin at the group itself."""
    with suppress(OSError):
        for line in (proc / "self/cgroup").read_text().splitlines():
            number, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if "memory" in controllers.split(","):  # version 1
                mount, name = cgroup / "memory", "memory.oom_control"
            elif number == "0":
                mount, name = cgroup, "memory.events"
            else:
                continue
            yield mount / path.lstrip("/") / name
            yield mount / name
