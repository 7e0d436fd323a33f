"""Which networks a study begins with: named ones, chosen values, and the fronts of other studies."""

from collections.abc import Mapping
from dataclasses import dataclass

from search.config.study import StudyConfig
from search.core.costs import cost_of
from search.core.fronts import front_trials
from search.core.records import TrialRecord
from search.core.units import format_number_of
from search.storage.finding import find
from search.storage.store import Store
from spaces.architecture import ImageSpec
from spaces.domains import Scalar
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.lookup import choice_of

Params = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The networks that are proposed before a sampler is asked, and how many of a front cannot be."""

    params: tuple[Params, ...] = ()
    left_out: int = 0  # networks of other studies that this one cannot propose

    def __str__(self) -> str:
        """Return what there is to say of it at a study's beginning, or nothing."""
        told = f"starts with {format_number_of('network', len(self.params))}" if self.params else ""
        missed = f"{self.left_out} of other studies' fronts cannot be proposed here" if self.left_out else ""
        return ", ".join(filter(None, [told, missed]))


def check_start(config: StudyConfig, image: ImageSpec) -> None:
    """Refuse a named network that breaks a constraint.

    Raises:
        InputError: naming it and the constraint, or why it cannot read these images.
    """
    for place, params in config.starting:
        try:
            over = oversteps(config, params, image)
        except InfeasibleArchitecture as error:
            raise error.at(place) from error
        if over:
            name, excess = over
            raise InputError(f"oversteps the constraint on {name} by {excess:.0%}", place=place)


def beginning(config: StudyConfig, image: ImageSpec, store: Store) -> Beginning:
    """Return what a study begins with.

    Raises:
        InputError: it names another study that is not there.
    """
    params = [params for _, params in config.starting]
    left_out = 0
    for place, name in config.starting_studies:
        for trial in _front(store, name, place):
            found = _within(config, trial, image)
            left_out += found is None
            params += [found] if found is not None else []
    return Beginning(tuple(params), left_out)


def _front(store: Store, name: str, place: str) -> list[TrialRecord]:
    """Return the trials on another study's front, the cheapest last."""
    try:
        record = find(store, name)
    except InputError as error:
        raise InputError(error.message, place=place) from error
    return front_trials(record, store.trials(name))


def _within(config: StudyConfig, trial: TrialRecord, image: ImageSpec) -> Params | None:
    """Return the values by which this study may propose a trial's network, or None where it may not.

    Where the recipe is searched, its own is taken as far as it may be proposed.
    """
    try:
        params = choice_of(config.search_space, trial.architecture, trial.params)
        return None if oversteps(config, params, image) else params
    except InputError:  # it is not in the space, or too deep for these images
        return None


def oversteps(config: StudyConfig, params: Params, image: ImageSpec) -> tuple[str, float] | None:
    """Return the constraint that a network oversteps most, and by how much."""
    architecture = config.search_space.architecture(params)
    counted = cost_of(architecture, image, batch=config.recipe_of(params).batch_size)
    name, excess = max(config.violations(counted).items(), key=lambda item: item[1], default=("", 0.0))
    return (name, excess) if excess > 0 else None
