"""Describe one residual network as a value: frozen, validated, canonical, hashable.

Two forms of the same network. `Architecture` holds the few fields a person names (the papers' symbols). `plan` turns
it into `Plan`, the list of blocks with every width written out; a network is built from its plan alone, so equal
plans are equal networks, and the digest is the plan's.

Sources: He et al. 2015 (sections 3.3 and 4.2), He et al. 2016, Zagoruyko & Komodakis 2016 (table 1), Xie et al. 2017
(section 3.1 and the authors' width rule).
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from spaces.errors import InfeasibleArchitecture, InputError, unknown

DROPOUTS = ("none", "between", "after", "shortcut", "head")
SHORTCUTS = ("A", "B", "C")
STEMS = ("small", "large")
STRIDES_IN = ("first", "3x3")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockKind:
    """Say what a named block is made of, as far as widths and canonical form need it."""

    expansion: int = 1  # output width over stage width
    grouped: bool = False  # cardinality matters
    preactivated: bool = False  # BN and ReLU stand before the convolutions


KINDS: dict[str, BlockKind] = {
    "basic": BlockKind(),
    "bottleneck": BlockKind(expansion=4),
    "resnext": BlockKind(expansion=4, grouped=True),
    "preact": BlockKind(preactivated=True),
    "preact_bottleneck": BlockKind(expansion=4, preactivated=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """Say what a network reads, `c h w`, and how many classes it tells apart."""

    channels: int = 3
    height: int = 32
    width: int = 32
    classes: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec:
    """Write out one block."""

    kind: str
    in_width: int
    inner_width: int
    out_width: int
    stride: int
    groups: int
    shortcut: str  # identity, pad or project
    stride_in: str  # first or 3x3: which convolution of a bottleneck strides
    dropout: str  # none, between, after or shortcut
    dropout_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Write out a whole network: stem, stages of blocks, head."""

    stem: str
    stem_width: int
    stages: tuple[tuple[BlockSpec, ...], ...]
    head_dropout_rate: float

    @property
    def preactivated(self) -> bool:
        """Say whether the head must normalise what the last block leaves raw."""
        return KINDS[self.stages[-1][-1].kind].preactivated

    @property
    def out_width(self) -> int:
        """Return the channels that reach the head."""
        return self.stages[-1][-1].out_width


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Name a residual network by the fields that papers name it by.

    Raises:
        InfeasibleArchitecture: the fields cannot go together.
        InputError: one field alone is wrong.
    """

    block: str = "basic"
    depths: tuple[int, ...] = (1, 1, 1)  # residual blocks in each stage
    widths: tuple[int, ...] = (16, 32, 64)  # channels of each stage before widening
    widening_factor: float = 1.0  # k: multiplies every stage's width, never the stem's
    cardinality: int = 1  # C: groups of the 3x3 in a resnext block
    base_width: int | None = None  # d: a bottleneck's inner width is floor(width d / 64) C; without it, the width
    shortcut: str = "B"  # A pads with zeros, B projects where the shape changes, C projects always
    stride_in: str = "3x3"  # which convolution of a bottleneck strides: first (He 2015) or 3x3 (torchvision)
    dropout: str = "none"
    dropout_rate: float = 0.0
    stem: str = "small"  # small: 3x3; large: 7x7 of stride 2, then a 3x3 max-pool of stride 2
    stem_width: int = 16
    stages: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depths", tuple(self.depths))
        object.__setattr__(self, "widths", tuple(self.widths))
        object.__setattr__(self, "stages", len(self.depths))
        _check_names(self)
        _check_numbers(self)
        plan(self)

    def canonical(self) -> "Architecture":
        """Return the same network with every field that does not matter at its default."""
        return replace(self, **{name: _DEFAULTS[name] for name in _dead_fields(self)})

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that equal networks share."""
        text = json.dumps(asdict(plan(self)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, tuples as lists."""
        listed = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in listed.items()}

    @classmethod
    def from_json(cls, described: dict[str, Any]) -> "Architecture":
        """Return the architecture that `to_json` described; unknown fields are an InputError."""
        for name in described.keys() - _DEFAULTS.keys():
            raise InputError(unknown("field", name, _DEFAULTS))
        return cls(**described)


_DEFAULTS: dict[str, Any] = {item.name: item.default for item in fields(Architecture) if item.init}


def _check_names(architecture: Architecture) -> None:
    known = {"block": KINDS, "dropout": DROPOUTS, "shortcut": SHORTCUTS, "stem": STEMS, "stride_in": STRIDES_IN}
    for name, options in known.items():
        given = getattr(architecture, name)
        if given not in options:
            raise InputError(unknown(name, given, options))


def _check_numbers(architecture: Architecture) -> None:
    depths, widths = architecture.depths, architecture.widths
    if not depths or len(depths) != len(widths):
        raise InfeasibleArchitecture(f"depths {list(depths)} and widths {list(widths)} must name the same stages")
    base_width = 1 if architecture.base_width is None else architecture.base_width
    whole = (*depths, *widths, architecture.cardinality, architecture.stem_width, base_width)
    if any(isinstance(number, bool) or not isinstance(number, int) or number < 1 for number in whole):
        raise InputError("depths, widths, cardinality, base_width and stem_width are whole numbers of at least 1")
    if not 0 < architecture.widening_factor < math.inf:
        raise InputError(f"widening_factor {architecture.widening_factor} is not a number above 0")
    if not 0 <= architecture.dropout_rate < 1:
        raise InputError(f"dropout_rate {architecture.dropout_rate} is not in [0, 1)")


def _dead_fields(architecture: Architecture) -> set[str]:
    kind = KINDS[architecture.block]
    dead: set[str] = set()
    if not kind.grouped:
        dead.add("cardinality")
    if kind.expansion == 1:
        dead.update({"base_width", "stride_in"})
    if architecture.dropout == "none" or architecture.dropout_rate == 0:
        dead.update({"dropout", "dropout_rate"})
    return dead


@lru_cache(maxsize=4096)
def plan(architecture: Architecture) -> Plan:
    """Write out every block of an architecture.

    Raises:
        InfeasibleArchitecture: a width comes to nothing, or the cardinality does not divide it.
    """
    stages: list[tuple[BlockSpec, ...]] = []
    width = architecture.stem_width
    for stage, depth in enumerate(architecture.depths):
        blocks: list[BlockSpec] = []
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            blocks.append(_block(architecture, stage, width, stride))
            width = blocks[-1].out_width
        stages.append(tuple(blocks))
    head = _rate(architecture) if architecture.dropout == "head" else 0.0
    return Plan(
        stem=architecture.stem, stem_width=architecture.stem_width, stages=tuple(stages), head_dropout_rate=head
    )


def _block(architecture: Architecture, stage: int, in_width: int, stride: int) -> BlockSpec:
    kind = KINDS[architecture.block]
    width = round(architecture.widths[stage] * architecture.widening_factor)
    if width < 1:
        raise InfeasibleArchitecture(
            f"widening_factor {architecture.widening_factor} leaves no channel of width "
            f"{architecture.widths[stage]} (stage {stage + 1})"
        )
    groups = architecture.cardinality if kind.grouped else 1
    inner = _inner_width(architecture, kind, stage, width, groups)
    out = width * kind.expansion
    rate = _rate(architecture) if architecture.dropout not in ("none", "head") else 0.0
    return BlockSpec(
        kind="bottleneck" if kind.grouped and groups == 1 else architecture.block,
        in_width=in_width,
        inner_width=inner,
        out_width=out,
        stride=stride,
        groups=groups,
        shortcut=_shortcut(architecture.shortcut, in_width, out, stride),
        stride_in=architecture.stride_in if kind.expansion > 1 and stride > 1 else "first",
        dropout=architecture.dropout if rate else "none",
        dropout_rate=rate,
    )


def _rate(architecture: Architecture) -> float:
    """Return the dropout rate with nothing always written 0.0: the digest reads 0 and -0.0 as other texts."""
    return architecture.dropout_rate or 0.0


def _inner_width(architecture: Architecture, kind: BlockKind, stage: int, width: int, groups: int) -> int:
    if kind.expansion > 1 and architecture.base_width is not None:
        group_width = width * architecture.base_width // 64
        if group_width < 1:
            raise InfeasibleArchitecture(
                f"base_width {architecture.base_width} leaves no channel of width {width} (stage {stage + 1})"
            )
        return group_width * groups
    if width % groups:
        raise InfeasibleArchitecture(
            f"cardinality {groups} does not divide width {width} (block {architecture.block}, stage {stage + 1})"
        )
    return width


def _shortcut(option: str, in_width: int, out_width: int, stride: int) -> str:
    changes = stride > 1 or in_width != out_width
    if option == "C" or (option == "B" and changes):
        return "project"
    if not changes:
        return "identity"
    if in_width > out_width:
        raise InfeasibleArchitecture(f"shortcut A cannot pad {in_width} channels down to {out_width}")
    return "pad"
