"""Describe one residual network as a value: frozen, validated, canonical, hashable.

Two forms of the same network. `Architecture` holds the few fields a person names (the papers' symbols). `plan` turns
it into `Plan`, the list of blocks with every width written out; a network is built from its plan alone, so equal
plans are equal networks, and the digest is that of the plan's graph.
"""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from spaces.domains import Scalar
from spaces.errors import InfeasibleArchitecture, InputError, unknown
from spaces.fields import DEFAULTS, FIELDS, GATED, LAYERED, Fields
from spaces.graph import graph_of
from spaces.kinds import KINDS, blocks_at, kind_of
from spaces.layouts import Site, scaled
from spaces.plan import BlockSpec, HeadSpec, LevelSpec, Plan, StemSpec

STEMS = {
    "small": (3, 1, False),
    "small_biased": (3, 1, False),
    "strided": (3, 2, False),
    "biased": (3, 2, False),
    "large": (7, 2, True),
    "huge": (11, 4, True),
    "strided_pool": (3, 2, True),
    "none": (0, 1, False),
}
DECAYING = ("branch", "swapout")  # placements whose rate may grow with depth
STEMS["large_bare"] = STEMS["large"]  # kernel, stride, pool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """What a network reads, `c h w`, and how many classes it tells apart."""

    channels: int = 3
    height: int = 32
    width: int = 32
    classes: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture(Fields):
    """Name a network by its fields, and be sure that it can be built.

    Raises:
        InfeasibleArchitecture: the fields cannot go together.
        InputError: one field alone is wrong.
    """

    def __post_init__(self) -> None:
        Fields.__post_init__(self)  # dataclasses with slots have no super()
        plan(self)

    def canonical(self) -> "Architecture":
        """Return the same network with every field that does not matter at its default."""
        # Of what nobody has set the value is the default itself; to make it anew would check all fields again.
        set_dead = {name: value for name, value in _dead_fields(self).items() if getattr(self, name) is not value}
        return replace(self, **set_dead) if set_dead else self

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that equal networks share."""
        return _digest(self)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, tuples as lists."""
        listed = {name: getattr(self, name) for name in FIELDS}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in listed.items()}

    @classmethod
    def from_json(cls, described: dict[str, Any]) -> "Architecture":
        """Return the architecture that `to_json` described; unknown fields are an InputError."""
        if "network" in described:
            return OwnNetwork.from_json(described)
        for name in described.keys() - DEFAULTS.keys():
            raise InputError(unknown("field", name, DEFAULTS))
        return cls(**described)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNetwork(Architecture):
    """Name a network that a function of a person's own builds; the fields of the grammar say nothing of it."""

    network: str  # package:function
    source: str  # the hash of the package's source
    options: tuple[tuple[str, Scalar], ...] = ()  # what the function is given beside the image, by name

    def __post_init__(self) -> None:
        """Check nothing: whether it can be built, the function tells."""

    def canonical(self) -> "OwnNetwork":
        """Return itself: nobody knows which options do not matter."""
        return self

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits of the source, the function and its options."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return what it is built from as plain values."""
        return {"network": self.network, "source": self.source, "options": dict(self.options)}

    @classmethod
    def from_json(cls, described: dict[str, Any]) -> "OwnNetwork":
        """Return the network that `to_json` described; anything else is an InputError."""
        options = described.get("options")
        if described.keys() != {"network", "source", "options"} or not isinstance(options, dict):
            raise InputError(f"network {described.get('network')!r} is not told by network, source and options alone")
        return cls(network=described["network"], source=described["source"], options=tuple(sorted(options.items())))


