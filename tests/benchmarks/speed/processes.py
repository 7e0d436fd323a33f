"""Run a command and tell how long it took, and what processor time it and all that it started have used.

Processes are looked at several times a second, and what each had used when it was last seen is summed by kind. What one
uses after that is missed, a quarter of a second at most; what a parent has waited for is known exactly, so the larger
of both sums counts.
"""

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOOK_S = 0.25
PATIENCE_S = 60.0  # for what a command leaves running, or for its end after Ctrl-C
DRIVER, WORKERS, DAEMONS = "driver", "workers", "Ray's daemons"
BINARIES, TITLES = ("raylet", "gcs_server"), ("ray::DashboardAgent", "ray::RuntimeEnvAgent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a command has used."""

    began: float  # seconds since 1970
    wall_s: float
    cpu_s: float
    cpu_by_kind: Mapping[str, float]  # as it was seen: their sum may be less
    code: int
    output: Path


@dataclass(slots=True)
class Watch:
    """What the processes below one have used so far, those that have ended included."""

    root: psutil.Process
    used: dict[psutil.Process, tuple[str, float]] = field(default_factory=dict)

    def look(self) -> bool:
        """Look at all of them, and return whether any is left."""
        with suppress(psutil.NoSuchProcess):
            for process in (self.root, *self.root.children(recursive=True)):
                self.used.setdefault(process, ("other", 0.0))
        left = [self._use(process) for process in self.used]
        return any(left)

    def _use(self, process: psutil.Process) -> bool:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            times, command = process.cpu_times(), process.cmdline()
        except psutil.Error:
            return False
        before, _ = self.used[process]
        named = DRIVER if process == self.root else kind(command) if command else before  # none: it is about to end
        self.used[process] = (named, times.user + times.system)
        return True

    def by_kind(self) -> dict[str, float]:
        """Return the seconds of each kind."""
        kinds = sorted({named for named, _ in self.used.values()})
        return {each: sum(spent for named, spent in self.used.values() if named == each) for each in kinds}


def kind(command: Sequence[str]) -> str:
    """Return what a process is, by its command: a worker, one of Ray's daemons, the module that it runs, or another."""
    first, text = (command[0] if command else ""), " ".join(command)
    if Path(first).name in BINARIES or first.strip() in TITLES:
        return DAEMONS
    if first.startswith("ray::") or "default_worker.py" in text:
        return WORKERS
    if "/ray/" in text:
        return DAEMONS
    return command[command.index("-m") + 1] if "-m" in command[:-1] else "other"


def run(command: Sequence[str], *, folder: Path, env: Mapping[str, str]) -> Finished:
    """Run a command in a folder to the end of all that it starts; the time is that to its own end."""
    output = folder / "output.txt"
    before, began, clock = _waited_for(), time.time(), time.perf_counter()
    with output.open("w", encoding="utf-8") as file:
        child = subprocess.Popen(command, cwd=folder, env=env, stdout=file, stderr=subprocess.STDOUT)
        watch = Watch(psutil.Process(child.pid))
        try:
            wall_s = _until_ended(child, watch, clock)
        except KeyboardInterrupt:  # which the command has heard too
            with suppress(subprocess.TimeoutExpired):
                child.wait(PATIENCE_S)
            raise
        finally:
            _see_off(child, watch)
    seen = watch.by_kind()
    cpu_s = max(sum(seen.values()), _waited_for() - before)
    return Finished(began=began, wall_s=wall_s, cpu_s=cpu_s, cpu_by_kind=seen, code=child.returncode, output=output)


def _until_ended(child: subprocess.Popen[bytes], watch: Watch, clock: float) -> float:
    """Look until the command itself has ended, and return the seconds that it took."""
    while True:
        watch.look()
        try:
            child.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        return time.perf_counter() - clock


def _see_off(child: subprocess.Popen[bytes], watch: Watch) -> None:
    """Wait for what the command has started, so that it is in nobody's way, and end what stays."""
    if child.poll() is None:
        child.kill()
        child.wait()
    deadline = time.monotonic() + PATIENCE_S
    while watch.look() and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    for process in watch.used:
        with suppress(psutil.Error):
            process.kill()


def _waited_for() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
