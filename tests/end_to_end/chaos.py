"""Let chance befall a study: a plan, made from a seed, says what happens to it and when.

Three plans in a row hold every kind of fault together. A study is launched again until it says that it is over.
"""

import json
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.end_to_end.conftest import Folder, wait_until

FAULTS = Path(__file__).parent / "faults"
GONE_S = 120.0  # after a driver's death all of its processes have ended; a worker in its start takes Ray 26 s
RAY_ENDED = "error: Ray has ended on this machine; launch again to go on\n"
STANDS_S = 300.0  # a study that records nothing for so long stands still
HOUR_S = 3600.0
TRIALS = 16
PERMANENT = ("nan", "out-of-memory")  # a trial that it befalls fails, and is never tried again
PLANTED = (*PERMANENT, "connection", "sigkill", "segv", "spin")
SILENCE_S = 40.0  # longer than anything is stopped for
ANYWHERE = (
    "driver killed", "worker killed", "raylet killed", "driver stopped", "worker stopped", "raylet stopped",
    "clock forward", "clock back", "checkpoints' disk full",
)  # fmt: skip
OF_POSTGRESQL = (("database away",), ("database away, journal's disk full",))
OF_SQLITE = ("database locked", "database's disk full")
LASTS_S = {"database locked": 8.0, "database's disk full": 6.0, "checkpoints' disk full": 6.0}
KINDS = (*ANYWHERE, *OF_POSTGRESQL[0], *OF_POSTGRESQL[1], *OF_SQLITE)