@lru_cache(maxsize=4096)
def _digest(architecture: Architecture) -> str:
    text = json.dumps(graph_of(plan(architecture)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def usual_widths(stages: int) -> tuple[int, ...]:
    """Return the widths that stand where none matter: 16, doubled at each later stage."""
    return tuple(16 * 2**stage for stage in range(stages))


def usual_strides(stages: int) -> tuple[int, ...]:
    """Return the strides that stand where none are given: 1, then 2."""
    return (1,) + (2,) * (stages - 1)


def strides_of(fields: Fields) -> tuple[int, ...]:
    """Return the stride of each stage's first block."""
    return fields.strides or usual_strides(len(fields.depths))


def _dead_fields(given: Architecture) -> dict[str, Any]:
    """Return the fields that do not matter, with what stands for them."""
    kind = KINDS[given.block]
    bottleneck = kind.expansion > 1 and kind.makes != "dense"
    alive = {
        "cardinality": kind.grouped,
        "branches": kind.makes == "residual",
        "levels": kind.makes == "residual",
        "attention": kind.makes == "residual",
        "reduction": kind.makes == "residual" and given.attention != "none",
        "stage_kernels": kind.makes == "chain" and set(given.stage_kernels or (3,)) != {3},
        "downsampling": kind.makes == "chain" and any(stride > 1 for stride in strides_of(given)),
        "base_width": bottleneck,
        "stride_in": bottleneck and any(stride > 1 for stride in strides_of(given)),
        "kernels": kind.sequence,
        "columns": kind.makes == "fractal",
        "doubling": kind.makes == "fractal",
        "unit_rate": kind.makes == "fractal" and given.unit_rate > 0,
        "stem_width": given.stem != "none",
        "growth": kind.makes == "dense",
        "compression": kind.makes == "dense" and len(given.depths) > 1,
        "shortcut": kind.shortcuts,
        "gate_bias": kind.makes == "highway" or (kind.shortcuts and given.shortcut in GATED),
        "order": kind.order is None,
        "fusion": kind.makes == "merge_run",
        "strides": given.strides != usual_strides(len(given.depths)),
        "head_scale": given.head == "cosine",
        "head_width": given.head in ("pointwise", *LAYERED),
        "head_map": given.head in LAYERED,
        **_alive_dropout(given),
    }
    dead = {name: DEFAULTS[name] for name, matters in alive.items() if not matters}
    return dead | ({"widths": usual_widths(len(given.depths))} if kind.makes == "dense" else {})


def _alive_dropout(given: Fields) -> dict[str, bool]:
    drops = given.dropout != "none" and given.dropout_rate > 0
    branch = drops and given.dropout == "branch"
    decays = drops and given.dropout in DECAYING
    path = drops and given.dropout == "path"
    return {"dropout": drops, "dropout_rate": drops, "drop_decay": decays, "drop_unit": branch, "drop_global": path}


@lru_cache(maxsize=4096)
def plan(architecture: Fields) -> Plan:
    """Write out every block of an architecture.

    Raises:
        InfeasibleArchitecture: naming the two fields that cannot go together.
        InputError: nothing is known by the name of its block, or a function of a person's own builds it.
    """
    if isinstance(architecture, OwnNetwork):
        raise InputError(f"{architecture.network} builds its network itself: there is no plan of its blocks")
    kind = kind_of(architecture)
    stem_width = _stem_width(architecture)
    stages: list[tuple[BlockSpec, ...]] = []
    streams, width = 1, stem_width
    for stage in range(len(architecture.depths)):
        blocks = _stage(architecture, stage, width, streams)
        width, streams = blocks[-1].out_width, blocks[-1].streams_out
        stages.append(blocks)
    first, last = stages[0][0], stages[-1][-1]
    made = Plan(stem=_stem(architecture, stem_width, first), stages=tuple(stages), head=_head(architecture, last))
    return _with_levels(made, architecture.levels) if kind.makes == "residual" else made


def _stem_width(given: Fields) -> int:
    """Return the channels that the stem puts out: those of the image, told as 0, where there is none."""
    kind = KINDS[given.block]
    if given.stem == "none":
        if kind.makes != "fractal":
            raise InfeasibleArchitecture(f"stem none is for blocks of columns, and block {given.block} has none")
        return 0
    width = given.stem_width
    return scaled(width, given, f"stem_width {width}") if kind.widens_stem else width


def _with_levels(given: Plan, levels: int) -> Plan:
    """Lay shortcuts around all blocks, and around each stage (Zhang et al. 2016)."""
    if levels == 1:
        return given
    inner = tuple(_level(stage, leaves=stage is not given.stages[-1]) for stage in given.stages) if levels == 3 else ()
    ends = range(len(given.stages)) if levels == 3 else (len(given.stages) - 1,)
    stages = tuple(
        (*stage[:-1], replace(stage[-1], leaves=False)) if index in ends else stage
        for index, stage in enumerate(given.stages)
    )
    return replace(given, stages=stages, levels=inner, root=_level(given.blocks, leaves=True))


def _level(blocks: tuple[BlockSpec, ...], *, leaves: bool) -> LevelSpec:
    return LevelSpec(
        in_width=blocks[0].in_width,
        out_width=blocks[-1].out_width,
        stride=math.prod(spec.stride for spec in blocks),
        order=blocks[-1].order,
        leaves=leaves,
    )


def _stage(given: Fields, stage: int, in_width: int, streams: int) -> tuple[BlockSpec, ...]:
    kind, blocks = KINDS[given.block], list[BlockSpec]()
    width = given.widths[stage]
    # A dense layer has no use for its stage's width.
    width = width if kind.makes == "dense" else scaled(width, given, f"width {width} (stage {stage + 1})")
    strides = given.depths[stage] - 1 if kind.strides_last else 0  # which block does
    for index in range(given.depths[stage]):
        number = sum(given.depths[:stage]) + index + 1
        site = Site(
            stage=stage + 1,
            in_width=blocks[-1].out_width if blocks else in_width,
            streams=blocks[-1].streams_out if blocks else streams,
            width=width,
            stride=strides_of(given)[stage] if index == strides else 1,
            kernel=given.stage_kernels[stage] if given.stage_kernels else 3,
            begins=stage == 0 and index == 0,
            opens=stage > 0 and index == 0,
            last=number == sum(given.depths),
            share=(number - 1) / (sum(given.depths) - 1) if sum(given.depths) > 1 else 1.0,
        )
        blocks += blocks_at(given, site, _rate(given, number))
    return tuple(blocks)


def _rate(given: Fields, number: int) -> float:
    """Return the dropout rate of the block of that number, from 1; nothing is always written 0.0, never -0.0."""
    if given.dropout in DECAYING and given.drop_decay == "linear":
        return given.dropout_rate * number / sum(given.depths) or 0.0
    return given.dropout_rate or 0.0


def _stem(given: Fields, width: int, first: BlockSpec) -> StemSpec:
    """Lay out the stem; a small one leaves normalisation and ReLU to a block that begins with them."""
    kernel, stride, pool = STEMS[given.stem]
    biased = given.stem in ("biased", "small_biased", "huge")
    norm = given.stem not in ("large_bare", "none") and not biased and (pool or not first.preactivated)
    activated = norm or biased
    halves = activated and given.activation == "crelu"
    if halves and width % 2:
        raise InfeasibleArchitecture(f"activation crelu cannot halve stem_width {width}")
    return StemSpec(
        kernel=kernel,
        stride=stride,
        conv_width=width // 2 if halves else width,
        width=width,
        norm=norm,
        bias=biased or (first.bias and norm),
        activated=activated,
        pool=pool,
        narrow=given.stem == "huge",
    )


def _head(given: Fields, last: BlockSpec) -> HeadSpec:
    """Lay out the head; cosines to fixed directions are taken of raw sums, as their authors do."""
    linear = given.head != "cosine"
    return HeadSpec(
        kind=given.head,
        width=last.out_width,
        norm=linear and last.preactivated,
        activated=linear and last.order in ("full", "relu_only"),
        dropout_rate=_rate(given, 1) if given.dropout == "head" else 0.0,
        scale=1.0 if linear else float(given.head_scale),  # 16 and 16.0 are equal, and written the same
        hidden=given.head_width if given.head in ("pointwise", *LAYERED) else 0,
        map=given.head_map if given.head in LAYERED else 1,
    )
