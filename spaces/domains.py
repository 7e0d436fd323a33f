"""Describe one parameter: the values it can take, and when it exists.

A domain drives anything that has Optuna's three `suggest_` methods, so that an Optuna trial, a fixed assignment or a
test can choose its value. This module knows nothing of Optuna.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from spaces.errors import InputError

Scalar = bool | int | float | str


class Suggests(Protocol):
    """Choose values: the three methods of an Optuna trial that a search space calls."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number in [low, high]."""
        ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number in [low, high]."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """Return one of the choices."""
        ...


def _check_bounds(low: float, high: float, step: float | None, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"low {low} and high {high} must be finite")
    if low > high:
        raise InputError(f"low {low} is above high {high}")
    if step is not None and not 0 < step < math.inf:
        raise InputError(f"step {step} is not a number above 0")
    if log and low <= 0:
        raise InputError(f"a log scale needs low above 0, not {low}")
    if log and step is not None:
        raise InputError("a log scale has no step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Int:
    """Take whole numbers from low to high, both included."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, None if self.step == 1 else self.step, self.log)

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let the trial choose a value."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def values(self) -> tuple[Scalar, ...]:
        """Return every value, in order."""
        return tuple(range(self.low, self.high + 1, self.step))

    def contains(self, value: object) -> bool:
        """Whether the value is one of this domain's."""
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    @property
    def count(self) -> int | None:
        """Return how many values there are."""
        return (self.high - self.low) // self.step + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Float:
    """Take numbers from low to high, both included; without a step there is no end of them."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, self.step, self.log)

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let the trial choose a value."""
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def values(self) -> tuple[Scalar, ...]:
        """Return every value on the step's grid, or the two ends where there is no step."""
        if self.step is None:
            return (self.low,) if self.low == self.high else (self.low, self.high)
        # Rounding would carry 0.1, 0.2, ... beyond 0.3.
        return tuple(min(self.low + index * self.step, self.high) for index in range(self.count or 0))

    def contains(self, value: object) -> bool:
        """Whether the value is one of this domain's."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if not self.low <= value <= self.high:
            return False
        offset = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(offset - round(offset)) < 1e-8

    @property
    def count(self) -> int | None:
        """Return how many values there are, or None where there is no end of them."""
        if self.low == self.high:
            return 1
        return None if self.step is None else int((self.high - self.low) / self.step + 1e-8) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Take one of the named values; with weights, some of them more often."""

    options: tuple[Scalar, ...]
    weights: tuple[float, ...] = ()  # one for each option, or none at all

    def __post_init__(self) -> None:
        if not self.options:
            raise InputError("there is nothing to choose from")
        seen = [(isinstance(option, bool), option) for option in self.options]  # as `contains` tells them apart
        if len(set(seen)) < len(seen):
            raise InputError(f"{list(self.options)} names a value twice")
        if self.weights and len(self.weights) != len(self.options):
            raise InputError(f"{len(self.weights)} weights do not go with {len(self.options)} values")
        if any(not 0 < weight < math.inf for weight in self.weights):
            raise InputError("a weight is a number above 0; a value that is not wanted is left out")

    def suggest(self, name: str, trial: Suggests) -> Scalar:
        """Let the trial choose a value."""
        return trial.suggest_categorical(name, self.options)

    def values(self) -> tuple[Scalar, ...]:
        """Return every value, in order."""
        return self.options

    def contains(self, value: object) -> bool:
        """Whether the value is one of this domain's."""
        return any(value == option and isinstance(value, bool) == isinstance(option, bool) for option in self.options)

    @property
    def count(self) -> int | None:
        """Return how many values there are."""
        return len(self.options)

    def prior(self, value: object) -> float:
        """Return how many times as often as by even chance a value is wanted."""
        if not self.weights:
            return 1.0
        return self.weights[self.options.index(value)] * len(self.weights) / sum(self.weights)


Domain = Int | Float | Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Let a parameter exist only where another one exists and takes one of these values."""

    parameter: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Name a domain and say when it exists; several conditions must all hold."""

    name: str
    domain: Domain
    when: tuple[When, ...] = ()

    @property
    def weights(self) -> tuple[float, ...]:
        """Return the weights of its values; none where all are wanted alike."""
        return self.domain.weights if isinstance(self.domain, Choice) else ()

    def exists(self, params: dict[str, Scalar]) -> bool:
        """Whether the parameter exists beside these values of earlier ones."""
        return all(params.get(condition.parameter) in condition.values for condition in self.when)


def middle(domain: Domain) -> Scalar:
    """Return a value to begin with where none is named: the first of a choice, the middle of a range on its scale."""
    if isinstance(domain, Choice):
        return domain.options[0]
    middle = math.sqrt(domain.low * domain.high) if domain.log else (domain.low + domain.high) / 2
    if domain.step is None:
        return min(max(middle, domain.low), domain.high)
    on_grid = domain.low + domain.step * math.floor((middle - domain.low) / domain.step + 1e-8)
    return min(on_grid, domain.high) if isinstance(domain, Float) else int(on_grid)


def largest(domain: Domain) -> Scalar:
    """Return the largest value of a domain of numbers."""
    return max(domain.options, key=float) if isinstance(domain, Choice) else domain.high


def smallest(domain: Domain) -> Scalar:
    """Return the smallest value of a domain of numbers, or the first word of its alphabet."""
    return min(domain.options) if isinstance(domain, Choice) else domain.low


def prior(parameters: Sequence[Parameter], params: Mapping[str, Scalar]) -> float:
    """Return how many times as much as others a choice of values is wanted: the product over what has weights."""
    weighted = ((item.domain, params[item.name]) for item in parameters if item.name in params)
    return math.prod(domain.prior(value) for domain, value in weighted if isinstance(domain, Choice))
