"""Look over a search space before anything is trained: how large, how much of it is allowed, what it costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from spaces.architecture import ImageSpec
from spaces.cost import Cost
from spaces.counting import cost
from spaces.domains import Scalar
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.space import SearchSpace

LOOKED_AT = 2000

Member = tuple[dict[str, Scalar], Cost]


@dataclass(slots=True, kw_only=True)
class Survey:
    """Hold what was seen of a space."""

    size: int | None  # choices of values, or None where a float makes them endless
    looked_at: int
    buildable: int = 0
    allowed: list[Member] = field(default_factory=list)
    whole: bool  # every choice of values was looked at, with its two ends for each float
    nearest: tuple[str, float] | None = None  # the constraint least overstepped by any member, and by how much

    @property
    def share_allowed(self) -> float:
        """Return the share of what was looked at that can be built and keeps every constraint."""
        return len(self.allowed) / self.looked_at

    def ends(self, objective: Callable[[Cost], float]) -> tuple[Member, Member]:
        """Return the allowed members with the least and the most of an objective."""
        ordered = sorted(self.allowed, key=lambda member: objective(member[1]))
        return ordered[0], ordered[-1]


def survey(
    space: SearchSpace, image: ImageSpec, violations: Callable[[Cost], Mapping[str, float]], seed: int = 0
) -> Survey:
    """Look at every member of a small space, or at a random part of a large one.

    Raises:
        InputError: a value that no member can have, or constraints that none meets.
    """
    members = space.sample(LOOKED_AT, seed)
    seen = Survey(size=space.size, looked_at=len(members), whole=space.product <= LOOKED_AT)
    refused: dict[tuple[str, Scalar], str] = {}
    built: set[tuple[str, Scalar]] = set()
    for params in members:
        try:
            counted = cost(space.architecture(params), image)
        except InfeasibleArchitecture as error:
            refused.update(dict.fromkeys(params.items(), str(error)))
            continue
        built.update(params.items())
        seen.buildable += 1
        _judge(seen, params, counted, violations(counted))
    _refuse_impossible(space, refused, built)
    if not seen.allowed:
        raise _none_allowed(seen)
    return seen


def _judge(seen: Survey, params: dict[str, Scalar], counted: Cost, violations: Mapping[str, float]) -> None:
    worst = max(violations.items(), key=lambda item: item[1], default=("", 0.0))
    if worst[1] <= 0:
        seen.allowed.append((params, counted))
    elif seen.nearest is None or worst[1] < seen.nearest[1]:
        seen.nearest = worst


def _refuse_impossible(
    space: SearchSpace, refused: Mapping[tuple[str, Scalar], str], built: set[tuple[str, Scalar]]
) -> None:
    """Refuse a value that no member can have, such as a cardinality that divides no width."""
    for parameter in space.parameters:
        for value in parameter.domain.values():
            key = (parameter.name, value)
            if key in refused and key not in built:
                kind = type(parameter.domain).__name__.lower()
                raise InputError(
                    f"no network of this space can have {value}: {refused[key]}", place=f"space.{parameter.name}.{kind}"
                )


def _none_allowed(seen: Survey) -> InputError:
    if seen.nearest is None:
        return InputError("no network of this space can be built for these images", place="space")
    name, excess = seen.nearest
    how = "none" if seen.whole else f"none of {seen.looked_at:,} random networks"
    message = f"{how} of the space meets it; the nearest oversteps it by {excess:.0%}"
    return InputError(message, place=f"constraints.{name}")
