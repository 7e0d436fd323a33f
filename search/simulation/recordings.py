"""Trainings that were recorded, and their networks as a catalogue.

Axes: `n` networks, `s` seeds, `e` recorded epochs, `q` objectives that training reveals, `k` that are known before.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from search.samplers.candidates import columns
from search.samplers.catalogue import Coordinate, Described, Params, neighbour
from spaces.architecture import Architecture
from spaces.cost import Cost
from spaces.domains import Parameter, Scalar, Suggests, prior
from spaces.errors import InfeasibleArchitecture
from spaces.space import suggest
from workers.measurement import Measurement
from workers.objectives import TINY, Objective

Array = NDArray[np.float64]

CLOSEST = 10  # networks of a table that is no grid among which one close to another is drawn


def recorded_objective(name: str, direction: str, *, known: bool, quality: bool) -> Objective:
    """Return an objective that stands in a table."""
    return Objective(name=name, title=name, unit="", direction=direction, static=known, quality=quality)


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """What a table tells: networks, what was known of them, and what every epoch of every training showed."""

    name: str
    parameters: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    networks: tuple[dict[str, Scalar], ...]  # n
    digests: tuple[str, ...]  # n; equal for equal networks
    known: Mapping[str, Array]  # n each: every objective that is known before training, and what else tells of it
    epochs: tuple[int, ...]  # e, rising; the last is full fidelity
    learned: Mapping[str, Array]  # n s e each; NaN where training failed
    seconds: Array  # n s e, since the training began; NaN where nothing is recorded
    classes: int | None = None  # of images, where chance level is known
    left_out: int = 0  # rows that are not of the space

    @cached_property
    def seeds(self) -> NDArray[np.int64]:
        """Return how often each network was trained `n`."""
        return np.asarray((~np.isnan(self.seconds[:, :, 0])).sum(axis=1))

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """Return how many epochs of each training are recorded `n s`."""
        return np.asarray((~np.isnan(self.seconds)).sum(axis=2))

    def final(self, name: str) -> Array:
        """Return an objective's value at full fidelity `n`: of learned ones, the mean over seeds; NaN without any."""
        if name in self.known:
            return self.known[name]
        last = np.where(np.isnan(self.seconds[:, :, -1]), np.nan, self.learned[name][:, :, -1])
        found = ~np.isnan(last)
        total = np.where(found, last, 0.0).sum(axis=1)
        return np.asarray(np.where(found.any(axis=1), total / np.maximum(found.sum(axis=1), 1), np.nan))

    def measurement(self, network: int, seed: int, step: int) -> Measurement:
        """Return what a training showed at its recorded epoch of this place, the first being 0."""
        values = {name: float(array[network, seed, step]) for name, array in self.learned.items()}
        before = self.seconds[network, seed, step - 1] if step else 0.0
        took_s = float(self.seconds[network, seed, step] - before)
        return Measurement(epoch=self.epochs[step], metrics=values, train_s=took_s, eval_s=0.0)


def _read(name: str, sign: float, log: bool, described: Described) -> float:
    value = described.cost.value(name)
    return sign * (float(np.log(max(value, TINY))) if log else value)


class RecordedCatalogue:
    """Offer the networks of a table. Where it is no grid, the nearest stands for any other."""

    def __init__(self, recordings: Recordings) -> None:
        self.recordings = recordings
        self._index = {_key(params): index for index, params in reversed(list(enumerate(recordings.networks)))}

    @property
    def parameters(self) -> Sequence[Parameter]:
        """Return what a network is chosen by."""
        return self.recordings.parameters

    @property
    def size(self) -> int:
        """Return how many networks there are."""
        return len(self.recordings.networks)

    product = size

    def members(self) -> Iterator[dict[str, Scalar]]:
        """Yield every network, in the table's order."""
        yield from self.recordings.networks

    def index(self, params: Params) -> int:
        """Return the place of a network in the table.

        Raises:
            InfeasibleArchitecture: it is not there.
        """
        if (key := _key(params)) not in self._index:
            raise InfeasibleArchitecture(f"no row has {dict(params)}")
        return self._index[key]

    def suggest(self, trial: Suggests) -> dict[str, Scalar]:
        """Let a trial choose a network; where not every choice is one, return the nearest that is."""
        chosen = suggest(self.parameters, trial)
        return chosen if _key(chosen) in self._index else self.recordings.networks[self._nearest(chosen, 1)[0]]

    def draw(self, rng: random.Random) -> dict[str, Scalar]:
        """Return any network, each as likely but for the weights of choices."""
        if self._priors is None:
            return rng.choice(self.recordings.networks)
        return rng.choices(self.recordings.networks, self._priors)[0]

    @cached_property
    def _priors(self) -> list[float] | None:
        """Return how much each network is wanted; None where all are wanted alike."""
        weighted = any(item.weights for item in self.parameters)
        return [prior(self.parameters, params) for params in self.recordings.networks] if weighted else None

    def near(self, params: Params, rng: random.Random) -> Params:
        """Return a network that differs a little: in one parameter or two, where there is one."""
        existing = [item for item in self.parameters if item.name in params]
        changed = dict(params)
        for item in rng.sample(existing, min(len(existing), rng.choice([1, 1, 2]))):
            changed[item.name] = neighbour(item, params[item.name], rng)
        if _key(changed) in self._index:
            return changed
        return self.recordings.networks[rng.choice(self._nearest(changed, CLOSEST))]

    def _nearest(self, params: Params, count: int) -> list[int]:
        rows, center, spread = self._rows
        away = ((rows - (columns(self.parameters, params, ()) - center) / spread) ** 2).sum(axis=1)
        return [int(index) for index in np.argsort(away, kind="stable")[:count]]

    @cached_property
    def _rows(self) -> tuple[Array, Array, Array]:
        rows = np.array([columns(self.parameters, params, ()) for params in self.recordings.networks])
        center, spread = rows.mean(axis=0), rows.std(axis=0)
        spread[spread == 0] = 1.0
        return (rows - center) / spread, center, spread

    def describe(self, params: Params) -> Described:
        """Return what is known of a network.

        Raises:
            InfeasibleArchitecture: it is not in the table.
        """
        index = self.index(params)
        values = {name: float(array[index]) for name, array in self.recordings.known.items()}
        cost = Cost(params=0, macs=0, activations=0, weight_bytes=0, more=values)
        digest = self.recordings.digests[index]
        return Described(architecture=_NO_ARCHITECTURE, digest=digest, cost=cost, constraints={})

    def traits(self, described: Described) -> tuple[float, ...]:
        """Return all that is known, kept above 0."""
        return tuple(max(value, TINY) for value in described.cost.more.values())

    def coordinates(self) -> list[Coordinate | None]:
        """Return how each objective is known before training; None where it is not."""
        return [self._coordinate(objective) for objective in self.recordings.objectives]

    def _coordinate(self, objective: Objective) -> Coordinate | None:
        if not objective.static:
            return None
        positive = bool((self.recordings.known[objective.name] > 0).all())
        return partial(_read, objective.name, objective.minimised(1.0), positive)


_NO_ARCHITECTURE = Architecture()  # a table tells of choices, not of what was built


def _key(params: Params) -> frozenset[tuple[str, Scalar]]:
    return frozenset(params.items())
