"""NePS's methods for more than one objective and more than one fidelity, by its own ask and tell.

Everything is minimised, costs as logarithms: its Bayesian optimisation breaks on plain ones. A trial rests when it has
trained the epochs it was asked for, and goes on from there.
"""

import random
from collections.abc import Callable
from typing import Any

import neps
import numpy as np
import torch
from neps import algorithms

from spaces.domains import Choice, Domain, Float
from tests.benchmarks.peers.axes import axes
from tests.benchmarks.peers.loop import MakePeer, Setting, Verdict, Work

EPOCHS = "epochs"


def space(setting: Setting) -> neps.SearchSpace:
    """Return NePS's words for the domains, and for the epochs."""
    searched = {item.name: _parameter(item.domain) for item in setting.rows.parameters}
    return neps.SearchSpace(searched | {EPOCHS: neps.HPOInteger(1, setting.max_epochs, is_fidelity=True)})


def _parameter(domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return neps.HPOCategorical(list(domain.options))
    if isinstance(domain, Float):
        return neps.HPOFloat(domain.low, domain.high, log=domain.log)
    return neps.HPOInteger(domain.low, domain.high, log=domain.log)


class NepsPeer:
    """Ask an optimizer which configuration trains to how many epochs; tell it what that came to."""

    resumes = True

    def __init__(self, setting: Setting, optimizer: Any) -> None:
        self.setting = setting
        self.asking = neps.AskAndTell(optimizer)
        self.axes = axes(setting.recordings)
        self.numbers: dict[str, int] = {}  # by NePS's own number of a configuration
        self.asked: dict[int, tuple[str, int]] = {}  # for each trial, by what name and to how many epochs

    def ask(self, number: int) -> Work:
        trial = self.asking.ask()
        config = trial.metadata.id.partition("_")[0]  # what follows is a rung, where there is one
        number = self.numbers.setdefault(config, number)
        self.asked[number] = trial.metadata.id, int(trial.config[EPOCHS])
        return number, self.setting.rows.row({name: self._stepped(name, each) for name, each in trial.config.items()})

    def _stepped(self, name: str, value: Any) -> Any:
        """Return the nearest value where a number has steps, which NePS's have not."""
        domain = next((item.domain for item in self.setting.rows.parameters if item.name == name), None)
        if domain is None or isinstance(domain, Choice) or domain.count is None or domain.log:
            return value
        return min(domain.values(), key=lambda each: abs(each - value))

    def report(self, number: int, epoch: int, values: list[float]) -> Verdict:
        name, epochs = self.asked[number]
        if epoch < epochs:
            return Verdict.GO
        told = [axis.read(value) for axis, value in zip(self.axes, values, strict=True)]
        self.asking.tell(name, {"objective_to_minimize": told})
        return Verdict.REST

    def end(self, number: int, epoch: int, values: list[float]) -> None:
        """Do nothing: it was told already."""

    def fail(self, number: int) -> None:
        self.asking.tell(self.asked[number][0], RuntimeError("its training came to nothing"))


def _peer(make: Callable[[neps.SearchSpace], Any]) -> MakePeer:
    def peer(setting: Setting) -> NepsPeer:
        random.seed(setting.seed)
        np.random.seed(setting.seed)
        torch.manual_seed(setting.seed)
        return NepsPeer(setting, make(space(setting)))

    return peer


PEERS: dict[str, MakePeer] = {
    "neps-moasha": _peer(algorithms.moasha),
    "neps-mo-hyperband": _peer(algorithms.mo_hyperband),
    "neps-primo": _peer(lambda given: algorithms.primo(given, prior_centers={})),
    "neps-bo": _peer(lambda given: algorithms.bayesian_optimization(given, ignore_fidelity=True)),  # trained in full
}
