"""Take parts out of a trained network, one or several at a time, and measure what that does to its error.

In a residual network most blocks can go one by one, as the rest is an ensemble of shorter paths; in a plain one none
can (Veit et al. 2016). Weights and the statistics of normalisations stay as training left them.

A block becomes its shortcut. Where that is the identity, what the block read goes on untouched, as if the network were
built without it; where it changes the shape, what follows the addition reads the shortcut alone. A branch beside others
becomes 0.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import torch
from torch import Tensor, nn

from spaces.blocks import Chain, Dense, Highway, Inception, MergeRun, MultiResidual, Residual, Transition
from spaces.errors import InputError
from spaces.network import Network
from spaces.plan import BlockSpec, Plan
from workers.mistakes import change, error, mistakes
from workers.trainer import Trainer

Hook = Callable[[nn.Module, tuple[Any, ...], Tensor], Tensor]
SHAPE_STAYS = "its shortcut changes the shape, and stays"
NO_SHORTCUT = "has no shortcut"
STANDS_BESIDE = "what it makes stands beside what it read, and is read with it"
OURS = (
    Residual,
    MultiResidual,
    Inception,
    MergeRun,
    Dense,
    Transition,
    Chain,
    Highway,
)  # whose shortcuts are known
NOT_OURS = "where its shortcut is, nobody knows here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What can be taken out, or why not."""

    what: str  # block or branch
    place: str  # stage and block, such as 2.1, and the branch behind it, each from 1
    hooks: tuple[tuple[nn.Module, Hook], ...] = ()  # that take it out
    note: str = ""
    removable: bool = True


def parts(network: Network, described: Plan) -> Iterator[Part]:
    """Yield every block, and behind it each of its branches where there are several side by side."""
    for place, block, spec in _blocks(network, described):
        yield _block(place, block, spec)
        if len(beside := _branches(block)) > 1:
            for number, branch in enumerate(beside, start=1):
                yield Part(what="branch", place=f"{place}.{number}", hooks=((branch, _nothing),))


def _branches(block: nn.Module) -> list[nn.Module]:
    """Return the branches that a block has side by side."""
    if type(block) not in OURS or not isinstance(block, (MultiResidual, Inception, MergeRun)):
        return []
    return list(block.branches)


def _blocks(network: Network, described: Plan) -> Iterator[tuple[str, nn.Module, BlockSpec]]:
    for stage, (blocks, specs) in enumerate(zip(network.stages, described.stages, strict=True), start=1):
        assert isinstance(blocks, nn.Sequential)
        for number, (block, spec) in enumerate(zip(blocks, specs, strict=True), start=1):
            yield f"{stage}.{number}", block, spec


def _block(place: str, block: nn.Module, spec: BlockSpec) -> Part:
    if why := _why_not(block):
        return Part(what="block", place=place, note=why, removable=False)
    if isinstance(block, MergeRun):
        merged = "both streams become the mean of their shortcuts"
        return Part(what="block", place=place, hooks=tuple((each, _nothing) for each in _branches(block)), note=merged)
    if isinstance(block, Highway) or spec.shortcut == "identity":
        return Part(what="block", place=place, hooks=((block, _read),))
    join = block.join
    assert isinstance(join, nn.Module)
    return Part(what="block", place=place, hooks=((join, _through),), note=SHAPE_STAYS)


def _why_not(block: nn.Module) -> str:
    """Return why a block cannot be taken out, or nothing."""
    if type(block) not in OURS:  # a package's may be one of ours, changed
        return NOT_OURS
    if isinstance(block, (Residual, MultiResidual, Inception)):
        return NO_SHORTCUT if block.shortcut is None else ""
    if isinstance(block, MergeRun):
        return "" if len(block.shortcuts) else NO_SHORTCUT
    if isinstance(block, Dense):
        return STANDS_BESIDE
    return "" if isinstance(block, Highway) else NO_SHORTCUT


def _read(_block: nn.Module, inputs: tuple[Any, ...], _out: Tensor) -> Tensor:
    """Put out what was read."""
    read: Tensor = inputs[0]
    return read


def _through(_join: nn.Module, inputs: tuple[Any, ...], _out: Tensor) -> Tensor:
    """Put out the shortcut, of what stands where it meets the branch."""
    through: Tensor = inputs[1]
    return through


def _nothing(_branch: nn.Module, _inputs: tuple[Any, ...], out: Tensor) -> Tensor:
    return torch.zeros_like(out)


@contextmanager
def without(*taken: Part) -> Iterator[None]:
    """Take parts out of their network, and put them back in the end."""
    with ExitStack() as stack:
        for module, hook in (each for part in taken for each in part.hooks):
            stack.callback(module.register_forward_hook(hook).remove)
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


def lesions(
    trainer: Trainer, described: Plan, *, blocks: int | None = None, draws: int = 0, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield the error of the whole network, then without each part, without several at random, and with two swapped.

    Each row has the error and how much it is above that of the whole network, both with standard errors (fractions of
    the images), or a note on why there is none.

    Args:
        trainer: whose network was trained.
        described: its plan.
        blocks: how many are taken out at random.
        draws: how often; where there are no more ways than that, each once.
        seed: of the choice.

    Raises:
        InputError: fewer blocks than that can be taken out.
    """
    network = trainer.network
    assert isinstance(network, Network)
    found = list(parts(network, described))
    sets = _drawn([each for each in found if each.what == "block" and each.removable], blocks, draws, seed)
    whole = _wrong(trainer)
    yield {"what": "whole", "place": "", "note": None, **_told(whole, whole)}
    for part in found:
        yield _without(trainer, whole, part.what, [part])
    for taken in sets:
        yield _without(trainer, whole, "draw", taken)
    for stage, specs in enumerate(described.stages):
        for place in swappable(specs):
            with swapped(network.stages[stage], place):  # type: ignore[arg-type]  # stages hold sequences of blocks
                row = _told(_wrong(trainer), whole)
            name = f"{stage + 1}.{place + 1} and {stage + 1}.{place + 2}"
            yield {"what": "swap", "place": name, "note": None, **row}


def _without(trainer: Trainer, whole: Tensor, what: str, taken: Sequence[Part]) -> dict[str, Any]:
    row = {"what": what, "place": ", ".join(each.place for each in taken), "note": None}
    if len(taken) == 1:
        row["note"] = taken[0].note or None
    if not all(each.removable for each in taken):
        return {**row, **dict.fromkeys(("error", "error_se", "change", "change_se"))}
    with without(*taken):
        return {**row, **_told(_wrong(trainer), whole)}


def _drawn(removable: Sequence[Part], count: int | None, draws: int, seed: int) -> list[Sequence[Part]]:
    """Return sets of blocks, no two of them equal."""
    if count is None:
        return []
    if count > len(removable):
        raise InputError(f"{len(removable)} blocks can be taken out, not {count}", place="--blocks")
    if comb(len(removable), count) <= draws:
        return list(combinations(removable, count))
    rng, chosen = random.Random(seed), dict[tuple[int, ...], None]()  # no secret
    while len(chosen) < draws:
        chosen[tuple(sorted(rng.sample(range(len(removable)), count)))] = None
    return [[removable[place] for place in each] for each in chosen]


def _wrong(trainer: Trainer) -> Tensor:
    return mistakes(trainer.predicted(), trainer.data.val_labels.cpu())


def _told(wrong: Tensor, whole: Tensor) -> dict[str, Any]:
    share, deviation = error(wrong)
    more, spread = change(wrong, whole)
    return {"error": share, "error_se": deviation, "change": more, "change_se": spread}
