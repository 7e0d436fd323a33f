"""Turn networks into rows of numbers that a model can learn from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from search.samplers.catalogue import Params
from spaces.domains import Choice, Float, Parameter, Scalar

Array = NDArray[np.float64]

SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Network:
    """What a sampler sees of a network. Equal networks are those of one digest."""

    params: Params = field(compare=False)
    digest: str
    costs: tuple[float, ...] = field(compare=False)  # of the known objectives, minimised
    row: Array = field(compare=False)  # `d`, as `columns` returns it
    prior: float = field(default=1.0, compare=False)  # how many times as much as others a person wants it


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
