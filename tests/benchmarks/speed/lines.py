"""Keep what was measured: a line of JSON for each finished run, so that a benchmark that is broken off goes on."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.growth import Trained

TREES = ("here", "base")  # two versions of Widefront
SCRIPTS = ("optuna", "ray")
PARTS = ("dry-run", "epochs", "confirm")
SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the benchmark."""

    what: str
    system: str
    task: str
    seed: int

    def __str__(self) -> str:
        return f"{self.task} {self.what} {self.system} {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one run came to."""

    job: Job
    commit: str  # of the version that ran
    machine: Mapping[str, str]
    began: float  # seconds since 1970
    load: float  # processes that ran or waited before it
    wall_s: float
    cpu_s: float
    cpu_by_kind: Mapping[str, float]
    trained: tuple[Trained, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as a line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Line":
        """Return what `to_json` wrote."""
        given = json.loads(text)
        trained = tuple(Trained(**each) for each in given.pop("trained"))
        return cls(job=Job(**given.pop("job")), trained=trained, **given)


def read(path: Path) -> list[Line]:
    """Return what was measured so far; a line that was broken off is as if it had never been."""
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    return [Line.from_json(text) for text in written.split("\n")[:-1]]


def add(path: Path, line: Line) -> None:
    """Add a line, behind the last whole one."""
    whole = path.read_text(encoding="utf-8").rpartition("\n") if path.exists() else ("", "", "")
    path.write_text("".join([*whole[:2], line.to_json(), "\n"]), encoding="utf-8")


def jobs(tasks: Iterable[str], systems: list[str], seeds: int) -> list[Job]:
    """Return everything that there is to run, the systems in turn and each as often first as the others."""
    found = [
        Job(SEARCH, system, task, seed)
        for task in tasks
        for seed in range(seeds)
        for system in (*systems[seed % len(systems) :], *systems[: seed % len(systems)])
    ]
    trees = [system for system in systems if system in TREES]
    return found + [Job(what, tree, "digits", seed) for what in PARTS for seed in range(seeds) for tree in trees]


def chosen(job: Job, only: Iterable[str]) -> bool:
    """Return whether a run is among what is named: by its system, its task or what it is, each where one is named."""
    sides = ({*TREES, *SCRIPTS}, {"digits", "fashion"}, {SEARCH, *PARTS})
    named = [set(only) & side for side in sides]
    return all(not names or mine in names for names, mine in zip(named, (job.system, job.task, job.what), strict=True))
