"""Name the parts of a network that can be taken out of it, and take them out for a while.

A block becomes its shortcut. Where that is the identity, what the block read goes on untouched, as if the network were
built without it; where it changes the shape, what follows the addition reads the shortcut alone. A branch beside others
becomes 0; where columns meet, the others join in their mean.

Some parts go through all blocks. A base network (Zhao et al. 2016) is what is left where one branch of each block and
the shortcuts stay; the deep one is the branches alone, as the plain network has them; the shallow one the shortcuts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spaces.blocks import Chain, Dense, Highway, Inception, MergeRun, MultiResidual, Residual, Transition
from spaces.fractals import Fractal
from spaces.network import Network
from spaces.plan import BlockSpec, Plan
from spaces.shuffles import Shuffled

Hook = Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor]
Hooks = tuple[tuple[nn.Module, Hook], ...]
SHAPE_STAYS = "its shortcut changes the shape, and stays"
NO_SHORTCUT = "has no shortcut"
STANDS_BESIDE = "what it makes stands beside what it read, and is read with it"
COLUMNS = "has columns and no shortcut"
OURS = (
    Residual,
    MultiResidual,
    Inception,
    MergeRun,
    Dense,
    Transition,
    Chain,
    Highway,
    Shuffled,
    Fractal,
)  # whose shortcuts are known
SIDE_BY_SIDE = (MultiResidual, Inception, MergeRun)  # blocks of several branches
JOINED = (Residual, MultiResidual, Inception, Highway)  # that hand shortcut and branch to what puts them together
NOT_OURS = "where its shortcut is, nobody knows here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What can be taken out, or why not."""

    what: str  # block or branch; of all blocks: base, deep, shallow, column or alone, which name what is left
    place: str  # stage and block, such as 2.1, and the branch behind it, each from 1; or the branch or column of all
    hooks: Hooks = ()  # that take it out
    columns: tuple[tuple[Fractal, frozenset[int]], ...] = ()  # of blocks, that are taken out
    note: str = ""
    removable: bool = True


def parts(network: Network, described: Plan) -> Iterator[Part]:
    """Yield every block, and behind it each of its branches where there are several side by side."""
    for place, block, spec in blocks_of(network, described):
        yield _block(place, block, spec)
        if len(beside := branches_of(block)) > 1:
            for number, branch in enumerate(beside, start=1):
                yield Part(what="branch", place=f"{place}.{number}", hooks=((branch, nothing),))


def branches_of(block: nn.Module) -> list[nn.Module]:
    """Return the branches that a block has side by side."""
    if type(block) not in OURS or not isinstance(block, SIDE_BY_SIDE):
        return []
    return list(block.branches)


def blocks_of(network: Network, described: Plan) -> Iterator[tuple[str, nn.Module, BlockSpec]]:
    """Yield each block with its place and specification."""
    for stage, (blocks, specs) in enumerate(zip(network.stages, described.stages, strict=True), start=1):
        assert isinstance(blocks, nn.Sequential)
        for number, (block, spec) in enumerate(zip(blocks, specs, strict=True), start=1):
            yield f"{stage}.{number}", block, spec


def _block(place: str, block: nn.Module, spec: BlockSpec) -> Part:
    if why := _why_not(block):
        return Part(what="block", place=place, note=why, removable=False)
    if isinstance(block, MergeRun):
        merged = "both streams become the mean of their shortcuts"
        return Part(what="block", place=place, hooks=tuple((each, nothing) for each in branches_of(block)), note=merged)
    if isinstance(block, Shuffled):
        strides = spec.stride > 1
        hook = (block.branch, nothing) if strides else (block, untouched)
        return Part(what="block", place=place, hooks=(hook,), note=SHAPE_STAYS if strides else "")
    if isinstance(block, Highway) or spec.shortcut == "identity":
        return Part(what="block", place=place, hooks=((block, untouched),))
    join = block.join
    assert isinstance(join, nn.Module)
    return Part(what="block", place=place, hooks=((join, through),), note=SHAPE_STAYS)


def _why_not(block: nn.Module) -> str:
    """Return why a block cannot be taken out, or nothing."""
    if type(block) not in OURS:  # a package's may be one of ours, changed
        return NOT_OURS
    if isinstance(block, (Residual, MultiResidual, Inception)):
        return NO_SHORTCUT if block.shortcut is None else ""
    if isinstance(block, MergeRun):
        return "" if len(block.shortcuts) else NO_SHORTCUT
    if isinstance(block, Fractal):
        return COLUMNS
    if isinstance(block, Dense) or (isinstance(block, Shuffled) and block.beside):
        return STANDS_BESIDE
    return "" if isinstance(block, (Highway, Shuffled)) else NO_SHORTCUT


