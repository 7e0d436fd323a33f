"""Give images, claims and trainings of claims that nobody had to train."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from search.claims.literature import read
from search.claims.plan import Images, Plan
from search.core.claims import Training
from spaces.architecture import ImageSpec
from workers.recipe import Recipe
from workers.sources import DataSpec

IMAGES = Images(
    spec=DataSpec(name="digits"), fingerprint="0123", image=ImageSpec(channels=1, height=8, width=8), train=1200,
    measured=300,
)  # fmt: skip
AT = datetime(2026, 1, 2, tzinfo=UTC)
MachineOf = Callable[[int], str]


@pytest.fixture
def plan_of() -> Callable[..., Plan]:
    """Return what makes a plan of claims by their names."""

    def made(*ids: str, seeds: int = 3, epochs: int = 2) -> Plan:
        claims = read()
        return Plan.of([claims[each] for each in ids], IMAGES, Recipe(epochs=epochs), seeds)

    return made


@pytest.fixture
def done() -> Callable[..., dict[str, Training]]:
    """Return what makes trainings of a plan: for each network, in its order, a value for each seed; None: it failed."""

    def made(
        plan: Plan, of: str, values: Sequence[Sequence[float | None]], machine: MachineOf = lambda _seed: "a"
    ) -> dict[str, Training]:
        names = list(dict.fromkeys(run.network for run in plan.runs.values()))
        return {
            run.key: Training(
                key=run.key, network=run.network, digest=run.architecture.digest, seed=run.seed,
                epochs=run.recipe.epochs, values={} if value is None else {of: value},
                failure="not finite: the loss is nan" if value is None else "", seconds=2.0,
                machine={"device": machine(run.seed)}, at=AT.replace(second=run.seed),
            )
            for run in plan.runs.values()
            if run.seed < len(values[names.index(run.network)])
            for value in [values[names.index(run.network)][run.seed]]
        }  # fmt: skip

    return made
