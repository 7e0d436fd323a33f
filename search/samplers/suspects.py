"""Learn from networks that crashed or hung their workers which property does it: the next come from elsewhere."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf

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
        if value is None or self.low == self.high:
            return value is not None and value == self.low
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]  # numbers all

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.name} {self.low}"
        return f"{self.name} from {self.low:g}" if self.high == inf else f"{self.name} up to {self.high:g}"


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
    for candidates in (_values, _ranges, _pairs):
        while len(left) >= LEAST and (suspect := _best(candidates(left, lived), left, lived)) is not None:
            found.append(suspect)
            left = [params for params in left if not suspect.fits(params)]
    return found


def _best(
    candidates: Iterable[tuple[Property, ...]], crashed: Sequence[Params], lived: Sequence[Params]
) -> Suspect | None:
    """Return what explains most of the crashes; of several the first."""
    best: Suspect | None = None
    for properties in candidates:
        count = sum(all(each.fits(params) for each in properties) for params in crashed)
        if count < LEAST or (best is not None and count <= best.crashed):
            continue
        suspect = Suspect(properties=properties, crashed=count)
        if not any(map(suspect.fits, lived)):
            best = suspect
    return best


def _values(crashed: Sequence[Params], _lived: Sequence[Params]) -> Iterator[tuple[Property, ...]]:
    """Yield the values that enough of the crashed networks have."""
    counts = Counter(item for params in crashed for item in params.items())
    yield from ((Property(name=name, low=value, high=value),) for (name, value), n in counts.items() if n >= LEAST)


def _ranges(crashed: Sequence[Params], lived: Sequence[Params]) -> Iterator[tuple[Property, ...]]:
    """Yield, of each parameter of numbers, what lies beyond all networks that lived: some must have, to tell."""
    for name in dict.fromkeys(name for params in crashed for name in params):
        given = [params[name] for params in (*lived, *crashed) if name in params]
        if not all(map(_is_number, given)):
            continue
        alive, died = ([float(params[name]) for params in part if name in params] for part in (lived, crashed))
        above = [value for value in died if alive and value > max(alive)]
        below = [value for value in died if alive and value < min(alive)]
        yield from ((Property(name=name, low=min(above), high=inf),) for _ in above[:1])
        yield from ((Property(name=name, low=-inf, high=max(below)),) for _ in below[:1])


def _pairs(crashed: Sequence[Params], lived: Sequence[Params]) -> Iterator[tuple[Property, ...]]:
    """Yield pairs of values of two parameters."""
    singles = [properties[0] for properties in _values(crashed, lived)]
    yield from (pair for pair in combinations(singles, 2) if pair[0].name != pair[1].name)


def _is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
