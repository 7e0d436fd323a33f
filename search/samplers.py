"""Name the samplers that can propose: Optuna's, set up for a front over a conditional space."""

import warnings
from collections.abc import Callable, Sequence
from itertools import count

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study

from search.catalogue import Catalogue, Coordinate
from search.front_sampler import FrontSampler
from spaces.domains import Choice, Domain, Float, Parameter
from spaces.errors import InputError, unknown


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


def _front(seed: int, catalogue: Catalogue, known: Sequence[Coordinate | None]) -> BaseSampler:
    """Model what training reveals alone: what a network costs is known before."""
    return FrontSampler(catalogue, distributions(catalogue.parameters), known, seed)


def _random(seed: int, *_study: object) -> BaseSampler:
    return RandomSampler(seed=seed)


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


SAMPLERS: dict[str, Callable[[int, Catalogue, Sequence[Coordinate | None]], BaseSampler]] = {
    "auto": _front,
    "front": _front,
    "random": _random,
    "tpe": _tpe,
    "nsga2": _nsga2,
    "gp": _gp,
}


def check_sampler(name: str) -> None:
    """Raise InputError where there is no sampler of that name."""
    if name not in SAMPLERS:
        raise InputError(unknown("sampler", name, SAMPLERS), place="sampler.name")


def make_sampler(name: str, seed: int, catalogue: Catalogue, known: Sequence[Coordinate | None]) -> BaseSampler:
    """Return the sampler of that name.

    Args:
        name: in SAMPLERS.
        seed: two samplers of one seed propose the same.
        catalogue: what there is to propose.
        known: for each objective how it is known before training, minimised; None where training has to show it.

    Raises:
        InputError: there is none of that name.
    """
    check_sampler(name)
    return SAMPLERS[name](seed, catalogue, known)


def take_up(sampler: BaseSampler, study: Study) -> None:
    """Let a genetic sampler find the parents of each generation that a study holds, from the first to the last.

    Asked for the last alone, it goes back through all of them, each within the next: a few hundred are too deep.
    """
    if isinstance(sampler, NSGAIISampler):
        for generation in count(1):
            if not sampler.get_population(study, generation - 1):
                return
            sampler.get_parent_population(study, generation)
