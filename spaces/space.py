"""Describe which architectures a study may try, and let a trial choose one of them.

A trial is anything with Optuna's three `suggest_` methods (`domains.Suggests`).
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from spaces.architecture import Architecture, OwnNetwork
from spaces.domains import Domain, Parameter, Scalar, Suggests
from spaces.fields import DEFAULTS, FIELDS, listed

Value = Scalar | tuple[int, ...] | None

NETWORK, SOURCE = "network", "source"  # of a function that builds its networks itself, where they are fixed
PARAMETERS = ("depth", *FIELDS)  # depth stands for the same number of blocks in every stage


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """The parameters in the order they are chosen, and the fields that are fixed."""

    parameters: tuple[Parameter, ...]
    fixed: tuple[tuple[str, Value], ...] = ()
    beside: tuple[str, ...] = ()  # parameters that say how a network is trained: it is the same for all their values

    def suggest(self, trial: Suggests) -> dict[str, Scalar]:
        """Let the trial choose a value for every parameter that exists beside the earlier ones."""
        return suggest(self.parameters, trial)

    def architecture(self, params: Mapping[str, Scalar]) -> Architecture:
        """Return the canonical architecture of chosen values.

        Raises:
            InfeasibleArchitecture: no network has these values together.
        """
        values: dict[str, object] = {**dict(self.fixed), **params}
        for name in self.beside:
            values.pop(name, None)
        if NETWORK in values:
            given = {name: values.pop(name) for name in (NETWORK, SOURCE)}
            return OwnNetwork(**given, options=tuple(sorted(values.items())))  # type: ignore[arg-type]
        depth = values.pop("depth", None)
        if depth is not None:
            widths = listed("widths", values.get("widths", DEFAULTS["widths"]))  # which may be text
            values["depths"] = (depth,) * len(widths or ())
        return Architecture(**values).canonical()  # type: ignore[arg-type]  # checked by Architecture itself

    def contains(self, params: Mapping[str, Scalar]) -> bool:
        """Whether the space can choose exactly these values."""
        existing = self.existing(params)
        return existing.keys() == params.keys() and all(existing[name].contains(params[name]) for name in params)

    def existing(self, params: Mapping[str, Scalar]) -> dict[str, Domain]:
        """Return the domains of the parameters that exist beside values, by their names."""
        return {item.name: item.domain for item in self.parameters if item.exists(dict(params))}

    @property
    def size(self) -> int | None:
        """Return how many choices of values there are, or None where a float makes them endless."""
        if any(parameter.domain.count is None for parameter in self.parameters):
            return None
        return self._count({}, self.parameters)

    def counting(self, *names: str) -> "SearchSpace":
        """Return the space without what is beside its networks, but for these parameters and what they depend on."""
        kept = set(names)
        for item in reversed(self.parameters):
            if item.name in kept or item.name not in self.beside:
                kept |= {item.name, *(condition.parameter for condition in item.when)}
        return replace(self, parameters=tuple(item for item in self.parameters if item.name in kept))

    def _count(self, chosen: dict[str, Scalar], left: Sequence[Parameter]) -> int:
        """Count the ways on, walking only through values that a later parameter's existence hangs on."""
        if not left:
            return 1
        head, rest = left[0], left[1:]
        if not head.exists(chosen):
            return self._count(chosen, rest)
        if all(condition.parameter != head.name for parameter in rest for condition in parameter.when):
            return (head.domain.count or 1) * self._count(chosen, rest)
        return sum(self._count({**chosen, head.name: value}, rest) for value in head.domain.values())

    @property
    def product(self) -> int:
        """Return an upper bound on the number of grid points: as if every parameter always existed."""
        counts = (parameter.domain.count or len(parameter.domain.values()) for parameter in self.parameters)
        return math.prod(counts)

    def members(self) -> Iterator[dict[str, Scalar]]:
        """Yield every choice of values, with the two ends standing for a float without a step."""
        yield from self._grow({}, self.parameters)

    def _grow(self, chosen: dict[str, Scalar], left: Sequence[Parameter]) -> Iterator[dict[str, Scalar]]:
        if not left:
            yield dict(chosen)
            return
        head, rest = left[0], left[1:]
        if not head.exists(chosen):
            yield from self._grow(chosen, rest)
            return
        for value in head.domain.values():
            yield from self._grow({**chosen, head.name: value}, rest)

    def sample(self, count: int, seed: int) -> list[dict[str, Scalar]]:
        """Return every member if there are no more than `count`, else as many drawn at random."""
        if self.size is not None and self.size <= count:
            return list(self.members())
        rng = RandomTrial(random.Random(seed))
        return [self.suggest(rng) for _ in range(count)]


def suggest(parameters: Sequence[Parameter], trial: Suggests) -> dict[str, Scalar]:
    """Let the trial choose a value for every parameter that exists beside the earlier ones."""
    params: dict[str, Scalar] = {}
    for parameter in parameters:
        if parameter.exists(params):
            params[parameter.name] = parameter.domain.suggest(parameter.name, trial)
    return params


def weights_of(parameters: Sequence[Parameter]) -> dict[str, tuple[float, ...]]:
    """Return the weights of choices by the names of their parameters."""
    return {item.name: item.weights for item in parameters if item.weights}


@dataclass(frozen=True, slots=True)
class RandomTrial:
    """Choose every value at random: options of a choice by their weights, where it has any."""

    rng: random.Random
    weights: Mapping[str, Sequence[float]] = field(default_factory=dict)  # by the name of the parameter

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:  # noqa: ARG002
        """Return a whole number in [low, high], evenly or evenly in its logarithm."""
        if log:
            drawn = math.exp(self.rng.uniform(math.log(low - 0.5 if low > 1 else low), math.log(high + 0.5)))
            return min(max(round(drawn), low), high)
        return self.rng.randrange(low, high + 1, step)

    def suggest_float(
        self,
        name: str,  # noqa: ARG002
        low: float,
        high: float,
        *,
        step: float | None = None,
        log: bool = False,
    ) -> float:
        """Return a number in [low, high], evenly, evenly in its logarithm, or on the step's grid."""
        if step is not None:
            return min(low + step * self.rng.randrange(int((high - low) / step + 1e-8) + 1), high)
        if log:
            return min(max(math.exp(self.rng.uniform(math.log(low), math.log(high))), low), high)
        return self.rng.uniform(low, high)

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """Return one of the choices."""
        if name in self.weights:
            return self.rng.choices(choices, self.weights[name])[0]
        return self.rng.choice(list(choices))
