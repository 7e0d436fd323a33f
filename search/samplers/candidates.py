"""The networks that a sampler chooses among: many from all over the space, and those close to the front."""

import random
from collections.abc import Container, Iterable, Sequence

from search.samplers.catalogue import Catalogue, Coordinate, Params
from search.samplers.features import Network, columns
from spaces.domains import Scalar, prior
from spaces.errors import InfeasibleArchitecture

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
        if not described.allowed:
            return None
        costs = tuple(cost(described) for cost in self._costs)
        row = columns(self.catalogue.parameters, params, self.catalogue.traits(described))
        return Network(params, described.digest, costs, row, prior(self.catalogue.parameters, params))

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
        return list({network.digest: network for network in found}.values())

    def close(self, front: Sequence[Network], known: Container[str]) -> list[Network]:
        """Return networks that differ little from those of the front."""
        found: dict[str, Network] = {}
        for _ in range(CLOSE):
            near = self.find(self.catalogue.near(self._rng.choice(front).params, self._rng))
            if near is not None and near.digest not in known:
                found[near.digest] = near
        return list(found.values())