def bases(network: Network, described: Plan) -> Iterator[Part]:
    """Yield what goes through all blocks: each base network, the deep and the shallow one, each column."""
    blocks = [(block, _block(place, block, spec)) for place, block, spec in blocks_of(network, described)]
    yield from _branches([block for block, _ in blocks])
    known = [(block, part) for block, part in blocks if part.removable and not isinstance(block, Shuffled)]
    if known:
        stays = len(blocks) - len(known)
        note = f"{stays} of {len(blocks)} blocks have no shortcut to take, and stay" if stays else ""
        yield Part(what="shallow", place="", hooks=tuple(each for _, part in known for each in part.hooks), note=note)
        around = tuple((level.shortcut, nothing) for level in (*network.levels, network.root) if level is not None)
        deep = tuple(branch_alone(block) for block, _ in known)
        yield Part(what="deep", place="", hooks=(*deep, *around))
    yield from _columns([block for block, _ in blocks if isinstance(block, Fractal) and len(block.columns) > 1])


def branch_alone(block: nn.Module) -> tuple[nn.Module, Hook]:
    """Return the hook that leaves a block what its branches make alone."""
    if isinstance(block, MergeRun):
        return block.dropout, nothing  # which the mean of the shortcuts goes through
    assert isinstance(block, JOINED)
    return block.join, _added


def _branches(blocks: Sequence[nn.Module]) -> Iterator[Part]:
    beside = [branches for block in blocks if len(branches := branches_of(block)) > 1]
    for number in range(len(beside[0]) if beside else 0):
        others = tuple((each, nothing) for branches in beside for at, each in enumerate(branches) if at != number)
        yield Part(what="base", place=str(number + 1), hooks=others)


def _columns(blocks: Sequence[Fractal]) -> Iterator[Part]:
    """Yield the network without each column, then each column alone."""
    numbers = range(len(blocks[0].columns) if blocks else 0)
    for what, is_gone in (("column", int.__eq__), ("alone", int.__ne__)):
        for column in numbers:
            gone = frozenset(each for each in numbers if is_gone(each, column))
            yield Part(what=what, place=str(column + 1), columns=tuple((block, gone) for block in blocks))


def untouched(_block: nn.Module, inputs: tuple[Any, ...], _out: Tensor) -> Tensor:
    """Put out what was read."""
    read: Tensor = inputs[0]
    return read


def through(_join: nn.Module, inputs: tuple[Any, ...], _out: Tensor) -> Tensor:
    """Put out the shortcut, of what stands where it meets the branch."""
    found: Tensor = inputs[1]
    return found


def _added(_join: nn.Module, inputs: tuple[Any, ...], _out: Tensor) -> Tensor:
    """Put out the branch, of what stands where it meets the shortcut; one that is dropped is a scalar 0."""
    _, beside, added = inputs
    found: Tensor = added if added.ndim else added.expand_as(beside)
    return found


def nothing(_branch: nn.Module, _inputs: tuple[Any, ...], out: Tensor) -> Tensor:
    """Put out 0."""
    return torch.zeros_like(out)


@contextmanager
def without(*taken: Part) -> Iterator[None]:
    """Take parts out of their network, and put them back in the end."""
    with ExitStack() as stack:
        for module, hook in (each for part in taken for each in part.hooks):
            stack.callback(module.register_forward_hook(hook).remove)
        for block, gone in (each for part in taken for each in part.columns):
            stack.callback(setattr, block, "gone", block.gone)
            block.gone = gone
        yield


@contextmanager
def swapped(blocks: nn.Sequential, first: int) -> Iterator[None]:
    """Let a block and the next one change their places, and put them back in the end."""
    one, other = blocks[first], blocks[first + 1]
    blocks[first], blocks[first + 1] = other, one
    try:
        yield
    finally:
        blocks[first], blocks[first + 1] = one, other


def swappable(specs: Sequence[BlockSpec]) -> list[int]:
    """Return the places, from 0, of blocks of a stage that may change with the next: both keep one shape."""
    keeps = [
        spec.in_width == spec.out_width and spec.stride == spec.pool == 1 and spec.streams_in == spec.streams_out
        for spec in specs
    ]
    return [
        place
        for place in range(len(specs) - 1)
        if keeps[place] and keeps[place + 1] and specs[place].in_width == specs[place + 1].in_width
        and specs[place].streams_in == specs[place + 1].streams_in
    ]  # fmt: skip
