"""Say which row of a table a peer's proposal stands for, by one rule for every peer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.samplers.candidates import columns
from search.simulation.recordings import Array, Recordings
from spaces.domains import Scalar
from spaces.space import suggest

SAME = 1e-9  # of a squared distance: a step's multiples are spelled in more than one way


class Given:
    """Choose the values that a peer has chosen, where a domain asks an Optuna trial for one."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def suggest_int(self, name: str, *_bounds: Any, **_how: Any) -> int:
        return int(self.values[name])

    def suggest_float(self, name: str, *_bounds: Any, **_how: Any) -> float:
        return float(self.values[name])

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        return next(each for each in choices if each == self.values[name])


class Rows:
    """Hold which row each proposal of one study is.

    A proposal that stands in the table is its row, as often as it is made. Any other is the nearest row that nothing
    before it was, and stays so: what is proposed twice costs two trials, and what is new is never taken for a repeat.
    On a table of scattered rows that helps a peer: where many proposals crowd around a row, its neighbours get trained.
    """

    def __init__(self, recordings: Recordings, *, spill: bool = True) -> None:
        """Begin without proposals; without `spill` any proposal is its nearest row, as `RecordedCatalogue` has it."""
        self.spill = spill
        self.recordings = recordings
        self.parameters = recordings.parameters
        rows = np.array([columns(self.parameters, params, ()) for params in recordings.networks])
        self._center, self._spread = rows.mean(axis=0), rows.std(axis=0)
        self._spread[self._spread == 0] = 1.0
        self.features: Array = (rows - self._center) / self._spread  # n d
        self._found: dict[frozenset[tuple[str, Scalar]], int] = {}
        self._taken = np.zeros(len(rows), dtype=bool)

    def row(self, values: Mapping[str, Any]) -> int:
        """Return the place in the table of a value for every parameter, whether it exists or not."""
        params = suggest(self.parameters, Given(values))
        key = frozenset(params.items())
        if key not in self._found:
            self._found[key] = self._place(params)
            self._taken[self._found[key]] = True
        return self._found[key]

    def _place(self, params: Mapping[str, Scalar]) -> int:
        away = ((self.features - (columns(self.parameters, params, ()) - self._center) / self._spread) ** 2).sum(axis=1)
        nearest = np.argsort(away, kind="stable")
        if away[nearest[0]] < SAME or not self.spill:
            return int(nearest[0])
        return int(next((row for row in nearest if not self._taken[row]), nearest[0]))