class Server(Protocol):
    """A database server that can be stopped."""

    url: str

    def stop(self) -> None: ...

    def start(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Say what happens, once so many more epochs are recorded and a moment has passed, and for how long."""

    kind: str
    epochs: int
    wait_s: float
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold what happens to one study."""

    seed: int
    sqlite: bool
    faults: tuple[Fault, ...]
    planted: tuple[dict[str, Any], ...]  # in trials, as the control file has it


def plan(seed: int, *, stopped_s: tuple[float, float] = (5.0, 8.0), away_s: float = 10.0) -> Plan:
    """Make a plan. Two of three are on PostgreSQL; each has a third of what can happen on any database."""
    three, place = divmod(seed, 3)
    rng, dealing = random.Random(seed), random.Random(1_000 + three)
    anywhere, planted = dealing.sample(ANYWHERE, len(ANYWHERE)), dealing.sample(PLANTED, len(PLANTED))
    kinds = [*anywhere[place::3], *(OF_SQLITE if place == 2 else OF_POSTGRESQL[place])]
    rng.shuffle(kinds)
    faults = [
        Fault(
            kind=kind,
            epochs=rng.randint(1, 3),
            wait_s=rng.uniform(0, 0.6),
            for_s=rng.uniform(*stopped_s) if kind.endswith("stopped") else LASTS_S.get(kind, away_s),
        )
        for kind in kinds
    ]
    numbers = rng.sample(range(8), 2)
    return Plan(
        seed=seed,
        sqlite=place == 2,
        faults=tuple(faults),
        planted=tuple(
            {"kind": kind, "number": number, "epoch": 1 if kind in PERMANENT else rng.randint(1, 2)}
            | ({} if kind in PERMANENT else {"once": True})
            for kind, number in zip((planted * 2)[place * 2 :], numbers, strict=False)
        ),
    )


@dataclass
class Chaos:
    """Play a plan on a study in a folder."""

    plan: Plan
    folder: Folder
    server: Server | None
    befell: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)  # how launches ended
    seconds: float = 0.0
    temporary: Path = field(init=False)
    of_ray: Path = field(init=False)
    _orders: dict[str, Any] = field(default_factory=dict)
    _known: int = 0

    def __post_init__(self) -> None:
        """Lay out the folder: temporary files of ours and of Ray's each have a place of their own."""
        self.url = self.server.url if self.server else self.folder.url
        self.control = self.folder.path / "faults.json"
        self.temporary = self.folder.path / "tmp"
        self.temporary.mkdir()
        self.of_ray = Path(tempfile.mkdtemp(prefix="ray-"))  # the names of its sockets must be short
        self.folder.environment |= {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")])),
            "WIDEFRONT_FAULTS": str(self.control),
            "TMPDIR": str(self.temporary),
            "RAY_TMPDIR": str(self.of_ray),
            "STUDY_DB": self.url,
        }
        self.folder.write(storage="${STUDY_DB}", budget={"trials": TRIALS}, resources={"silence_s": SILENCE_S})
        self.order(trials=self.plan.planted, pace_s=0.6)

    def order(self, **orders: Any) -> None:
        """Change some of what the control file says, in one step."""
        self._orders |= orders
        fresh = self.control.with_suffix(".new")
        fresh.write_text(json.dumps(self._orders))
        fresh.replace(self.control)

    def play(self) -> None:
        """Launch, let everything happen, and launch again until the study is over."""
        self.began = time.monotonic()
        self._launch()
        for fault in self.plan.faults:
            if not self._reach(self._recorded() + fault.epochs):
                break
            time.sleep(fault.wait_s)
            INFLICT[fault.kind](self, fault)
            self.befell.append(fault.kind)
            self.note(fault.kind)
        self._reach(None)
        self.seconds = time.monotonic() - self.began

    def _launch(self) -> None:
        self.folder.environment["WIDEFRONT_LAUNCH"] = str(len(self.codes))
        self.driver = self.folder.start("--no-report")

    def note(self, what: str) -> None:
        """Remember when something happened."""
        self.story.append(f"{time.monotonic() - self.began:.0f} s {what}")

    def _reach(self, goal: int | None) -> bool:
        """Wait until so many epochs are recorded, and say whether they are; the study may be over before."""
        moved = time.monotonic()
        while not self.over and (goal is None or self._recorded() < goal):
            before = self._known
            if self.driver.poll() is not None:
                self._launch_again()
            time.sleep(0.1)
            if self._recorded() != before:
                moved = time.monotonic()
            assert time.monotonic() - moved < STANDS_S, f"it stands still after {self.befell}: {self.folder.said()}"
        return not self.over

    def _launch_again(self) -> None:
        """Look at how a launch has ended, and go on with the study where it is not over."""
        self.codes.append(self.driver.returncode)
        said = self.folder.said()
        assert self.driver.returncode in (0, 1, -signal.SIGKILL), said
        assert "Traceback" not in said, said
        assert self.driver.returncode != 1 or said.endswith(RAY_ENDED), said
        self.note(f"ended with {self.driver.returncode}")
        if self.over or self.plan.seed % 2:  # else the next launch meets what is left of this one
            self._check_gone()
        if not self.over:
            self._launch()

    def _check_gone(self) -> None:
        """Check that the processes of all launches so far end soon."""
        end = time.monotonic() + GONE_S
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.1)
        titles = [
            (process.pid, process.ppid(), process.status(), " ".join(process.cmdline())[:150]) for process in left
        ]
        assert not left, titles

    @property
    def over(self) -> bool:
        """Say whether a launch has said that the study is over."""
        return self.codes[-1:] == [0]

    def _recorded(self) -> int:
        """Return how many epochs are recorded; where nobody can tell, what was known last."""
        engine = create_engine(self.url)
        with suppress(DBAPIError), engine.connect() as connection:
            self._known = int(connection.execute(text("SELECT count(*) FROM nas_measurement")).scalar_one())
        engine.dispose()
        return self._known

    def processes(self, launch: int | None = None) -> list[psutil.Process]:
        """Return every process of the study, or of one launch, whoever is its parent now: all have its environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                environment = process.environ()
                mine = environment.get("WIDEFRONT_FAULTS") == str(self.control)
                of_it = launch is None or environment.get("WIDEFRONT_LAUNCH") == str(launch)
                if mine and of_it and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def named(self, role: str) -> list[psutil.Process]:
        """Return the driver, the workers that train, or the raylet."""
        if role == "driver":
            return [psutil.Process(self.driver.pid)] if self.driver.poll() is None else []
        return [process for process in self.processes(len(self.codes)) if _role(process) == role]

    def signal(self, role: str, number: signal.Signals) -> list[psutil.Process]:
        """Send a signal to a driver, one worker or a raylet, waiting for it to be there, and return whom it reached."""
        wait_until(lambda: bool(self.named(role)) or self.driver.poll() is not None)
        reached = self.named(role)[:1]
        for process in reached:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return reached

    def noted(self) -> list[str]:
        """Return what the planted faults have written down."""
        log = Path(f"{self.control}.log")
        return log.read_text().splitlines() if log.exists() else []

    def end(self) -> None:
        """End whatever is left, and remove Ray's files."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for path in sorted(self.of_ray.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        self.of_ray.rmdir()


