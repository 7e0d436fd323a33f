"""Gather what there is to say of one network: its stages, its cost, its paths, and what was published of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.cost import Cost, sum_costs
from spaces.counting import BATCH, Part, cost_by_part
from spaces.names import Named
from spaces.paths import Paths, paths
from spaces.published import Result, nearest, same_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the stage table."""

    part: str  # stem, stage 1, ..., head
    blocks: int
    channels: int
    map: tuple[int, int]  # h w, put out
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Everything there is to say of one network."""

    name: str
    architecture: Architecture
    image: ImageSpec
    rows: tuple[Row, ...]
    cost: Cost
    layers: int  # as the authors of its family count them
    paths: Paths
    published: tuple[Result, ...]
    near: Result | None  # where nothing was published of the network itself


def describe(given: Named, *, batch: int = BATCH) -> Description:
    """Return the description of a network.

    Raises:
        InfeasibleArchitecture: the image is too small for it, or its head too narrow for the classes.
    """
    parts = cost_by_part(given.architecture, given.image, batch=batch)
    counted = sum_costs(part.cost for part in parts)
    found = paths(plan(given.architecture))
    published = tuple(same_network(given.architecture, given.image, counted))
    return Description(
        name=given.name,
        architecture=given.architecture,
        image=given.image,
        rows=_rows(parts, given.architecture),
        cost=counted,
        layers=given.layers(found.longest),
        paths=found,
        published=published,
        near=None if published else nearest(given.architecture, given.image, counted),
    )


def _rows(parts: Sequence[Part], architecture: Architecture) -> tuple[Row, ...]:
    stages = [[part for part in parts if part.name.startswith(f"{n + 1}.")] for n in range(len(architecture.depths))]
    named_parts = [("stem", parts[:1]), *((f"stage {n}", stage) for n, stage in enumerate(stages, start=1))]
    blocks = (1, *architecture.depths, 1)
    return tuple(
        Row(
            part=name,
            blocks=count,
            channels=held[-1].shape[0],
            map=held[-1].shape[1:],
            cost=sum_costs(part.cost for part in held),
        )
        for (name, held), count in zip([*named_parts, ("head", parts[-1:])], blocks, strict=True)
    )


def to_json(told: Description) -> dict[str, Any]:
    """Return a description as plain values."""
    return {
        "name": told.name,
        **told.cost.to_json(),
        "layers": told.layers,
        "digest": told.architecture.digest,
        "image": [told.image.channels, told.image.height, told.image.width],
        "classes": told.image.classes,
        "architecture": told.architecture.to_json(),
        "stages": [
            {"part": row.part, "blocks": row.blocks, "channels": row.channels, "map": list(row.map)}
            | row.cost.to_json()
            for row in told.rows
        ],
        "paths": {
            "count": told.paths.count,
            "mean": told.paths.mean,
            "std": told.paths.std,
            "shortest": told.paths.shortest,
            "longest": told.paths.longest,
            "lengths": {str(length): number for length, number in sorted(told.paths.lengths.items())},
        },
        "published": [_result(found) for found in told.published],
        "nearest_published": _result(told.near) if told.near else None,
    }


def _result(found: Result) -> dict[str, Any]:
    fields = ("network", "settings", "data", "params", "error_percent", "source")
    return {name: getattr(found, name) for name in fields}
