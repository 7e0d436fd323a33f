"""Name what a study can optimise or bound: its direction, its unit, and when it is known."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from spaces.cost import Cost
from workers.measurement import Measurement

TINY = 1e-12  # what a cost of nothing counts as, for its logarithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Say how one number about a network is found and read.

    A static objective is an exact function of the architecture, known before training.
    """

    name: str
    title: str  # for axes and tables
    unit: str
    direction: str  # minimize or maximize, Optuna's words
    static: bool
    value: Callable[[Cost, Measurement | None], float]
    quality: bool = False  # says how good a network is, not what it costs
    ends: tuple[float, float] | None = None  # of a measured cost, for shares of hypervolume on a log axis

    def minimised(self, value: float) -> float:
        """Return the value with its sign such that less is better."""
        return -value if self.direction == "maximize" else value

    def coordinate(self, value: float) -> float:
        """Return a cost minimised, on an axis where equal steps matter alike: its logarithm."""
        return self.minimised(math.log(max(value, TINY)))


def _learned(field: str) -> Callable[[Cost, Measurement | None], float]:
    def read(_cost: Cost, measurement: Measurement | None) -> float:
        found = None if measurement is None else getattr(measurement, field)
        return float("nan") if found is None else float(found)

    return read


def _counted(field: str) -> Callable[[Cost, Measurement | None], float]:
    def read(cost: Cost, _measurement: Measurement | None) -> float:
        return float(getattr(cost, field))

    return read


def _measured(name: str, title: str, unit: str, field: str, ends: tuple[float, float]) -> Objective:
    return Objective(
        name=name, title=title, unit=unit, direction="minimize", static=False, value=_learned(field), ends=ends
    )


def _static(name: str, title: str, unit: str) -> Objective:
    return Objective(name=name, title=title, unit=unit, direction="minimize", static=True, value=_counted(name))


OBJECTIVES: dict[str, Objective] = {
    "accuracy": Objective(
        name="accuracy", title="validation accuracy", unit="fraction", direction="maximize", static=False,
        value=_learned("accuracy"), quality=True,
    ),
    "loss": Objective(
        name="loss", title="validation loss", unit="nats", direction="minimize", static=False, value=_learned("loss"),
        quality=True,
    ),
    "params": _static("params", "parameters", "count"),
    "macs": _static("macs", "multiply-accumulates", "count per image"),
    "activations": _static("activations", "activations", "count per image"),
    "weight_bytes": _static("weight_bytes", "weights", "bytes"),
    "training_bytes": _static("training_bytes", "memory of training, at most", "bytes"),
    # Measured where the trial trains, beside whatever else runs there.
    "latency_ms": _measured("latency_ms", "latency for one image", "ms", "latency_ms", (1e-2, 1e4)),
    "epoch_s": _measured("epoch_s", "time of an epoch", "s", "wall_s", (1e-3, 1e5)),
    "peak_bytes": _measured("peak_bytes", "peak memory of training", "bytes", "peak_bytes", (2**20, 2**38)),
}  # fmt: skip
