"""What a sampler may propose, and what is known of it before training."""

import math
import random
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from search.core.costs import cost_of
from spaces.architecture import Architecture, ImageSpec
from spaces.cost import Cost
from spaces.counting import BATCH
from spaces.domains import Choice, Float, Int, Parameter, Scalar, Suggests
from spaces.space import RandomTrial, SearchSpace, weights_of
from workers.objectives import Objective
from workers.recipe import SEARCHED

Params = Mapping[str, Scalar]

NEAR_FEW = 0.9  # of the draws, where allowed networks are few
Violations = Callable[[Cost], Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is known of a network before it is trained."""

    architecture: Architecture
    digest: str  # equal for equal networks
    cost: Cost
    constraints: Mapping[str, float]  # by how much each is overstepped, as a share of its limit; 0 or less keeps it

    @property
    def allowed(self) -> bool:
        """Whether every constraint is kept."""
        return all(over <= 0 for over in self.constraints.values())


class Catalogue(Protocol):
    """Offer networks: to the proposer, and to a sampler that chooses among them by what is known."""

    @property
    def parameters(self) -> Sequence[Parameter]:
        """Return what a network is chosen by."""
        ...

    @property
    def size(self) -> int | None:
        """Return how many choices there are, or None where a float makes them endless."""
        ...

    @property
    def product(self) -> int:
        """Return a bound on how many `members` yields."""
        ...

    def members(self) -> Iterator[dict[str, Scalar]]:
        """Yield every network, with the two ends standing for a float without a step."""
        ...

    def suggest(self, trial: Suggests) -> dict[str, Scalar]:
        """Let a trial choose a network; where not every choice is one, return the nearest that is."""
        ...

    def draw(self, rng: random.Random) -> dict[str, Scalar]:
        """Return any network, each as likely but for the weights of choices."""
        ...

    def near(self, params: Params, rng: random.Random) -> Params:
        """Return a network that differs a little."""
        ...

    def describe(self, params: Params) -> Described:
        """Return what is known of a network.

        Raises:
            InfeasibleArchitecture: it cannot be built.
        """
        ...

    def traits(self, described: Described) -> tuple[float, ...]:
        """Return numbers above 0 that may tell how good a network is: all that it costs, wanted or not."""
        ...


class SpaceCatalogue:
    """Offer the networks of a space, for images of one kind."""

    def __init__(
        self,
        space: SearchSpace,
        image: ImageSpec,
        violations: Violations,
        *,
        batch: int = BATCH,
        few: Sequence[Params] = (),
    ) -> None:
        """Take what networks are made of.

        Args:
            space: of choices.
            image: that networks read.
            violations: by how much a cost oversteps each constraint.
            batch: images that memory is estimated for, where a trial does not choose its own.
            few: networks that are known to be allowed, where hardly any are: most draws are near one of them.
        """
        self.space = space
        self.few = list(few)
        self.image = image
        self.violations = violations
        self.batch = batch

    @property
    def parameters(self) -> Sequence[Parameter]:
        """Return what a network is chosen by."""
        return self.space.parameters

    @property
    def size(self) -> int | None:
        """Return how many choices there are, or None where a float makes them endless."""
        return self.space.size

    @property
    def product(self) -> int:
        """Return a bound on how many `members` yields."""
        return self.space.product

    def members(self) -> Iterator[dict[str, Scalar]]:
        """Yield every network."""
        return self.space.members()

    def suggest(self, trial: Suggests) -> dict[str, Scalar]:
        """Let a trial choose a network."""
        return self.space.suggest(trial)

    def draw(self, rng: random.Random) -> dict[str, Scalar]:
        """Return any choice of values, by their weights; mostly one near those allowed, where these are few."""
        if self.few and rng.random() < NEAR_FEW:
            return dict(self.near(rng.choice(self.few), rng))
        return self.space.suggest(RandomTrial(rng, weights_of(self.parameters)))

    def near(self, params: Params, rng: random.Random) -> Params:
        """Return a network with one or two parameters changed, and others chosen where these come into existence."""
        existing = [item for item in self.parameters if item.name in params]
        changed = {item.name for item in rng.sample(existing, min(len(existing), rng.choice([1, 1, 2])))}
        found: dict[str, Scalar] = {}
        for item in self.parameters:
            if item.exists(found):
                found[item.name] = self._value(item, params, changed, rng)
        return found

    @staticmethod
    def _value(item: Parameter, params: Params, changed: Container[str], rng: random.Random) -> Scalar:
        if item.name not in params or not item.domain.contains(params[item.name]):
            return item.domain.suggest(item.name, RandomTrial(rng))
        value = params[item.name]
        return neighbour(item, value, rng) if item.name in changed else value

    def describe(self, params: Params) -> Described:
        """Return what is known of a network.

        Raises:
            InfeasibleArchitecture: it cannot be built.
        """
        architecture = self.space.architecture(params)
        counted = cost_of(architecture, self.image, batch=int(params.get("batch_size", self.batch)))
        constraints = dict(self.violations(counted))
        return Described(architecture=architecture, digest=architecture.digest, cost=counted, constraints=constraints)

    def traits(self, described: Described) -> tuple[float, ...]:
        """Return what it counts."""
        counted = described.cost
        return counted.params, counted.macs, counted.activations


Coordinate = Callable[[Described], float]  # a known objective, minimised, on an axis where equal steps matter alike


def coordinate(objective: Objective) -> Coordinate | None:
    """Return how an objective is known of any network, on a log axis and minimised; None where it is not."""
    if not objective.counts:
        return None
    return partial(_read, objective)


def _read(objective: Objective, described: Described) -> float:
    return objective.coordinate(objective.value(described.cost, None))


def neighbour(item: Parameter, value: Scalar, rng: random.Random) -> Scalar:
    """Return another value: mostly the next one where values have an order."""
    domain = item.domain
    if item.name in SEARCHED and not isinstance(domain, Choice) and domain.log:  # rates differ by factors
        return _by_a_factor(domain, float(value), rng)
    if isinstance(domain, Float) and domain.step is None:
        spread = (domain.high - domain.low) / 5
        return min(max(rng.gauss(float(value), spread), domain.low), domain.high)
    values = domain.values()
    ordered = all(isinstance(other, (int, float)) for other in values)
    place = values.index(value) if value in values else 0
    if ordered and rng.random() < 0.7:
        return values[min(max(place + rng.choice([-1, 1]), 0), len(values) - 1)]
    return rng.choice(values)


def _by_a_factor(domain: Int | Float, value: float, rng: random.Random) -> Scalar:
    low, high = math.log(domain.low), math.log(domain.high)
    found = math.exp(min(max(rng.gauss(math.log(value), (high - low) / 5), low), high))
    near = round(found) if isinstance(domain, Int) else found
    return min(max(near, domain.low), domain.high)  # a rounding step beyond an end is no value of it
