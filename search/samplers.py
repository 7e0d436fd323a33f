"""Name the samplers that can propose: Optuna's, set up for a front over a conditional space."""

import warnings
from collections.abc import Callable
from itertools import count

from optuna.exceptions import ExperimentalWarning
from optuna.logging import WARNING, set_verbosity
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study

from spaces.errors import InputError, unknown


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def _tpe(seed: int) -> BaseSampler:
    """Model parameters together and conditional ones in groups of their own; by default Optuna does neither here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `group` has been experimental since Optuna 2.8
        return TPESampler(multivariate=True, group=True, n_startup_trials=10, seed=seed)


def _nsga2(seed: int) -> BaseSampler:
    """Take a population of 20: with Optuna's default of 50 the first 50 trials are random."""
    return NSGAIISampler(population_size=20, seed=seed)


def _gp(seed: int) -> BaseSampler:
    return GPSampler(seed=seed, n_startup_trials=10)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "auto": _tpe,
    "random": _random,
    "tpe": _tpe,
    "nsga2": _nsga2,
    "gp": _gp,
}


def make_sampler(name: str, seed: int) -> BaseSampler:
    """Return the sampler of that name.

    Raises:
        InputError: there is none.
    """
    set_verbosity(WARNING)  # Optuna tells of every study it makes
    if name not in SAMPLERS:
        raise InputError(unknown("sampler", name, SAMPLERS), place="sampler.name")
    return SAMPLERS[name](seed)


def take_up(sampler: BaseSampler, study: Study) -> None:
    """Let a genetic sampler find the parents of each generation that a study holds, from the first to the last.

    Asked for the last alone, it goes back through all of them, each within the next: a few hundred are too deep.
    """
    if isinstance(sampler, NSGAIISampler):
        for generation in count(1):
            if not sampler.get_population(study, generation - 1):
                return
            sampler.get_parent_population(study, generation)
