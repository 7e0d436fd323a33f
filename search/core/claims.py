"""What a claim of the literature is, what was found of it, and what that makes of it.

A claim says where an effect lies: a value, or how far one network's is above another's (`difference`) or how many times
as large it is (`ratio`). It holds where the whole interval of what was found lies there, does not hold where all of it
lies outside, and otherwise there is not enough evidence. So "no better than" is a range too, and its margin stands in
the file of claims.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from math import inf, isfinite, isnan, log
from typing import Any

from search.core.units import UNKNOWN
from workers.kinds import FailureKind

LEVEL = 0.95  # of every interval
MANY = 1e15  # above which a number is told by its power of ten


class Kind(StrEnum):
    """By what a claim is judged."""

    COUNTED = "counted"  # exact: of what is built, nothing is trained
    TRAINED = "trained"  # networks trained by several seeds
    WEIGHTS = "weights"  # what is read off such networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What is compared."""

    kind: Kind
    told: str  # to people
    rate: bool = False  # a share in [0, 1], told in percent; of images, but for what is counted


QUANTITIES: dict[str, Quantity] = {
    "params": Quantity(kind=Kind.COUNTED, told="parameters"),
    "macs": Quantity(kind=Kind.COUNTED, told="multiply-accumulates"),
    "activations": Quantity(kind=Kind.COUNTED, told="activations"),
    "paths": Quantity(kind=Kind.COUNTED, told="paths"),
    "path_mean": Quantity(kind=Kind.COUNTED, told="mean length of paths"),
    "path_longest": Quantity(kind=Kind.COUNTED, told="longest path"),
    "path_share": Quantity(kind=Kind.COUNTED, told="share of these paths", rate=True),
    "error": Quantity(kind=Kind.TRAINED, told="error", rate=True),
    "half_error": Quantity(kind=Kind.TRAINED, told="error half way", rate=True),
    "train_loss": Quantity(kind=Kind.TRAINED, told="loss in training"),
    "train_s": Quantity(kind=Kind.TRAINED, told="seconds of an epoch"),
    "train_error": Quantity(kind=Kind.WEIGHTS, told="error on training images", rate=True),
    "skip": Quantity(kind=Kind.WEIGHTS, told="error added without a block", rate=True),
    "shape_excess": Quantity(kind=Kind.WEIGHTS, told="more of it where the shape changes", rate=True),
    "swap": Quantity(kind=Kind.WEIGHTS, told="error added by a swap", rate=True),
    "deepest": Quantity(kind=Kind.WEIGHTS, told="error of the deepest column, above", rate=True),
    "opposite": Quantity(kind=Kind.WEIGHTS, told="lowest cosine, above chance"),
}


CHANCE: dict[str, Callable[[int], float]] = {  # of a network that holds every class for as likely, by their number
    **dict.fromkeys(("error", "half_error", "train_error"), lambda classes: 1 - 1 / classes),
    "train_loss": lambda classes: log(classes),
}


class Unit(StrEnum):
    """In what an effect is told."""

    TIMES = "times"
    POINTS = "points"  # of percent
    NONE = ""

    def number(self, value: float) -> str:
        """Return a number as people read it, in this unit; what is not known is a dash."""
        if not isfinite(value):
            return UNKNOWN
        scaled = float(100 * value if self is Unit.POINTS else value)
        if scaled.is_integer() and abs(scaled) < MANY:
            return f"{scaled:,.0f}"
        return f"{scaled:.2f}" if self is Unit.POINTS else f"{scaled:.4g}"

    def told(self, value: float) -> str:
        """Return it with the unit."""
        return f"{self.number(value)} {self.value}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence of the literature, and the test of it."""

    id: str
    says: str
    source: str
    of: str  # one of QUANTITIES
    first: str  # a network: a name and fields of it, such as `wrn-16-2 dropout=between`
    second: str = ""  # what it is compared with; nothing: its value alone is judged
    small: Mapping[str, str] = field(default_factory=dict)  # first and second, for images of less than SMALL pixels
    by: str = "difference"  # first minus second, or ratio
    recipe: Mapping[str, Any] = field(default_factory=dict)  # fields of how both are trained, if not as usual
    diverged: str = ""  # chance: a training that diverges counts as a network that guesses; else it fails
    lengths: tuple[int, int] = (0, 0)  # of the paths that path_share counts
    above: float = -inf  # the range of the effect: neither of these two is in it,
    below: float = inf
    least: float = -inf  # and both of these are
    most: float = inf

    @property
    def quantity(self) -> Quantity:
        """Return what is compared."""
        return QUANTITIES[self.of]

    @property
    def kind(self) -> Kind:
        """Return by what it is judged."""
        return self.quantity.kind

    def networks(self, *, small: bool) -> tuple[str, ...]:
        """Return the networks of it, in their form for small images or in the usual one."""
        texts = (self.first, self.second)
        if small and self.small:
            texts = (self.small["first"], self.small.get("second", ""))
        return tuple(filter(None, texts))

    @property
    def unit(self) -> Unit:
        """Return in what its effect is told."""
        if self.by == "ratio":
            return Unit.TIMES
        return Unit.POINTS if self.quantity.rate else Unit.NONE

    @property
    def range(self) -> str:
        """Return where the effect is claimed to lie: above 0, at least -1 and at most 1 points."""
        if self.least == self.most:
            return f"exactly {self.unit.told(self.least)}"
        ends = (("above", self.above), ("below", self.below), ("at least", self.least), ("at most", self.most))
        told = " and ".join(f"{word} {self.unit.number(value)}" for word, value in ends if abs(value) != inf)
        return f"{told} {self.unit.value}".strip() if told else ""

    @property
    def ends(self) -> tuple[float, float]:
        """Return the ends of that range, in it or not; infinite where it has none."""
        return max(self.above, self.least), min(self.below, self.most)

    def judge(self, effect: "Effect") -> "Outcome":
        """Return what an effect makes of it; without an interval nothing is known."""
        if isnan(effect.low) or isnan(effect.high):
            return Outcome.UNKNOWN
        if self._has(effect.low) and self._has(effect.high):
            return Outcome.HOLDS
        under = effect.high <= self.above or effect.high < self.least
        over = effect.low >= self.below or effect.low > self.most
        return Outcome.FAILS if under or over else Outcome.UNKNOWN

    def _has(self, value: float) -> bool:
        return self.above < value < self.below and self.least <= value <= self.most


