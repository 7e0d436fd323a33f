"""Name the blocks: KINDS says, for each name that `block` can take, how it is laid out and which fields it reads.

A new block is an entry here. Where its branches are put together in a way that no class of `spaces.blocks` knows, it
is a layout in `spaces.layouts` and a class there too.
"""

from dataclasses import replace

from spaces.errors import InfeasibleArchitecture, InputError, unknown
from spaces.fields import Fields
from spaces.layouts import (
    BOTTLENECK,
    BlockKind,
    Site,
    chain,
    dense,
    fractal,
    highway,
    merge_and_run,
    residual,
    separable,
    shuffled,
)
from spaces.plan import BlockSpec


def kind_of(fields: Fields) -> BlockKind:
    """Return what the name of the block stands for.

    Raises:
        InputError: nothing.
    """
    if fields.block not in KINDS:
        raise InputError(unknown("block", fields.block, KINDS))
    return KINDS[fields.block]


def blocks_at(fields: Fields, site: Site, dropout_rate: float) -> tuple[BlockSpec, ...]:
    """Return what stands at a site: one block, or a transition and a dense layer.

    Raises:
        InfeasibleArchitecture: naming the two fields in conflict.
    """
    kind = kind_of(fields)
    placed = fields.dropout if dropout_rate and fields.dropout not in ("none", "head") else "none"
    _check_dropout(kind, fields, placed)
    return tuple(_with_dropout(spec, placed, fields, dropout_rate) for spec in kind.lay(kind, fields, site))


def _check_dropout(kind: BlockKind, fields: Fields, placed: str) -> None:
    if placed in AROUND:
        if not kind.shortcuts:
            raise InfeasibleArchitecture(f"dropout {placed} needs a shortcut, and block {fields.block} has none")
        if fields.shortcut == "none":
            raise InfeasibleArchitecture(f"dropout {placed} needs a shortcut, and shortcut is none")
        if placed == "swapout" and "@" in kind.makes:
            raise InfeasibleArchitecture(
                f"dropout swapout needs a block of ours, and block {fields.block} is a package's"
            )
    _check_columns(kind, fields, placed)
    if placed == "between":
        if fields.block in SINGLE:
            raise InfeasibleArchitecture(f"dropout between needs two convolutions, and block {fields.block} has one")
        if kind.sequence and len(fields.kernels) == 1:
            raise InfeasibleArchitecture(f"dropout between needs two convolutions, and kernels is {fields.kernels[0]}")


def _check_columns(kind: BlockKind, fields: Fields, placed: str) -> None:
    columned = kind.makes == "fractal"
    if placed == "after" and columned and fields.unit_rate > 0:
        raise InfeasibleArchitecture(f"dropout after drops units already, and unit_rate is {fields.unit_rate}")
    if placed == "between" and columned:
        raise InfeasibleArchitecture(f"dropout between needs one branch, and block {fields.block} has columns")
    if placed == "path" and not columned:
        raise InfeasibleArchitecture(f"dropout path needs columns, and block {fields.block} has none")
    if placed == "path" and fields.columns == 1:
        raise InfeasibleArchitecture("dropout path needs columns to choose from, and columns is 1")


def _with_dropout(spec: BlockSpec, placed: str, fields: Fields, rate: float) -> BlockSpec:
    bare = spec.shortcut == "none" and placed in AROUND  # nothing to drop, or nothing would be left
    between = placed == "between" and len(spec.branch) == 1  # a transition
    doubler = spec.kind == "fractal" and spec.branch[0].kernel == 1
    if placed == "none" or bare or between or doubler:
        return spec
    unit = fields.drop_unit if placed == "branch" else spec.drop_unit
    share = float(fields.drop_global) if placed == "path" else spec.drop_global
    return replace(spec, dropout=placed, dropout_rate=rate, drop_unit=unit, drop_global=share)


def _two_branches(makes: str, expansion: int = 1) -> BlockKind:
    lay = merge_and_run if makes == "merge_run" else residual
    return BlockKind(lay=lay, makes=makes, expansion=expansion, widens_stem=True)


AROUND = ("shortcut", "branch", "swapout")  # placements that need a shortcut
SINGLE = ("dense", "conv", "biased_conv", "biased_norm_conv", "highway")  # of one convolution

KINDS: dict[str, BlockKind] = {
    "basic": BlockKind(lay=residual, makes="residual", order=None, sequence=True),
    "bottleneck": BlockKind(lay=residual, makes="residual", order=None, expansion=BOTTLENECK),
    "resnext": BlockKind(lay=residual, makes="residual", order=None, expansion=BOTTLENECK, grouped=True),
    "preact": BlockKind(lay=residual, makes="residual", order="full", sequence=True),
    "preact_bottleneck": BlockKind(lay=residual, makes="residual", order="full", expansion=BOTTLENECK),
    "inception": _two_branches("inception"),
    "inception_bottleneck": _two_branches("inception", BOTTLENECK),
    "merge_run": _two_branches("merge_run"),
    "merge_run_bottleneck": _two_branches("merge_run", BOTTLENECK),
    "dense": BlockKind(lay=dense, makes="dense", order="full", shortcuts=False),
    "dense_bottleneck": BlockKind(lay=dense, makes="dense", order="full", shortcuts=False, expansion=BOTTLENECK),
    "separable": BlockKind(lay=separable, makes="chain", shortcuts=False, widens_stem=True),
    "conv": BlockKind(lay=chain, makes="chain", shortcuts=False, widens_stem=True),
    "biased_conv": BlockKind(lay=chain, makes="chain", shortcuts=False, widens_stem=True, norm=False),
    "biased_norm_conv": BlockKind(lay=chain, makes="chain", shortcuts=False, widens_stem=True, bias=True),
    "highway": BlockKind(lay=highway, makes="highway", shortcuts=False, widens_stem=True, norm=False),
    "shuffle": BlockKind(lay=shuffled, makes="shuffle", grouped=True, shortcuts=False, widens_stem=True),
    "fractal": BlockKind(lay=fractal, makes="fractal", shortcuts=False, widens_stem=True, strides_last=True),
}
