"""Read how much memory this process can still have: its machine's, or what its control group leaves of it."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
_AVAILABLE = re.compile(r"^MemAvailable: +(\d+) kB$", re.MULTILINE)
_CACHED = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)  # of files, which the kernel gives back
_FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}


def groups(proc: Path = PROC, cgroup: Path = CGROUP, controller: str = "memory") -> Iterator[tuple[int, Path]]:
    """Yield the version and the folders of this process's control group and of those around it, whose limits hold too.

    Args:
        proc: where the kernel tells of processes.
        cgroup: where control groups are mounted; in a container, the mount may begin at the group itself.
        controller: of what; the first version has a group for each.
    """
    with suppress(OSError):
        for line in (proc / "self/cgroup").read_text().splitlines():
            number, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if controller in controllers.split(","):
                version, mount = 1, cgroup / controller
            elif number == "0":
                version, mount = 2, cgroup
            else:
                continue
            own = PurePosixPath(path.lstrip("/"))
            yield from ((version, mount / each) for each in dict.fromkeys((own, *own.parents)))  # the last is the mount


def available(proc: Path = PROC, cgroup: Path = CGROUP) -> int:
    """Return how many bytes can be had without taking them from others; of a group without a limit, the machine's."""
    found = _AVAILABLE.search(text(proc / "meminfo"))
    machines = int(found[1]) * 1024 if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(0, min([machines, *_left(proc, cgroup)]))


def _left(proc: Path, cgroup: Path) -> Iterator[int]:
    for version, folder in groups(proc, cgroup):
        limit, used = (text(folder / name).strip() for name in _FILES[version])
        if limit.isdigit() and used.isdigit():  # `max` is none
            cached = _CACHED.findall(text(folder / "memory.stat"))
            yield int(limit) - int(used) + max(map(int, cached), default=0)


def text(path: Path) -> str:
    """Return what the kernel says there, or nothing."""
    with suppress(OSError):
        return path.read_text()
    return ""
