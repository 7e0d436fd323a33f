"""Optuna as one uses it: ask, train in full, tell; two objectives. A repeat costs a trial like any other."""

import warnings
from collections.abc import Callable

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from spaces.space import suggest
from tests.benchmarks.peers.loop import MakePeer, Setting, Verdict, Work


class OptunaPeer:
    """Ask a study with any sampler."""

    resumes = False

    def __init__(self, setting: Setting, sampler: BaseSampler) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.rows = setting.rows
        directions = [objective.direction for objective in setting.recordings.objectives]
        self.study = optuna.create_study(directions=directions, sampler=sampler)
        self.trials: dict[int, optuna.Trial] = {}

    def ask(self, number: int) -> Work:
        trial = self.trials[number] = self.study.ask()
        return number, self.rows.row(suggest(self.rows.parameters, trial))

    def report(self, _number: int, _epoch: int, _values: list[float]) -> Verdict:
        return Verdict.GO  # Optuna prunes no study of two objectives

    def end(self, number: int, _epoch: int, values: list[float]) -> None:
        self.study.tell(self.trials[number], values)

    def fail(self, number: int) -> None:
        self.study.tell(self.trials[number], state=TrialState.FAIL)


def _peer(make: Callable[[int], BaseSampler]) -> MakePeer:
    def peer(setting: Setting) -> OptunaPeer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return OptunaPeer(setting, make(setting.seed))

    return peer


PEERS: dict[str, MakePeer] = {
    "optuna-random": _peer(lambda seed: RandomSampler(seed=seed)),
    "optuna-tpe": _peer(lambda seed: TPESampler(seed=seed)),
    "optuna-tpe-multivariate": _peer(lambda seed: TPESampler(multivariate=True, seed=seed)),
    "optuna-nsga2-20": _peer(lambda seed: NSGAIISampler(population_size=20, seed=seed)),
    "optuna-nsga2-50": _peer(lambda seed: NSGAIISampler(population_size=50, seed=seed)),
    "optuna-gp": _peer(lambda seed: GPSampler(seed=seed)),
}
