"""Tell a study's trials anew where its space or constraints have changed: who is a member, and by which values.

Pure. What was trained stays what it was: architecture, recipe, digest, numbers and measurements.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from search.config.study import StudyConfig
from search.core.costs import cost_of
from search.core.labels import OVERSTEPS, outside_kinds
from search.core.records import Rejection, State, TrialRecord
from search.core.units import format_number_of
from search.samplers.catalogue import SpaceCatalogue
from search.samplers.memory import MEMORY
from search.samplers.suspects import SUSPECTED
from spaces.architecture import ImageSpec
from spaces.cost import NAMES
from spaces.domains import Scalar
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.lookup import choice_of, fields_of
from workers.recipe import SEARCHED, Recipe

LACKS = "the space lacks"
STOPPED = "the study has changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What a changed file makes of a study."""

    changes: Sequence[str]  # a line each, such as `space.depth.int: [1, 4] -> [1, 3]`
    trials: Sequence[TrialRecord]  # all of them, as they are told from now on
    stopped: Sequence[int]  # that ran or rested, and are no members
    rejections: Sequence[Rejection]  # that still hold

    @property
    def members(self) -> int:
        """Return how many trials the study would still propose."""
        return sum(not trial.outside for trial in self.trials)

    @property
    def lines(self) -> list[str]:
        """Return what there is to say of it."""
        return [*(f"  {line}" for line in self.changes), f"  {self.told}"]

    @property
    def told(self) -> str:
        """Return who stays a member, and what becomes of the others."""
        count = f"{self.members} of {format_number_of('trial', len(self.trials))} stay members"
        out = [trial for trial in self.trials if trial.outside]
        if not out:
            return count
        kept = f"{count}; {len(out)} keep their numbers and measurements and stand on no front: {outside_kinds(out)}"
        stopped = f"; {len(self.stopped)} of these, running or at rest, are stopped" if self.stopped else ""
        return kept + stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one space, with its constraints and its recipe, to another."""

    before: StudyConfig
    now: StudyConfig
    image: ImageSpec
    at: datetime

    def growth(self, changes: Sequence[str], trials: Iterable[TrialRecord], rejections: Iterable[Rejection]) -> Growth:
        """Return what becomes of a study.

        Raises:
            InputError: a trial's recipe cannot be said beside what the file fixes now.
        """
        given = list(trials)
        told = [self.retold(trial) for trial in given]
        stopped = [new.number for old, new in zip(given, told, strict=True) if old.state is not new.state]
        return Growth(
            changes=changes, trials=told, stopped=stopped, rejections=[*filter(None, map(self._still, rejections))]
        )

    def retold(self, trial: TrialRecord) -> TrialRecord:
        """Return a trial as the changed study tells it; one that runs and is no member is stopped."""
        recipe = self.before.recipe_of(trial.params)
        try:
            params = self._chosen(trial, recipe)
        except InputError as error:
            return self._out(trial, recipe, self._lacking(trial, error))
        if self.now.recipe_of(params) != recipe:
            return self._out(trial, recipe, f"{LACKS} {_odd_of(recipe, self.now.recipe_of(params))}")
        told = replace(trial, params=params, outside="")
        if over := self._over(told, recipe):
            return self._stopped(replace(told, outside=over))
        return told

    def _chosen(self, trial: TrialRecord, recipe: Recipe) -> dict[str, Scalar]:
        """Return by which values the space as it is now chooses what was trained: its own, as far as it has them.

        One that is gone is another only where the network does not read it.

        Raises:
            InputError: by none.
        """
        space = self.now.search_space
        beside = {name: value for name in SEARCHED if (value := getattr(recipe, name)) is not None}
        known = {**dict(self.before.search_space.fixed), **trial.params}
        return choice_of(space, trial.architecture, beside, known)

    def _lacking(self, trial: TrialRecord, error: InputError) -> str:
        """Return which of a trial's values the space has lost, or else which fields of its network."""
        domains = {item.name: item.domain for item in self.now.search_space.parameters}
        lost = [f"{name} {value}" for name, value in trial.params.items()
                if name in domains and not domains[name].contains(value)]  # fmt: skip
        return (
            f"{LACKS} {', '.join(lost)}" if lost else error.message.replace("is not in the space, which lacks", LACKS)
        )

    def _over(self, trial: TrialRecord, recipe: Recipe) -> str:
        """Return which constraints a network oversteps, and by how much."""
        over = {name: by for name, by in violations(self.now, trial, self.image, recipe.batch_size).items() if by > 0}
        return f"{OVERSTEPS} {', '.join(f'{name} by {by:.0%}' for name, by in over.items())}" if over else ""

    def _out(self, trial: TrialRecord, recipe: Recipe, why: str) -> TrialRecord:
        """Return a trial whose values no longer choose it; they still tell how it was trained."""
        params = {**trial.params, **self._added(trial, recipe)}
        for name in SEARCHED:
            if getattr(self.now.recipe_of(params), name) != (own := getattr(recipe, name)):
                if own is None:
                    raise InputError(
                        f"trial {trial.number} was trained with what the data say, which cannot be told any more",
                        place=f"recipe.{name}",
                    )
                params[name] = own
        return self._stopped(replace(trial, params=params, outside=why))

    def _added(self, trial: TrialRecord, recipe: Recipe) -> dict[str, Scalar]:
        """Return what a trial has of parameters that are new, so that it stands beside the others in every figure."""
        known = {**fields_of(trial.architecture), **dict(self.before.search_space.fixed), **recipe.to_json()}
        found: dict[str, Scalar] = {}
        for item in self.now.search_space.parameters:
            told = {**trial.params, **found}
            if item.name not in told and item.exists(told) and item.domain.contains(known.get(item.name)):
                found[item.name] = known[item.name]
        return found

    def _stopped(self, trial: TrialRecord) -> TrialRecord:
        if trial.state is not State.RUNNING:
            return trial
        ended = max(self.at, trial.started_at or self.at)
        return replace(trial, state=State.STOPPED, reason=f"{STOPPED}: {trial.outside}", ended_at=ended)

    def _still(self, rejection: Rejection) -> Rejection | None:
        """Return a rejection as the changed study would make it; None where it would not, or not of these values."""
        if not rejection.violations.keys() - {MEMORY, SUSPECTED}:
            return rejection  # of one launch, or of a network that is known: nobody is reminded of it
        space = self.now.search_space
        if not space.contains(rejection.params):
            return None
        batch = self.now.recipe_of(rejection.params).batch_size
        try:
            described = SpaceCatalogue(space, self.image, self.now.violations, batch=batch).describe(rejection.params)
        except InfeasibleArchitecture as error:
            return replace(rejection, violations={"buildable": 1.0}, reason=str(error))
        over = {name: by for name, by in described.constraints.items() if by > 0}
        named = ", ".join(f"{name} by {by:.0%}" for name, by in over.items())
        return replace(rejection, violations=over, reason=f"{OVERSTEPS} {named}") if over else None


def _odd_of(recipe: Recipe, other: Recipe) -> str:
    given, wanted = recipe.to_json(), other.to_json()
    return ", ".join(f"{name} {value}" for name, value in given.items() if value != wanted[name])


def violations(config: StudyConfig, trial: TrialRecord, image: ImageSpec, batch: int) -> dict[str, float]:
    """Return by how much a trial's network oversteps each constraint; what was not counted when it began is now."""
    known = trial.cost.training_bytes > 0 and all(name in NAMES or name in trial.cost.more for name in config.bounds)
    return config.violations(trial.cost if known else cost_of(trial.architecture, image, batch=batch))


def plain_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a study's file what a change of its space replaces, to be kept."""
    return {name: config[name] for name in ("space", "constraints", "recipe") if name in config}
