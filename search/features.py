"""Turn networks into rows of numbers that a model can learn from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from search.catalogue import Params
from spaces.domains import Choice, Float, Parameter, Scalar

SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Network:
    """Hold what a sampler sees of a network. Equal networks are those of one digest."""

    params: Params = field(compare=False)
    digest: str
    costs: tuple[float, ...] = field(compare=False)  # of the known objectives, minimised
    traits: tuple[float, ...] = field(compare=False)  # numbers above 0


class Features:
    """Turn networks into rows of numbers of unit scale: logarithms of sizes and costs, one column for each choice."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = parameters
        self._center: NDArray[np.float64] | None = None
        self._scale: NDArray[np.float64] | None = None
        self._rows: dict[str, list[float]] = {}  # by digest, before scaling

    @property
    def scaled(self) -> bool:
        """Say whether the scale is known."""
        return self._scale is not None

    def scale(self, networks: Sequence[Network]) -> None:
        """Find the scale of every column, from a sample of the space."""
        rows = self._raw(networks)
        self._center, scale = rows.mean(axis=0), rows.std(axis=0)
        scale[scale < SAME] = np.inf  # a column that never differs says nothing
        self._scale = scale * math.sqrt(rows.shape[1])

    def __call__(self, networks: Sequence[Network]) -> NDArray[np.float64]:
        """Return features `n d`."""
        assert self._center is not None
        assert self._scale is not None
        return np.asarray((self._raw(networks) - self._center) / self._scale)

    def _raw(self, networks: Sequence[Network]) -> NDArray[np.float64]:
        return np.array([self._row(network) for network in networks])

    def _row(self, network: Network) -> list[float]:
        row = self._rows.get(network.digest)
        if row is None:
            columns = [column for item in self.parameters for column in _columns(item, network.params.get(item.name))]
            row = self._rows[network.digest] = [*columns, *(math.log(trait) for trait in network.traits)]
        return row


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
