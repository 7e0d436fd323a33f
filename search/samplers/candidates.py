"""The networks that a sampler chooses among: many from all over the space, and those close to the front."""

import math
import random
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from search.samplers.catalogue import Catalogue, Coordinate, Params
from spaces.domains import Choice, Float, Parameter, Scalar, prior
from spaces.errors import InfeasibleArchitecture
from workers.recipe import identity

Array = NDArray[np.float64]

SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Network:
    """What a sampler sees of a network and, where that is searched, of how it is trained."""

    params: Params = field(compare=False)
    identity: str  # equal for equal networks that are trained in the same way
    costs: tuple[float, ...] = field(compare=False)  # of the known objectives, minimised
    row: Array = field(compare=False)  # `d`, as `columns` returns it
    prior: float = field(default=1.0, compare=False)  # how many times as much as others a person wants it
    allowed: bool = field(default=True, compare=False)  # it keeps every constraint


class Scale:
    """Bring rows to unit scale: a mean row is 0, and a row's length is 1 in the root mean square."""

    def __init__(self, networks: Sequence[Network]) -> None:
        """Find the scale of every column, from a sample of the space."""
        rows = _rows(networks)
        spread = rows.std(axis=0)
        spread[spread < SAME] = np.inf  # a column that never differs says nothing
        self._center, self._spread = rows.mean(axis=0), spread * math.sqrt(rows.shape[1])

    def __call__(self, networks: Sequence[Network]) -> Array:
        """Return features `n d`."""
        return np.asarray((_rows(networks) - self._center) / self._spread)


def _rows(networks: Sequence[Network]) -> Array:
    return np.array([network.row for network in networks])


def columns(parameters: Sequence[Parameter], params: Params, traits: Sequence[float]) -> Array:
    """Return a network's row `d`: logarithms of sizes and traits, one column for each choice."""
    chosen = [column for item in parameters for column in _columns(item, params.get(item.name))]
    return np.array([*chosen, *(math.log(trait) for trait in traits)])


def _columns(item: Parameter, value: Scalar | None) -> list[float]:
    """Return a parameter's columns; where it does not exist, those of its middle."""
    domain = item.domain
    if isinstance(domain, Choice) and not _sizes(domain.options):
        return [float(value == option and type(value) is type(option)) for option in domain.options]
    values = [float(end) for end in (domain.values() if isinstance(domain, Choice) else (domain.low, domain.high))]
    logs = min(values) > 0 and (not isinstance(domain, Float) or domain.log)
    if value is None:
        return [float(np.mean(np.log(values) if logs else values))]
    return [math.log(float(value)) if logs else float(value)]


def _sizes(options: Sequence[Scalar]) -> bool:
    return all(isinstance(option, (int, float)) and not isinstance(option, bool) for option in options)


FIRST = 500  # drawn at once
SIZE = 2_000
FRESH = 50  # drawn for each proposal
CLOSE = 200  # changes of the front's networks that are looked at beside them
REMEMBERED = 20_000  # networks that need not be described again
DRAWS = 5  # for each that is wanted: where constraints leave little, there are fewer


class Pool:
    """Draw networks, and look each up once."""

    def __init__(self, catalogue: Catalogue, costs: Sequence[Coordinate], rng: random.Random) -> None:
        self.catalogue = catalogue
        self.networks: list[Network] = []
        self._costs = costs
        self._rng = rng
        self._found: dict[tuple[tuple[str, Scalar], ...], Network | None] = {}

    def find(self, params: Params) -> Network | None:
        """Return what is known of a network; None where it cannot be built or breaks a constraint."""
        found = self.known(params)
        return found if found is not None and found.allowed else None

    def known(self, params: Params) -> Network | None:
        """Return what is known of a network, whether or not it breaks a constraint; None where it cannot be built."""
        key = tuple(params.items())
        if key not in self._found:
            if len(self._found) >= REMEMBERED:
                del self._found[next(iter(self._found))]  # the one described first
            self._found[key] = self._describe(params)
        return self._found[key]

    def _describe(self, params: Params) -> Network | None:
        try:
            described = self.catalogue.describe(params)
        except InfeasibleArchitecture:
            return None
        costs = tuple(cost(described) for cost in self._costs)
        row = columns(self.catalogue.parameters, params, self.catalogue.traits(described))
        wanted = prior(self.catalogue.parameters, params)
        return Network(params, identity(described.digest, params), costs, row, wanted, described.allowed)

    def draw(self) -> Params:
        """Return any network, whether or not it can be built."""
        return self.catalogue.draw(self._rng)

    def refresh(self) -> None:
        """Let a part of the pool be other networks than before; a small space is in it whole."""
        if self.catalogue.size is not None and self.catalogue.size <= SIZE:
            self.networks = self.networks or self._distinct(self.catalogue.members())
            return
        wanted = FRESH if self.networks else FIRST
        drawn: list[Network] = []
        for _ in range(DRAWS * wanted):
            if len(drawn) == wanted:
                break
            network = self.find(self.draw())
            drawn += [network] if network else []
        self.networks = [*self.networks, *drawn][-SIZE:]

    def _distinct(self, members: Iterable[Params]) -> list[Network]:
        found = filter(None, map(self.find, members))
        return list({network.identity: network for network in found}.values())

    def close(self, front: Sequence[Network], known: Container[str]) -> list[Network]:
        """Return networks that differ little from those of the front."""
        found: dict[str, Network] = {}
        for _ in range(CLOSE):
            near = self.find(self.catalogue.near(self._rng.choice(front).params, self._rng))
            if near is not None and near.identity not in known:
                found[near.identity] = near
        return list(found.values())
