"""Follow single paths through a trained network, and say what those of each length come to.

Paths are those of Veit et al. 2016 (section 4). One takes a branch or the shortcut in each block that has both; its
length here is the blocks whose branch it takes. By itself it is what the network says where everything else is 0. Its
share in the whole is told by gradients: the whole network is computed, and the gradient of its loss goes back to the
first block along that path alone.
"""

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations, product
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor, nn

from spaces.blocks import MergeRun
from spaces.errors import InputError
from spaces.network import Network
from spaces.plan import Plan
from workers import classification
from workers.mistakes import error, mistakes
from workers.parts import JOINED, OURS, Hook, Hooks, blocks_of, branch_alone, branches_of, nothing, through
from workers.trainer import EVAL_BATCH, Trainer

Route = tuple[int | None, ...]  # of each block with both: the branch that is taken, or none for the shortcut


def lengths(trainer: Trainer, described: Plan, *, draws: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield for each length how many paths have it, the error of one alone, and the share of them all in the gradient.

    Args:
        trainer: whose network was trained.
        described: its plan.
        draws: paths of each length that are followed; where there are no more, each once.
        seed: of the choice.

    Raises:
        InputError: no block has both a shortcut and a branch that is known.
    """
    forks = _forks(trainer, described)
    found = [_length(trainer, forks, length, draws, seed) for length in range(len(forks) + 1)]
    total = math.fsum(row["paths"] * row["gradient"] for row in found)
    for row in found:
        yield {**row, "share": row["paths"] * row["gradient"] / total if 0 < total < math.inf else None}


def _forks(trainer: Trainer, described: Plan) -> list[nn.Module]:
    assert isinstance(trainer.network, Network)
    blocks = [block for _, block, _ in blocks_of(trainer.network, described) if type(block) in OURS]
    forks: list[nn.Module] = [
        block
        for block in blocks
        if (isinstance(block, MergeRun) and len(block.shortcuts))
        or (isinstance(block, JOINED) and getattr(block, "shortcut", block) is not None)
    ]
    if not forks:
        raise InputError("no block has both a shortcut and a branch that can be followed by itself", place="--paths")
    return forks


def _ways(block: nn.Module) -> int:
    """Return how many branches a path may take; both of two streams are one."""
    return 1 if isinstance(block, MergeRun) else max(1, len(branches_of(block)))


def _length(trainer: Trainer, forks: Sequence[nn.Module], length: int, draws: int, seed: int) -> dict[str, Any]:
    ways = [_ways(block) for block in forks]
    routes = _drawn(ways, length, draws, random.Random(f"{seed} {length}"))  # no secret
    errors = [_error(trainer, forks, route) for route in routes]
    gradients = [_gradient(trainer, forks, route) for route in routes]
    spread = stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else None
    return {
        "what": "length", "place": str(length), "note": None, "paths": _count(ways, length), "followed": len(routes),
        "error": fmean(errors), "error_se": spread, "change": None, "change_se": None, "gradient": fmean(gradients),
    }  # fmt: skip


def _count(ways: Sequence[int], length: int) -> int:
    counts = [1]  # of each length so far
    for each in ways:
        counts = [around + each * along for around, along in zip([*counts, 0], [0, *counts], strict=True)]
    return counts[length]


def _drawn(ways: Sequence[int], length: int, draws: int, rng: random.Random) -> list[Route]:
    """Return routes of a length, no two of them equal."""
    blocks = range(len(ways))
    if _count(ways, length) <= draws:
        return [
            _route(len(ways), zip(taken, branches, strict=True))
            for taken in combinations(blocks, length)
            for branches in product(*(range(ways[block]) for block in taken))
        ]
    chosen = dict[Route, None]()
    while len(chosen) < draws:
        taken = rng.sample(blocks, length)
        chosen[_route(len(ways), ((block, rng.randrange(ways[block])) for block in taken))] = None
    return list(chosen)


def _route(blocks: int, taken: Any) -> Route:
    branch_of = dict(taken)
    return tuple(branch_of.get(block) for block in range(blocks))


def _error(trainer: Trainer, forks: Sequence[nn.Module], route: Route) -> float:
    with _hooked([each for block, taken in zip(forks, route, strict=True) for each in _alone(block, taken)]):
        share, _ = error(mistakes(trainer.predicted(), trainer.data.val_labels.cpu()))
    return share


def _gradient(trainer: Trainer, forks: Sequence[nn.Module], route: Route) -> float:
    """Return the norm of the gradient that comes back to the first block along a path."""
    hooks = [_back(*each) for block, taken in zip(forks, route, strict=True) for each in _alone(block, taken)]
    begun = list[Tensor]()

    def begin(_stem: nn.Module, _inputs: tuple[Any, ...], out: Tensor) -> Tensor:
        begun.append(out.detach().requires_grad_())
        return begun[0]

    labels = trainer.data.val_labels[:EVAL_BATCH]
    with _hooked([*hooks, (trainer.network.stem, begin)]), torch.enable_grad():  # type: ignore[list-item]  # a module
        logits = trainer.passed(trainer.data.val_images[:EVAL_BATCH])
        (found,) = torch.autograd.grad(classification.loss(logits, labels, smoothing=0.0), begun)
    return float(found.double().norm())


def _alone(block: nn.Module, taken: int | None) -> Hooks:
    """Return the hooks by which a path through a block is all that there is."""
    beside = branches_of(block)
    if taken is None:
        return tuple((each, nothing) for each in beside) if isinstance(block, MergeRun) else ((block.join, through),)  # type: ignore[return-value]  # a module
    others = () if isinstance(block, MergeRun) else tuple(each for at, each in enumerate(beside) if at != taken)
    return (*((each, nothing) for each in others), branch_alone(block))


def _back(module: nn.Module, alone: Hook) -> tuple[nn.Module, Hook]:
    """Return the hook by which a module puts out what it does, and lets gradients back to what is alone."""

    def hook(of: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> Tensor:
        left = alone(of, inputs, out)
        return out.detach() + left - left.detach()

    return module, hook


def _hooked(hooks: Sequence[tuple[nn.Module, Hook]]) -> ExitStack:
    stack = ExitStack()
    for module, hook in hooks:
        stack.callback(module.register_forward_hook(hook).remove)
    return stack
