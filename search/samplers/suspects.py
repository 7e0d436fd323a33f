"""Learn from networks that crashed or hung their workers which property does it: the next come from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from search.core.records import Rejection
from spaces.cost import Cost
from spaces.domains import Scalar

LEAST = 3  # networks with a property that crashed, and none that lived, before others with it are left for last
SUSPECTED = "suspected"  # what a rejection for such a property oversteps

Params = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A parameter's value, or its values up to or from one: `low` and `high` are part of it."""

    name: str
    low: Scalar
    high: Scalar

    def fits(self, params: Params) -> bool:
        """Return whether a network has it; one without the parameter has not."""
        value = params.get(self.name)
        return value is not None and (self.low == value or self.low <= value <= self.high)  # type: ignore[operator]

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.name} {self.low}"
        return f"{self.name} from {self.low:g}" if self.high == float("inf") else f"{self.name} up to {self.high:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One or two properties together, and how many networks with them crashed."""

    properties: tuple[Property, ...]
    crashed: int

    def fits(self, params: Params) -> bool:
        """Return whether a network has all of them."""
        return all(each.fits(params) for each in self.properties)

    def against(self, params: Params, cost: Cost) -> Rejection | None:  # noqa: ARG002  # a doubt may look at either
        """Return why a network is left for last, or nothing where it has not all of them."""
        return (
            Rejection(params=params, violations={SUSPECTED: 1.0}, reason=self.reason()) if self.fits(params) else None
        )

    def reason(self) -> str:
        """Return one line that says why a network with them is not started."""
        named = " and ".join(map(str, self.properties))
        return f"{self.crashed} networks with {named} ended their workers, and none has lived"


def suspects_of(crashed: Sequence[Params], lived: Sequence[Params]) -> list[Suspect]:
    """Return the properties that explain the most crashes each, and that no network which lived has.

    A value of one parameter explains before a range, and both before a pair of values, since the fewer have it the
    sooner chance alone would let none of them live.
    """
    found: list[Suspect] = []
    left = list(crashed)
    for size in (1, 2):
        while len(left) >= LEAST and (suspect := _best(left, lived, size)) is not None:
            found.append(suspect)
            left = [params for params in left if not suspect.fits(params)]
    return found


def _best(crashed: Sequence[Params], lived: Sequence[Params], size: int) -> Suspect | None:
    """Return what explains most of the crashes; of several the first, values before ranges."""
    best: Suspect | None = None
    for properties in combinations(_properties(crashed, ranges=size == 1), size):
        count = sum(all(each.fits(params) for each in properties) for params in crashed)
        if count < LEAST or (best is not None and count <= best.crashed):
            continue
        suspect = Suspect(properties=properties, crashed=count)
        if not any(map(suspect.fits, lived)):
            best = suspect
    return best


def _properties(crashed: Sequence[Params], *, ranges: bool) -> Iterator[Property]:
    """Yield every value that a crashed network has, then the ranges that begin or end at one."""
    names = list(dict.fromkeys(name for params in crashed for name in params))
    values = {name: list(dict.fromkeys(params[name] for params in crashed if name in params)) for name in names}
    yield from (Property(name=name, low=value, high=value) for name in names for value in values[name])
    for name in names if ranges else ():
        for value in values[name]:
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield Property(name=name, low=value, high=float("inf"))
                yield Property(name=name, low=float("-inf"), high=value)
