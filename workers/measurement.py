"""What one epoch of training revealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

TRAIN_LOSS = "train_loss"  # a metric that is always told, and no objective: it rewards memory
ALONE = "latency_alone"  # beside latency_ms: 1 where nothing else trained on the device meanwhile, else 0
_FIRST = ("accuracy", "loss", "train_loss", "peak_bytes")  # metrics that every epoch of the first versions had


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What came through one block after an epoch, see `workers.flow`; None where it is not known, or not finite."""

    block: str  # stage and block, such as 2.1, each from 1
    gradient: float | None  # of the loss at the block's output, L2 norm
    branch: float | None  # over the shortcut, ratio of L2 norms; None too where there is no shortcut


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What is known after one epoch: after one that nothing was decided by, the loss in training alone.

    Metrics are named as in `workers.objectives`, and `train_loss` (nats per image). They are measured on the
    validation split, never on the test split; what was not measured is not there.
    """

    epoch: int  # 1 for the first
    metrics: Mapping[str, float]
    train_s: float  # seconds spent training this epoch, augmentation included
    eval_s: float  # seconds spent on the validation split
    together: int = field(default=1, compare=False)  # networks trained as one, which have shared the seconds out
    # Who measured it and when it was recorded: no part of what was found.
    host: str = field(default="", compare=False)
    device: str = field(default="", compare=False)
    at: datetime | None = field(default=None, compare=False)  # UTC, by the driver's clock
    flow: tuple[Flow, ...] = field(default=(), compare=False)  # through each block, where that is recorded

    @property
    def wall_s(self) -> float:
        """Return the seconds this epoch took."""
        return self.train_s + self.eval_s

    @property
    def measured(self) -> bool:
        """Whether the network was measured after this epoch."""
        return bool(self.metrics.keys() - {TRAIN_LOSS})

    def get(self, name: str) -> float | None:
        """Return a metric, or None where it was not measured."""
        return self.metrics.get(name)

    def showing(self, **metrics: float) -> "Measurement":
        """Return it with other values of some metrics."""
        return replace(self, metrics={**self.metrics, **metrics})

    def flat(self) -> dict[str, float]:
        """Return the numbers beside one another, as a line of a table."""
        return {"epoch": self.epoch, **self.metrics, "train_s": self.train_s, "eval_s": self.eval_s}

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        own = {"epoch": self.epoch, "metrics": dict(self.metrics), "train_s": self.train_s, "eval_s": self.eval_s}
        own |= {"together": self.together} if self.together > 1 else {}
        told = {"host": self.host, "device": self.device, "at": self.at and self.at.isoformat()}
        flow = {"flow": [[each.block, each.gradient, each.branch] for each in self.flow]} if self.flow else {}
        return own | {name: value for name, value in told.items() if value} | flow

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Measurement":
        """Return the measurement that `to_json` described; what else stands beside its fields is passed over.

        Raises:
            KeyError: a field is missing.
        """
        return cls(
            epoch=int(given["epoch"]),
            metrics={name: float(value) for name, value in _metrics(given).items()},
            train_s=given["train_s"],
            eval_s=given["eval_s"],
            together=given.get("together", 1),
            host=given.get("host", ""),
            device=given.get("device", ""),
            at=datetime.fromisoformat(given["at"]) if given.get("at") else None,
            flow=tuple(Flow(block=name, gradient=one, branch=other) for name, one, other in given.get("flow", ())),
        )


def _metrics(given: Mapping[str, Any]) -> Mapping[str, float]:
    metrics: Mapping[str, float] | None = given.get("metrics")
    return _flat(given) if metrics is None else metrics


def _flat(given: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics as the first versions wrote them in checkpoints and journals: beside the other fields."""
    latency = {"latency_ms": given["latency_ms"]} if given.get("latency_ms") is not None else {}
    return {**{name: given[name] for name in _FIRST}, **latency}