class Outcome(StrEnum):
    """What was found of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "not enough evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A value, a difference or a ratio, with the interval that holds it at `LEVEL`."""

    value: float
    low: float  # NaN, both of them, where too little is known; equal to the value where that is exact
    high: float
    test: str  # by which it was found: exact, paired, Welch, mean
    seeds: int = 0  # of each network; of paired ones, those that both have


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found of a claim, with all that has to be known to read it."""

    claim: str  # its id
    says: str
    source: str
    kind: Kind
    of: str
    unit: Unit
    range: str
    networks: tuple[str, ...]  # as they were built
    form: str  # usual, or small: for images of few pixels
    data: str  # a name of the images
    fingerprint: str  # of the images; nothing for what is counted
    epochs: int  # 0 for what is counted
    outcome: Outcome
    effect: Effect
    start: float = -inf  # of the range, the end below and the one above, in it or not
    end: float = inf
    asked: str = ""  # SHA-256 of its trainings but for seeds, and what was made of them; of verdicts of before nothing
    note: str = ""  # what kept it from being known
    seconds: float = 0.0  # that its trainings took, those it shares with other claims included
    machine: Mapping[str, str] = field(default_factory=dict)  # hardware and versions
    at: datetime

    def outweighs(self, other: "Verdict") -> bool:
        """Return whether it rests on more seeds than another one that asks the same."""
        return self._asks == other._asks and self.effect.seeds > other.effect.seeds

    @property
    def _asks(self) -> tuple[object, ...]:
        told = self.claim, self.fingerprint, self.epochs, self.of, self.unit, self.range, self.networks, self.form
        return *told, self.asked

    @property
    def weight(self) -> tuple[bool, int, int]:
        """Return what ranks it among those on the same claim and images: an interval, then epochs, then seeds.

        What came out is no part of it.
        """
        return isfinite(self.effect.low) and isfinite(self.effect.high), self.epochs, self.effect.seeds

    @property
    def told(self) -> str:
        """Return its effect with unit and interval: 3.2 points (2.1 to 4.3)."""
        found, unit = self.effect, self.unit
        if not (isfinite(found.low) and isfinite(found.high)) or found.low == found.high:
            return unit.told(found.value)
        return f"{unit.told(found.value)} ({unit.number(found.low)} to {unit.number(found.high)})"

    @property
    def nothing(self) -> float:
        """Return the value of no effect."""
        return 1.0 if self.unit is Unit.TIMES else 0.0


def summary(verdicts: Collection[Verdict]) -> str:
    """Return how many claims hold, and how many do not: 12 hold, 3 do not hold, 5 without enough evidence."""
    counts = {outcome: sum(each.outcome is outcome for each in verdicts) for outcome in Outcome}
    verb = "holds" if counts[Outcome.HOLDS] == 1 else "hold"
    other = "does" if counts[Outcome.FAILS] == 1 else "do"
    fails, unknown = counts[Outcome.FAILS], counts[Outcome.UNKNOWN]
    return f"{counts[Outcome.HOLDS]} {verb}, {fails} {other} not hold, {unknown} without enough evidence"


def weighed(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, ...]]:
    """Return for each claim and images the verdicts on it, that of the most weight first."""
    ranked = sorted(verdicts, key=lambda each: (each.claim, each.fingerprint))
    groups = groupby(ranked, key=lambda each: (each.claim, each.fingerprint))
    return [tuple(sorted(some, key=lambda each: each.weight, reverse=True)) for _, some in groups]


def best(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return for each claim and images the verdict of the most weight, in the order in which they come."""
    given = list(verdicts)
    first = [some[0] for some in weighed(given)]
    return [each for each in given if any(each is one for one in first)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One network trained by one seed, for all claims that ask for it."""

    key: str  # SHA-256 of all that it depends on
    network: str  # as the first claim names it
    digest: str
    seed: int
    epochs: int
    values: Mapping[str, float] = field(default_factory=dict)  # by quantity
    refused: Mapping[str, str] = field(default_factory=dict)  # why a quantity cannot be read off it: one line
    seconds: float = 0.0
    failure: str = ""  # why there are no values: one line
    machine: Mapping[str, str] = field(default_factory=dict)
    at: datetime

    @property
    def diverged(self) -> bool:
        """Return whether it came to numbers that are not finite: an outcome, where a claim says so."""
        return self.failure.partition(":")[0] == FailureKind.NOT_FINITE
