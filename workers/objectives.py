"""Name what a study can optimise or bound: its direction, its unit, and when it is known."""

from collections.abc import Callable
from dataclasses import dataclass

from spaces.cost import Cost
from workers.measurement import Measurement


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

    def minimised(self, value: float) -> float:
        """Return the value with its sign such that less is better."""
        return -value if self.direction == "maximize" else value


def _learned(field: str) -> Callable[[Cost, Measurement | None], float]:
    def read(_cost: Cost, measurement: Measurement | None) -> float:
        return float("nan") if measurement is None else float(getattr(measurement, field))

    return read


def _counted(field: str) -> Callable[[Cost, Measurement | None], float]:
    def read(cost: Cost, _measurement: Measurement | None) -> float:
        return float(getattr(cost, field))

    return read


def _static(name: str, title: str, unit: str) -> Objective:
    return Objective(name=name, title=title, unit=unit, direction="minimize", static=True, value=_counted(name))


OBJECTIVES: dict[str, Objective] = {
    "accuracy": Objective(
        name="accuracy", title="validation accuracy", unit="fraction", direction="maximize", static=False,
        value=_learned("accuracy"),
    ),
    "loss": Objective(
        name="loss", title="validation loss", unit="nats", direction="minimize", static=False, value=_learned("loss")
    ),
    "params": _static("params", "parameters", "count"),
    "macs": _static("macs", "multiply-accumulates", "count per image"),
    "activations": _static("activations", "activations", "count per image"),
    "weight_bytes": _static("weight_bytes", "weights", "bytes"),
    "training_bytes": _static("training_bytes", "memory of training, at most", "bytes"),
}  # fmt: skip
