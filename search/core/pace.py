"""Tell from when epochs were recorded how long so many more will take, as a range."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, stdev

FEWEST = 4  # epochs, below which nobody can tell
BLOCKS = 8  # in which the pace is looked at by itself, each of as many epochs as the others
WIDTH = 1.64  # standard errors to either side: nine in ten, were blocks drawn from one pace
LEAST = 0.1  # share to either side, as networks to come are others than those so far


def left_s(moments: Sequence[float], epochs: float) -> tuple[float, float] | None:
    """Return between which seconds so many more epochs will take, or None where nobody can tell yet.

    Args:
        moments: when each epoch of this launch was recorded, in seconds, in order.
        epochs: that are left.
    """
    if len(moments) <= FEWEST or moments[-1] <= moments[0]:
        return None
    paces = _paces(moments)
    pace = (moments[-1] - moments[0]) / (len(moments) - 1)
    error = stdev(paces) / fmean(paces) / math.sqrt(len(paces)) if len(paces) > 1 and fmean(paces) > 0 else 1.0
    share = min(max(WIDTH * error, LEAST), 0.9)
    return epochs * pace * (1 - share), epochs * pace * (1 + share)


def _paces(moments: Sequence[float]) -> list[float]:
    """Return the seconds an epoch took in each block."""
    count = min(BLOCKS, (len(moments) - 1) // 2)
    ends = [round(place * (len(moments) - 1) / count) for place in range(count + 1)]
    return [(moments[after] - moments[before]) / (after - before) for before, after in pairwise(ends) if after > before]
