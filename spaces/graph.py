"""Tell equal networks by what they compute: one list of operations, whatever fields and blocks it was described by.

Where stages and blocks begin is left out, as far as nothing but a chain of operations passes from one to the next: a
plain network is one list in every order of normalisation and ReLU, and full pre-activation whose every block projects
is normalisation after the addition.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import zip_longest
from typing import Any

from spaces.plan import BlockSpec, Conv, HeadSpec, LevelSpec, Plan, StemSpec

RELU = "relu"
LATER = (
    ("branches", 1),
    ("mix", "sum"),
    ("gate_bias", 0.0),
    ("pool", 1),
    ("overlaps", False),
    ("bias", False),
    ("squeeze", 0),
    ("leaves", True),
    ("columns", 1),
    ("drop_global", 0.0),
    ("unit_rate", 0.0),
)


def graph_of(described: Plan) -> list[Any]:
    """Return the operations of a network as plain values, equal for equal networks."""
    body: list[Any] = []
    for stage, level in zip_longest(described.stages, described.levels):
        steps = [step for spec in stage for step in _block(spec)]
        body += _around(level, steps)
    found: list[Any] = [*_stem(described.stem), *_around(described.root, body), *_head(described.head)]
    # What is positive already passes a second ReLU as it is.
    return [step for step, before in zip(found, [None, *found[:-1]], strict=True) if (step, before) != (RELU, RELU)]


def _around(level: LevelSpec | None, steps: list[Any]) -> list[Any]:
    """Return what blocks do, with a shortcut around them where there is one."""
    if level is None:
        return steps
    normalised = level.order not in ("full", "bn_after_addition")
    around = ["around", steps, normalised, level.in_width, level.out_width, level.stride]
    return [around, *(_leaving(level.order) if level.leaves else [])]


def _leaving(order: str) -> list[str]:
    """Return what follows an addition."""
    return {"bn_after_addition": ["norm", RELU], "original": [RELU]}.get(order, [])


def _stem(spec: StemSpec) -> Iterator[Any]:
    yield from [["conv", spec.kernel, spec.stride, spec.conv_width, spec.bias]] if spec.kernel else []
    yield from ["norm"] if spec.norm else []
    yield from [_activation(spec.conv_width, spec.width)] if spec.activated else []
    yield from [["pool", "narrow"] if spec.narrow else "pool"] if spec.pool else []


def _head(spec: HeadSpec) -> Iterator[Any]:
    yield from ["norm"] if spec.norm else []
    yield from [RELU] if spec.activated else []
    hidden = [spec.hidden, spec.map] if spec.hidden else []
    yield ["head", spec.kind, spec.width, spec.dropout_rate, spec.scale, *hidden]


def _block(spec: BlockSpec) -> Iterator[Any]:
    if spec.kind == "chain":
        yield from [["maxpool", spec.pool, *(["overlaps"] if spec.overlaps else [])]] if spec.pool > 1 else []
        yield from _convs(spec, activated=len(spec.branch))
        yield from _dropped(spec, "after")
    elif spec.kind == "residual" or (spec.kind == "multi_residual" and not _is_inception(spec)):
        yield from _residual(spec)
    elif spec.kind == "fractal" and spec.columns == 1:
        yield from _column(spec)
    elif _is_inception(spec):
        yield _whole(replace(spec, kind="inception", branches=1))
    else:
        yield _whole(spec)


def _column(spec: BlockSpec) -> Iterator[Any]:
    (only,) = spec.branch
    yield _conv(only, bias=False)
    yield from [["dropout", spec.unit_rate]] if spec.unit_rate else []
    yield from [*_dropped(spec, "after"), "norm", _activation(only.out_width, spec.out_width)]
    yield from [["maxpool", spec.stride]] if spec.stride > 1 else []


def _is_inception(spec: BlockSpec) -> bool:
    """Whether a block of another kind is an Inception-like one: it merges a stream with itself, or has two branches."""
    merges = (spec.streams_in, spec.streams_out) == (1, 1) and not spec.projects and spec.shortcut != "conv"
    doubled = (spec.branches, spec.order, spec.squeeze) == (2, "original", 0)
    return (spec.kind == "merge_run" and merges) or (spec.kind == "multi_residual" and doubled)


def _whole(spec: BlockSpec) -> dict[str, Any]:
    """Return the fields of a block, without what was added later and says nothing, so that digests stay."""
    return {name: value for name, value in asdict(spec).items() if (name, value) not in LATER}


def _residual(spec: BlockSpec) -> Iterator[Any]:
    enter = {"full": ["norm", RELU], "relu_only": [RELU]}.get(spec.order, [])
    leave = _leaving(spec.order) if spec.leaves else []
    branch = list(_convs(spec, activated=len(spec.branch) - (spec.order != "relu_before_addition")))
    # What follows the last convolution is the block's own only where the addition does not come first.
    branch += ["norm"] if spec.order in ("original", "relu_only") else []
    branch += [["squeeze", spec.squeeze]] if spec.squeeze else []
    if spec.shortcut == "none" and spec.branches == 1:
        yield from [*enter, *branch]
    elif spec.order == "full" and spec.projects:
        yield from [*enter, _sum(spec, branch)]  # both ways read what was entered with
    else:
        yield _sum(spec, [*enter, *branch])
    yield from leave
    yield from _dropped(spec, "after")


def _sum(spec: BlockSpec, branch: list[Any]) -> list[Any]:
    normalised = spec.projects and spec.order not in ("full", "bn_after_addition")
    drops = (
        [spec.dropout, spec.dropout_rate, spec.drop_unit] if spec.dropout in ("shortcut", "branch", "swapout") else []
    )
    branches = branch if spec.branches == 1 else [spec.branches, branch]
    mix = [] if spec.mix == "sum" else [spec.mix, spec.gate_bias]
    return ["sum", branches, spec.shortcut, normalised, spec.in_width, spec.out_width, spec.stride, drops, *mix]


def _convs(spec: BlockSpec, *, activated: int) -> Iterator[Any]:
    """Return each convolution, and normalisation and activation behind the first `activated` of them."""
    reads = [*(conv.in_width for conv in spec.branch[1:]), spec.out_width]
    for index, (conv, width) in enumerate(zip(spec.branch, reads, strict=True)):
        if index + 1 == len(spec.branch):
            yield from _dropped(spec, "between")
        yield _conv(conv, bias=spec.bias or not spec.norm)
        if index < activated:
            yield from ["norm"] if spec.norm else []
            yield _activation(conv.out_width, width)


def _conv(conv: Conv, *, bias: bool) -> list[Any]:
    return ["conv", conv.kernel, conv.stride, conv.out_width, bias, conv.in_width, conv.groups]


def _activation(width: int, reads: int) -> str:
    return RELU if width == reads else "crelu"


def _dropped(spec: BlockSpec, placement: str) -> Iterator[Any]:
    if spec.dropout == placement:
        yield ["dropout", spec.dropout_rate]
