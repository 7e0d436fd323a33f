"""Tell one trial's story: what was tried, how far it went, what came of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from spaces.architecture import Architecture
from spaces.cost import Cost
from spaces.domains import Scalar
from workers.kinds import FailureKind
from workers.measurement import Measurement
from workers.objectives import OBJECTIVES, Objective
from workers.tasks import CLASSIFICATION, Task


class State(StrEnum):
    """Where a trial stands. Only `complete` means trained at full fidelity."""

    RUNNING = "running"  # proposed, and neither ended nor given up: waiting for a worker or on one
    COMPLETE = "complete"
    STOPPED = "stopped"  # early, at a rung
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """Everything that is known of one trial."""

    number: int  # Optuna's
    params: Mapping[str, Scalar]
    architecture: Architecture
    digest: str
    seed: int
    cost: Cost
    state: State = State.RUNNING
    reason: str = ""  # why it was stopped or failed: one line
    failure_kind: str = ""
    failure_details: str = ""
    attempts: int = 0  # times it was handed out again after its worker was lost
    session: int | None = None  # the launch that began it or took it over
    started_at: datetime | None = None  # UTC
    ended_at: datetime | None = None  # UTC
    measurements: tuple[Measurement, ...] = ()  # one per epoch, in order, without gaps

    @property
    def failed_transiently(self) -> bool:
        """Whether it failed by the machine's fault, which says nothing of its network."""
        return bool(self.failure_kind) and FailureKind.of(self.failure_kind).transient

    @property
    def trained_s(self) -> float:
        """Return the seconds that its training has taken, measuring included."""
        return sum(measurement.wall_s for measurement in self.measurements)

    @property
    def epochs(self) -> int:
        """Return how many epochs are recorded."""
        return len(self.measurements)

    @property
    def last(self) -> Measurement | None:
        """Return the latest measurement, if there is one."""
        return self.measurements[-1] if self.measurements else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A proposal that never became a trial: it broke a constraint or cannot be built."""

    params: Mapping[str, Scalar]
    violations: Mapping[str, float]  # by how much, above 0; the key is the constraint's name
    reason: str


class EventKind(StrEnum):
    """What can happen in a study."""

    LAUNCHED = "launched"
    BEGUN = "begun"  # a trial
    MEASURED = "measured"
    RESTED = "rested"  # at a rung, until it is promoted
    PROMOTED = "promoted"
    PAUSED = "paused"  # at a rung, as the budget is spent
    RETRIED = "retried"  # after a failure that was not its own
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    FRONT = "front"  # has changed
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; a study's never change, and their numbers rise."""

    at: datetime  # UTC
    kind: str  # an EventKind, or another version's
    text: str = ""  # one line
    trial: int | None = None
    seq: int = -1  # given by the database


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One launch of a study: when it lived, where its seconds went, on what machine."""

    id: int
    started_at: datetime  # UTC
    seen_at: datetime  # UTC; the driver was alive then
    startup_s: float = 0.0
    proposing_s: float = 0.0
    training_s: float = 0.0  # summed over workers
    recording_s: float = 0.0
    machine: Mapping[str, str] | None = None  # hardware and versions
    host: str | None = None
    process: int | None = None  # on that host

    @property
    def wall_s(self) -> float:
        """Return the seconds the launch was alive; time between launches is nobody's."""
        return (self.seen_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a machine that trained for a launch computes right (`workers.probe`), and what it trains in."""

    host: str
    kind: str  # of machine and setting, for which a choice once made stays
    numerics: str  # precision and layout
    product: str  # versions
    torch: str
    step_ms: Mapping[str, float]  # of those that are right, by name
    wrong: Mapping[str, str]  # in what way, by name
    session: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """What a study is: everything but its trials."""

    name: str
    objectives: tuple[str, ...]  # keys of workers.objectives.OBJECTIVES
    space: Mapping[str, object]  # the `space` section of the file, as plain values
    config: Mapping[str, object]  # the whole file as plain values, without secrets
    max_epochs: int  # full fidelity
    rungs: tuple[int, ...]  # epochs at which trials are compared, without the last
    classes: int
    image: tuple[int, int, int]  # c h w
    bounds: Mapping[str, tuple[float, float]]  # smallest and largest of each static objective in the space
    created_at: datetime | None = None  # UTC
    measures: Mapping[str, Objective] = field(default_factory=lambda: OBJECTIVES, compare=False)  # a table has its own

    @property
    def task(self) -> Task:
        """Return what its networks learn to do."""
        return CLASSIFICATION

    def objective(self, name: str) -> Objective:
        """Return what is known of an objective by its name."""
        return self.measures[name]

    @property
    def label(self) -> str:
        """Return a name for files: a study of the same name in another database began at another moment."""
        began = self.created_at.astimezone(UTC) if self.created_at else datetime.min
        return f"{self.name}-{began:%Y%m%dT%H%M%S}"
