"""Average networks, every subset of a few of them, and say whether several cheap ones beat one dear one.

The mean is over probabilities, with equal weights (Hansen & Salamon 1990). What an ensemble costs is what its members
cost, all of which have to run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from workers.mistakes import change, error, mistakes

MOST = 4  # members of an ensemble


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One network, by its trial."""

    trial: int
    cost: float
    probabilities: Tensor  # `n k`


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """One subset, and which images it tells wrong."""

    trials: tuple[int, ...]
    cost: float
    wrong: Tensor  # `n`


def ensembles(members: Sequence[Member], labels: Tensor, most: int = MOST) -> Iterator[dict[str, Any]]:
    """Yield each single network and each ensemble, the cheapest first.

    Each row has the trials of the members, the error and its standard error (fractions of the images), the summed cost,
    the best single network that costs no more with how much the error is above its (and the standard error of that, of
    pairs of images), and whether it lies below the front of single networks: whether that is negative.

    Args:
        members: the networks.
        labels: `n`, of the images.
        most: members that an ensemble has.
    """
    tried = [_tried(chosen, labels) for size in range(1, most + 1) for chosen in combinations(members, size)]
    singles = [each for each in tried if len(each.trials) == 1]
    for each in sorted(tried, key=lambda one: (one.cost, one.trials)):
        yield _row(each, singles)


def _tried(chosen: Sequence[Member], labels: Tensor) -> _Tried:
    mean = torch.stack([each.probabilities for each in chosen]).mean(dim=0)
    return _Tried(
        trials=tuple(each.trial for each in chosen), cost=sum(each.cost for each in chosen),
        wrong=mistakes(mean, labels),
    )  # fmt: skip


def _row(tried: _Tried, singles: Sequence[_Tried]) -> dict[str, Any]:
    share, deviation = error(tried.wrong)
    row = {"trials": list(tried.trials), "error": share, "error_se": deviation, "cost": tried.cost}
    if len(tried.trials) == 1:
        return {**row, "best_single": None, "change": None, "change_se": None, "below": None}
    rivals = [each for each in singles if each.cost <= tried.cost]
    best = min(rivals, key=lambda one: (float(one.wrong.double().mean()), one.cost))
    more, spread = change(tried.wrong, best.wrong)
    return {**row, "best_single": best.trials[0], "change": more, "change_se": spread, "below": more < 0}