def _role(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        if process.name() == "raylet":
            return "raylet"
        if "Trainable" in " ".join(process.cmdline()):
            return "worker"
    return ""


def _kill(role: str) -> Callable[[Chaos, Fault], None]:
    def inflict(chaos: Chaos, _fault: Fault) -> None:
        chaos.signal(role, signal.SIGKILL)
        if role == "driver":
            chaos.driver.wait(240)

    return inflict


def _stop(role: str) -> Callable[[Chaos, Fault], None]:
    def inflict(chaos: Chaos, fault: Fault) -> None:
        stopped = chaos.signal(role, signal.SIGSTOP)
        time.sleep(fault.for_s)
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)

    return inflict


def _full(what: str) -> Callable[[Chaos, Fault], None]:
    def inflict(chaos: Chaos, fault: Fault) -> None:
        chaos.order(full=[what])
        time.sleep(fault.for_s)
        chaos.order(full=[])

    return inflict


def _clock(moved_s: float) -> Callable[[Chaos, Fault], None]:
    def inflict(chaos: Chaos, _fault: Fault) -> None:
        chaos.order(clock_s=moved_s)

    return inflict


@contextmanager
def away(server: Server) -> Iterator[None]:
    """Let a database server be away meanwhile."""
    server.stop()
    try:
        yield
    finally:
        server.start()


def _away(full: list[str]) -> Callable[[Chaos, Fault], None]:
    def inflict(chaos: Chaos, fault: Fault) -> None:
        assert chaos.server is not None
        chaos.order(full=full)
        with away(chaos.server):
            time.sleep(fault.for_s)
        chaos.order(full=[])

    return inflict


def _locked(chaos: Chaos, fault: Fault) -> None:
    file = chaos.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(fault.for_s)
        connection.execute("ROLLBACK")


INFLICT: dict[str, Callable[[Chaos, Fault], None]] = {
    "driver killed": _kill("driver"),
    "worker killed": _kill("worker"),
    "raylet killed": _kill("raylet"),
    "driver stopped": _stop("driver"),
    "worker stopped": _stop("worker"),
    "raylet stopped": _stop("raylet"),
    "clock forward": _clock(HOUR_S),
    "clock back": _clock(-HOUR_S),
    "checkpoints' disk full": _full("checkpoint"),
    "database away": _away([]),
    "database away, journal's disk full": _away(["journal"]),
    "database locked": _locked,
    "database's disk full": _full("sqlite"),
}


def told(chaos: Chaos) -> str:
    """Return one line of what a study survived."""
    database = "SQLite" if chaos.plan.sqlite else "PostgreSQL"
    planted = [line for line in chaos.noted() if line.startswith(PLANTED)]
    return f"plan {chaos.plan.seed} on {database}: {', '.join([*chaos.story, *planted])}; {chaos.seconds:.0f} s"
