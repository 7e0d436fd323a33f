"""Reckon how long an epoch of a network takes, by its layers and its activations, from a few that were timed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls


@dataclass(frozen=True, slots=True)
class EpochTime:
    """Seconds of an epoch: so many for each layer, whatever it computes, and so many for each activation."""

    layer_s: float
    activation_s: float

    @classmethod
    def of(cls, timed: Sequence[tuple[int, int, float]]) -> "EpochTime":
        """Return what explains epochs that were timed best; neither of the two is below 0, and errors are relative.

        Args:
            timed: layers, activations and seconds of each; without any, an epoch takes no time.
        """
        if not timed:
            return cls(0.0, 0.0)
        rows = np.array([(layers / seconds, activations / seconds) for layers, activations, seconds in timed])
        found, _ = nnls(rows, np.ones(len(rows)))
        return cls(float(found[0]), float(found[1]))

    def seconds(self, layers: int, activations: int) -> float:
        """Return the seconds of an epoch of a network."""
        return layers * self.layer_s + activations * self.activation_s


def spread_out(sizes: Mapping[str, int], count: int) -> list[str]:
    """Return so many names whose sizes lie far apart: the smallest, the largest, and evenly between them by rank."""
    ranked = sorted(sizes, key=lambda name: sizes[name])
    if len(ranked) <= count:
        return ranked
    return [ranked[round(place * (len(ranked) - 1) / (count - 1))] for place in range(count)]
