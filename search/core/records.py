"""Tell one trial's story: what was tried, how far it went, what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from search.models.seeds import Interval
from spaces.architecture import Architecture, ImageSpec
from spaces.cost import Cost
from spaces.domains import Scalar
from spaces.packages import Package
from workers.kinds import FailureKind
from workers.measurement import Measurement
from workers.objectives import BUILT_IN, OBJECTIVES, Objective
from workers.recipe import identity
from workers.tasks import CLASSIFICATION, Task


class State(StrEnum):
    """Where a trial stands. Only `complete` means trained at full fidelity."""

    RUNNING = "running"  # proposed, and neither ended nor given up: waiting for a worker or on one
    COMPLETE = "complete"
    STOPPED = "stopped"  # early, at a rung
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate:
    """One more full training of a trial's network: with another seed, or measured on another fold."""

    number: int  # of the study's replicates, from 0
    trial: int  # whose network it is
    seed: int
    fold: tuple[int, int] | None = None  # the part, from 0, that it is measured on, and of how many
    state: State = State.RUNNING
    reason: str = ""  # why it failed: one line
    failure_kind: str = ""
    failure_details: str = ""
    attempts: int = 0
    started_at: datetime | None = None  # UTC
    ended_at: datetime | None = None  # UTC
    measurements: tuple[Measurement, ...] = ()  # as a trial's
    test: Mapping[str, float] | None = None  # metrics on the test split, where somebody has looked
    tested_at: datetime | None = None  # UTC; equal for all that one look has measured

    @property
    def complete(self) -> bool:
        """Whether it counts."""
        return self.state is State.COMPLETE and bool(self.measurements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What repeated trainings of one network tell: see `search.core.confirmation`."""

    seeds: int  # that count
    failed: int
    intervals: Mapping[str, Interval]  # of measured objectives, by name
    deviations: Mapping[str, float]  # between its own seeds; of those with two or more
    on_front: float  # the probability; NaN where no deviation is known
    test: Mapping[str, Interval] = field(default_factory=dict)  # of metrics on the test split
    looks: int = 0  # times that somebody has looked at the test split, for whatever network


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """Everything that is known of one trial."""

    number: int  # Optuna's
    params: Mapping[str, Scalar]  # that were searched: of the network, and of how it is trained
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
    outside: str = ""  # why the study, whose space or constraints have changed since, would not propose it: one line
    measurements: tuple[Measurement, ...] = ()  # one per epoch, in order, without gaps
    replicates: tuple[Replicate, ...] = ()  # what its network came to with other seeds
    confirmation: Confirmation | None = None  # what they tell, where somebody has worked it out

    @property
    def identity(self) -> str:
        """Return what trials share that train equal networks by equal recipes: nobody needs a second of them."""
        return identity(self.digest, self.params)

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
        """Return what is known after the latest epoch, if there is one."""
        return self.measurements[-1] if self.measurements else None

    @property
    def shown(self) -> Measurement | None:
        """Return the latest measurement of the network; it may be older than the latest epoch."""
        return next((each for each in reversed(self.measurements) if each.measured), None)

    @property
    def confirmed(self) -> tuple[Measurement, ...]:
        """Return the last measurement of each replicate that counts; the trial's own, which chose it, does not."""
        return tuple(each.measurements[-1] for each in self.replicates if each.complete)

    @property
    def found(self) -> Measurement | None:
        """Return what is known of the network: the mean over its replicates where it has any, else the latest."""
        confirmed = self.confirmed if self.replicates else ()
        return mean_of(confirmed) if confirmed else self.shown

    def at(self, *measurements: Measurement) -> "TrialRecord":
        """Return the trial as if these were all that is known of it."""
        return replace(self, measurements=measurements, replicates=(), confirmation=None)


def mean_of(measurements: Sequence[Measurement]) -> Measurement:
    """Return the mean of measurements at one epoch; a metric that one of them lacks is left out."""
    first, count = measurements[0], len(measurements)
    names = [name for name in first.metrics if all(name in each.metrics for each in measurements)]
    return Measurement(
        epoch=first.epoch,
        metrics={name: sum(each.metrics[name] for each in measurements) / count for name in names},
        train_s=sum(each.train_s for each in measurements) / count,
        eval_s=sum(each.eval_s for each in measurements) / count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A proposal that never became a trial: it broke a constraint or cannot be built."""

    params: Mapping[str, Scalar]
    violations: Mapping[str, float]  # by how much, above 0; the key is the constraint's name
    reason: str


class EventKind(StrEnum):
    """What can happen in a study."""

    LAUNCHED = "launched"
    PLANNED = "planned"  # is known to come to so many epochs in all, such as "273 epochs"
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
    CONFIRMED = "confirmed"  # a network was trained once more, with another seed
    TESTED = "tested"  # the test split was looked at
    GROWN = "grown"  # or shrunk: the space, or what constraints allow of it
    ASKED = "asked"  # a person asked for something, and this is the answer
    HELD = "held"  # nothing new begins, as a person has asked
    RESUMED = "resumed"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; a study's never change, and their numbers rise."""

    at: datetime  # UTC
    kind: str  # an EventKind, or another version's
    text: str = ""  # one line
    trial: int | None = None
    seq: int = -1  # given by the database


@dataclass(slots=True, kw_only=True)
class Spent:
    """Where the seconds of a launch went; each part is a column of its own."""

    startup_s: float = 0.0
    proposing_s: float = 0.0
    training_s: float = 0.0  # summed over workers
    recording_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One launch of a study: when it lived, where its seconds went, on what machine."""

    id: int
    started_at: datetime  # UTC
    seen_at: datetime  # UTC; the driver was alive then
    spent: Spent = field(default_factory=Spent)
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
    objectives: tuple[str, ...]  # keys of `measures`
    space: Mapping[str, object]  # the `space` section of the file, as plain values
    config: Mapping[str, object]  # the whole file as plain values, without secrets
    max_epochs: int  # full fidelity
    rungs: tuple[int, ...]  # epochs at which trials are compared, without the last
    classes: int
    image: tuple[int, int, int]  # c h w
    bounds: Mapping[str, tuple[float, float]]  # smallest and largest of each static objective in the space
    created_at: datetime | None = None  # UTC
    earlier: tuple[Mapping[str, object], ...] = ()  # spaces and constraints that it had before, the oldest first
    measures: Mapping[str, Objective] = field(default_factory=lambda: OBJECTIVES, compare=False)  # and its own

    @property
    def domains(self) -> dict[str, object]:
        """Return what a network is described by, and behind it what is searched of how it is trained."""
        recipe = self.config.get("recipe")
        given = recipe.items() if isinstance(recipe, Mapping) else ()
        return {**self.space, **{name: domain for name, domain in given if isinstance(domain, Mapping)}}

    @property
    def fingerprint(self) -> str:
        """Return that of the images that it was begun with; nothing where an early version did not keep it."""
        return str(self.config.get("fingerprint", ""))

    @property
    def validation_images(self) -> int | None:
        """Return how many images trials are measured on; nothing where an early version did not keep it."""
        told = self.config.get("validation_images")
        return told if isinstance(told, int) and told > 0 else None

    @property
    def packages(self) -> dict[str, Package]:
        """Return the packages of a person's own that it uses, as they were when it was begun."""
        told = self.config.get("packages")
        return {name: Package(**each) for name, each in (told if isinstance(told, Mapping) else {}).items()}

    @property
    def needed(self) -> dict[str, str]:
        """Return the packages that a training needs, with the hashes of their sources."""
        return {name: each.source for name, each in self.packages.items() if each.trains}

    @property
    def image_spec(self) -> ImageSpec:
        """Return what its networks read and tell apart."""
        channels, height, width = self.image
        return ImageSpec(channels=channels, height=height, width=width, classes=self.classes)

    @property
    def task(self) -> Task:
        """Return what its networks learn to do."""
        return CLASSIFICATION

    def objective(self, name: str) -> Objective:
        """Return what is known of an objective by its name."""
        return self.measures[name]

    @property
    def own_objectives(self) -> dict[str, Objective]:
        """Return what not every study knows of what this one optimises or bounds."""
        bounded = self.config.get("constraints")
        names = dict.fromkeys([*self.objectives, *(bounded if isinstance(bounded, Mapping) else ())])
        known = {name: self.measures[name] for name in names if name in self.measures}
        return {name: each for name, each in known.items() if each is not BUILT_IN.get(name)}

    @property
    def label(self) -> str:
        """Return a name for files: a study of the same name in another database began at another moment."""
        began = self.created_at.astimezone(UTC) if self.created_at else datetime.min
        return f"{self.name}-{began:%Y%m%dT%H%M%S}"
