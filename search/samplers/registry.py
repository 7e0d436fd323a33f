"""Name the samplers that can propose: Optuna's, set up for a front over a conditional space."""

import random
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.samplers.catalogue import Catalogue, Coordinate
from search.samplers.front_sampler import FrontSampler
from spaces.domains import Choice, Domain, Float, Int, Parameter, Scalar
from spaces.errors import InputError, unknown
from spaces.space import RandomTrial, weights_of


def distribution(domain: Domain) -> BaseDistribution:
    """Return Optuna's word for a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
    return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def distributions(parameters: Sequence[Parameter]) -> dict[str, BaseDistribution]:
    """Return Optuna's words for the domains of parameters, by their names."""
    return {item.name: distribution(item.domain) for item in parameters}


def recorded_distributions(
    parameters: Sequence[Parameter], chosen: Iterable[Mapping[str, Scalar]]
) -> dict[str, BaseDistribution]:
    """Return one distribution for each name that holds what may be chosen now and what trials have chosen.

    Optuna wants all trials of a study to have the same, and a space may have shrunk since some of them began. The
    sampler itself never sees these.

    Args:
        parameters: of the space as it is now.
        chosen: the values of every trial, in order.

    Raises:
        InputError: a parameter is of numbers now, and trials have words.
    """
    taken: dict[str, list[Scalar]] = {}
    for params in chosen:
        for name, value in params.items():
            taken.setdefault(name, []).append(value)
    domains = {item.name: item.domain for item in parameters}
    found = {name: _holding(name, domain, taken.get(name, ())) for name, domain in domains.items()}
    return found | {name: distribution(_spanning(values)) for name, values in taken.items() if name not in domains}


def _holding(name: str, domain: Domain, values: Sequence[Scalar]) -> BaseDistribution:
    """Return a domain's distribution, made wider where values lie outside."""
    others = [value for value in values if not domain.contains(value)]
    if not others:
        return distribution(domain)
    if isinstance(domain, Choice):
        return distribution(Choice(options=_distinct([*domain.options, *others])))
    if (word := next((value for value in others if isinstance(value, (str, bool))), None)) is not None:
        raise InputError(f"trials have chosen {word}, which is no number: let it stay a choice", place=f"space.{name}")
    ends = (domain.low, domain.high, *map(float, others))
    low, high = min(ends), max(ends)
    if isinstance(domain, Int) and all(isinstance(value, int) for value in others):
        return IntDistribution(int(low), int(high), log=domain.log and low > 0)
    return FloatDistribution(low, high, log=domain.log and low > 0)


def _spanning(values: Sequence[Scalar]) -> Domain:
    """Return a domain of values whose own is gone."""
    kinds = {type(value) for value in values}
    numbers = [value for value in values if not isinstance(value, (str, bool))]
    if kinds == {int}:
        return Int(low=int(min(numbers)), high=int(max(numbers)))
    if kinds <= {int, float}:
        return Float(low=float(min(numbers)), high=float(max(numbers)))
    return Choice(options=_distinct(values))


def _distinct(values: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """Return values without what comes again, the first of each; True is not 1."""
    found: dict[tuple[bool, Scalar], Scalar] = {}
    for value in values:
        found.setdefault((isinstance(value, bool), value), value)
    return tuple(found.values())


def _front(seed: int, catalogue: Catalogue, known: Sequence[Coordinate | None]) -> BaseSampler:
    """Model what training reveals alone: what a network costs is known before."""
    return FrontSampler(catalogue, distributions(catalogue.parameters), known, seed)


class _Weighted(RandomSampler):
    """Choose at random, options by their weights."""

    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        super().__init__(seed=seed)
        self._trial = RandomTrial(random.Random(seed), weights_of(catalogue.parameters))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a parameter's value."""
        if param_name in self._trial.weights and isinstance(param_distribution, CategoricalDistribution):
            return self._trial.suggest_categorical(param_name, cast(Sequence[Scalar], param_distribution.choices))
        return super().sample_independent(study, trial, param_name, param_distribution)


def _random(seed: int, catalogue: Catalogue, *_study: object) -> BaseSampler:
    return _Weighted(seed, catalogue)


def _tpe(seed: int, *_study: object) -> BaseSampler:
    """Model parameters together and conditional ones in groups of their own; by default Optuna does neither here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `group` has been experimental since Optuna 2.8
        return TPESampler(multivariate=True, group=True, n_startup_trials=10, seed=seed)


def _nsga2(seed: int, *_study: object) -> BaseSampler:
    """Take a population of 20: with Optuna's default of 50 the first 50 trials are random."""
    return NSGAIISampler(population_size=20, seed=seed)


def _gp(seed: int, *_study: object) -> BaseSampler:
    return GPSampler(seed=seed, n_startup_trials=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerEntry:
    """What is known of a sampler by its name."""

    make: Callable[[int, Catalogue, Sequence[Coordinate | None]], BaseSampler]
    summary: str  # one line, for the README
    weighs: bool = False  # it heeds the weights of choices
    learns: bool = True  # what it names next hangs on what trials have shown


SAMPLERS: dict[str, SamplerEntry] = {
    "front": SamplerEntry(
        make=_front, summary="models accuracy over the known costs, for the front's hypervolume", weighs=True
    ),
    "random": SamplerEntry(
        make=_random, summary="draws at random, by weights where choices have some", weighs=True, learns=False
    ),
    "tpe": SamplerEntry(make=_tpe, summary="Optuna's multivariate TPE"),
    "nsga2": SamplerEntry(make=_nsga2, summary="Optuna's NSGA-II"),
    "gp": SamplerEntry(make=_gp, summary="Optuna's Gaussian process"),
}
ALIASES = {"auto": "front"}  # the default, which may come to mean another


def names() -> list[str]:
    """Return the names that a file may give."""
    return [*ALIASES, *SAMPLERS]


def check_sampler(name: str, parameters: Sequence[Parameter] = ()) -> None:
    """Raise InputError where there is no sampler of that name, or it does not heed what parameters ask for."""
    if name not in names():
        raise InputError(unknown("sampler", name, names()), place="sampler.name")
    weighted = next((item.name for item in parameters if item.weights), None)
    if weighted and not _entry(name).weighs:
        others = " and ".join(each for each, entry in SAMPLERS.items() if entry.weighs)
        raise InputError(f"{name} does not heed weights, and {weighted} has some; {others} do", place="sampler.name")


def _entry(name: str) -> SamplerEntry:
    return SAMPLERS[ALIASES.get(name, name)]


def learns(name: str) -> bool:
    """Return whether what a sampler of a name in `names()` proposes hangs on what trials have shown."""
    return _entry(name).learns


def make_sampler(name: str, seed: int, catalogue: Catalogue, known: Sequence[Coordinate | None]) -> BaseSampler:
    """Return the sampler of that name.

    Args:
        name: in `names()`.
        seed: two samplers of one seed propose the same.
        catalogue: what there is to propose.
        known: for each objective how it is known before training, minimised; None where training has to show it.

    Raises:
        InputError: there is none of that name.
    """
    check_sampler(name)
    return _entry(name).make(seed, catalogue, known)


def take_up(sampler: BaseSampler, study: Study) -> None:
    """Let a genetic sampler find the parents of each generation that a study holds, from the first to the last.

    Asked for the last alone, it goes back through all of them, each within the next: a few hundred are too deep.
    """
    if isinstance(sampler, NSGAIISampler):
        for generation in count(1):
            if not sampler.get_population(study, generation - 1):
                return
            sampler.get_parent_population(study, generation)
