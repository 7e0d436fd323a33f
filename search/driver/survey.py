"""Look over a search space before anything is trained: how large, how much of it is allowed, what it costs."""

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from search.core.costs import cost_of
from search.samplers.catalogue import SpaceCatalogue
from spaces.architecture import ImageSpec
from spaces.cost import Cost
from spaces.counting import BATCH
from spaces.domains import Scalar
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.space import SearchSpace

LOOKED_AT = 2000  # members of a space that is looked at whole
DRAWN = 1000  # at random from any other
FEW = 0.05  # share allowed, below which members that are allowed are looked for
STEPS = 1500  # of that search
ENOUGH = 60  # members that it looks for

Member = tuple[dict[str, Scalar], Cost]


@dataclass(slots=True, kw_only=True)
class Survey:
    """What was seen of a space."""

    size: int | None  # choices of values, or None where a float makes them endless
    looked_at: int
    buildable: int = 0
    allowed: list[Member] = field(default_factory=list)
    whole: bool  # every choice of values was looked at, with its two ends for a dropout rate
    nearest: tuple[str, float] | None = None  # the constraint least overstepped by any member, and by how much
    closest: dict[str, Scalar] | None = None  # that member
    searched: bool = False  # allowed members were looked for, as chance had found hardly any

    @property
    def few(self) -> list[dict[str, Scalar]]:
        """Return the allowed members, where these are few; nothing where chance finds enough."""
        return [params for params, _ in self.allowed] if self.searched else []

    @property
    def share_allowed(self) -> float:
        """Return the share of what was looked at that can be built and keeps every constraint."""
        return len(self.allowed) / self.looked_at

    def ends(self, objective: Callable[[Cost], float]) -> tuple[Member, Member]:
        """Return the allowed members with the least and the most of an objective."""
        ordered = sorted(self.allowed, key=lambda member: objective(member[1]))
        return ordered[0], ordered[-1]


def survey(
    space: SearchSpace,
    image: ImageSpec,
    violations: Callable[[Cost], Mapping[str, float]],
    seed: int = 0,
    *,
    batch: int = BATCH,
) -> Survey:
    """Look at every member of a small space, or at a random part of a large one.

    Raises:
        InputError: no member can be built, a value that none can have, or constraints that none meets.
    """
    size, space = space.size, space.counting("batch_size")  # of what is beside a network, all that a cost hangs on
    members, whole = _looked_at(space, seed)
    seen = Survey(size=size, looked_at=len(members), whole=whole)
    refused: dict[tuple[str, Scalar], str] = {}
    built: set[tuple[str, Scalar]] = set()
    reason = ""
    for params in members:
        try:
            counted = cost_of(space.architecture(params), image, batch=int(params.get("batch_size", batch)))
        except InfeasibleArchitecture as error:
            reason = str(error)
            refused.update(dict.fromkeys(params.items(), reason))
            continue
        built.update(params.items())
        seen.buildable += 1
        _judge(seen, params, counted, violations(counted))
    if not seen.buildable:
        raise InputError(f"{_none(seen)} can be built: {reason}", place="space")
    if not whole and len(seen.allowed) < FEW * seen.looked_at:
        _search_along(SpaceCatalogue(space, image, violations, batch=batch), seen, random.Random(seed))
    if whole:
        _refuse_impossible(space, {chosen: why for chosen, why in refused.items() if chosen not in built})
    _refuse_unmet(seen)
    return seen


def _looked_at(space: SearchSpace, seed: int) -> tuple[list[dict[str, Scalar]], bool]:
    """Return the members to look at, and whether they stand for all."""
    members = list(itertools.islice(space.members(), LOOKED_AT + 1))
    if len(members) > LOOKED_AT:
        return space.sample(DRAWN, seed), False
    endless = {parameter.name for parameter in space.parameters if parameter.domain.count is None}
    if endless <= {"dropout_rate"}:  # neither cost nor width hangs on it, so its two ends stand for all
        return members, True
    return members + space.sample(DRAWN, seed), False  # what lies between the two ends can be built where they cannot


def _judge(seen: Survey, params: dict[str, Scalar], counted: Cost, violations: Mapping[str, float]) -> None:
    worst = max(violations.items(), key=lambda item: item[1], default=("", 0.0))
    if worst[1] <= 0:
        seen.allowed.append((params, counted))
    elif seen.nearest is None or worst[1] < seen.nearest[1]:
        seen.nearest, seen.closest = worst, params


def _search_along(catalogue: SpaceCatalogue, seen: Survey, rng: random.Random) -> None:
    """Look for allowed members near those that overstep least: a sample that holds none proves nothing."""
    seen.searched = True
    for _ in range(STEPS):
        if len(seen.allowed) >= ENOUGH:
            return
        at = rng.choice(seen.allowed)[0] if seen.allowed else seen.closest
        if at is None:
            return
        params = dict(catalogue.near(at, rng))
        seen.looked_at += 1
        try:
            described = catalogue.describe(params)
        except InfeasibleArchitecture:
            continue
        seen.buildable += 1
        _judge(seen, params, described.cost, described.constraints)


def _refuse_impossible(space: SearchSpace, refused: Mapping[tuple[str, Scalar], str]) -> None:
    """Refuse a value that no member can have, such as a cardinality that divides no width."""
    kinds = {parameter.name: type(parameter.domain).__name__.lower() for parameter in space.parameters}
    for (name, value), why in refused.items():
        raise InputError(f"no network of this space can have {value}: {why}", place=f"space.{name}.{kinds[name]}")


def _none(seen: Survey) -> str:
    return f"{'no network' if seen.whole else f'none of {seen.looked_at:,} networks'} of this space"


def _refuse_unmet(seen: Survey) -> None:
    """Refuse constraints that no network meets."""
    if seen.allowed or seen.nearest is None:
        return
    name, excess = seen.nearest
    raise InputError(f"{_none(seen)} meets it; the nearest oversteps it by {excess:.0%}", place=f"constraints.{name}")
