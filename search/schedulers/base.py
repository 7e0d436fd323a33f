"""What a scheduler is: it hears what trials show, and decides which of them go on.

The course of a study asks in this order:

    observe(trial, measurement)         with every measurement, of this launch, of others and of launches before
    on_measurement(trial, measurement)  once for each epoch of a trial that trains here: GO_ON, STOP or REST
    promote(state)                      whenever a worker is free and trials rest: which of them goes on
    finish(state)                       when no trial trains or will begin: why those that still rest stop

To write one: a subclass in a file of its own, its keys in the file as a subclass of `Options`, and a line in
`search.schedulers.registry`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt

from search.core.records import StudyRecord, TrialRecord
from workers.measurement import Measurement


class Verdict(Enum):
    """What becomes of a trial that has been measured."""

    GO_ON = auto()
    STOP = auto()  # for good
    REST = auto()  # until it is promoted, or stopped at the end


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and why in one line, which the user reads."""

    verdict: Verdict
    reason: str = ""

    @property
    def stop(self) -> bool:
        """Whether the worker is free for another trial."""
        return self.verdict is not Verdict.GO_ON


GO_ON = Decision(Verdict.GO_ON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The keys of a file's `scheduler` section that every scheduler reads; subclasses add their own.

    Bounds stand beside types as `annotated_types` has them: the file's form, its JSON schema and its refusals are made
    of them.
    """

    grace_epochs: Annotated[int, Ge(1)] = 1  # of the first rung
    max_epochs: Annotated[int, Ge(1)] = 9  # full fidelity
    measure: Literal["auto", "all"] = (
        "auto"  # after which epochs: auto: those that it decides at, or all if there are none
    )
    reduction_factor: Annotated[float, Gt(1)] = 3.0  # how many times as late each rung is

    @property
    def levels(self) -> tuple[int, ...]:
        """Return the rungs' epochs."""
        return rung_levels(self.grace_epochs, self.max_epochs, self.reduction_factor)


def keys(options: type[Options]) -> tuple[str, ...]:
    """Return the keys of a file that a scheduler of these options reads."""
    return tuple(field.name for field in fields(options))


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionState:
    """The inputs of one promotion decision, beside what the scheduler has observed."""

    resting: Mapping[int, int]  # the epoch at which each trial rests
    active: Mapping[int, int]  # the epochs of each trial that trains now
    trials: int  # begun
    trained_epochs: int  # over all trials
    no_more_trials: bool  # none will begin
    force_one: bool  # promote one even over what epochs allow, if nothing else runs: no trial is complete yet


class Scheduler:
    """Trains every trial in full; subclasses say otherwise."""

    options_class: ClassVar[type[Options]] = Options
    summary: ClassVar[str] = ""  # one line, for the README and the JSON schema
    has_rungs: ClassVar[bool] = False  # that a study records and figures draw

    def __init__(self, study: StudyRecord, options: Options, levels: tuple[int, ...], chance: float | None) -> None:
        """Take what a study knows before its first trial.

        Args:
            study: its objectives, and full fidelity.
            options: an instance of `options_class`.
            levels: the epochs of its rungs, in order, all below full fidelity.
            chance: what guessing reaches in the task's headline metric; None where nobody knows.
        """
        self.study = study
        self.options = options
        self.levels = levels
        self.chance = chance

    @classmethod
    def told(cls, name: str, options: Options) -> str:  # noqa: ARG003
        """Return for a dry run when it decides."""
        return "none: every trial is trained in full"

    @property
    def max_epochs(self) -> int:
        """Return full fidelity, in epochs."""
        return self.study.max_epochs

    def reads(self, epoch: int) -> bool:  # noqa: ARG002
        """Whether it decides at an epoch below full fidelity, so that trials have to be measured there.

        One that decides and does not say at which may do so at any.
        """
        return type(self).on_measurement is not Scheduler.on_measurement

    def observe(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Take in what a trial showed, whoever trained it; the same once more changes nothing."""

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> Decision:  # noqa: ARG002
        """Decide on a trial by its latest epoch, below full fidelity; that was observed before."""
        return GO_ON

    def promote(self, state: PromotionState) -> int | None:  # noqa: ARG002
        """Return the resting trial that goes on now, or None where that has to wait or none rests."""
        return None

    def finish(self, state: PromotionState) -> dict[int, str]:
        """Return why each resting trial stops, as nothing trains and nothing else will begin or go on."""
        return {number: f"epoch {epoch}: the study ended before its turn" for number, epoch in state.resting.items()}

    def planned_epochs(self, trials: int) -> float:
        """Return how many epochs so many trials are expected to be trained for, all together."""
        return float(trials * self.max_epochs)

    @property
    def decides(self) -> list[int]:
        """Return the epochs below full fidelity after which it is decided on a trial."""
        return [epoch for epoch in range(1, self.max_epochs) if self.reads(epoch)]

    @property
    def measured(self) -> list[int] | None:
        """Return the epochs after which networks are measured, full fidelity with them; None where that is all."""
        decides = self.decides
        return None if self.options.measure == "all" or not decides else [*decides, self.max_epochs]

    def next_read(self, epoch: int) -> int:
        """Return the next epoch after one at which a trial is decided on, or full fidelity."""
        return next((each for each in range(epoch + 1, self.max_epochs) if self.reads(each)), self.max_epochs)


def rung_levels(grace_epochs: int, max_epochs: int, reduction_factor: float) -> tuple[int, ...]:
    """Return the epochs grace, grace eta, grace eta^2 and so on, rounded, below full fidelity."""
    levels: list[int] = []
    level = float(grace_epochs)
    while round(level) < max_epochs:
        levels.append(round(level))
        level = max(level * reduction_factor, level + 0.01)  # a factor close to 1 must come to an end too
    return tuple(dict.fromkeys(levels))
