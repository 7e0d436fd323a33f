"""Hold the values that one epoch of training revealed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Hold what is known after one epoch.

    Rates are fractions in [0, 1]; losses are mean cross-entropy in nats per image. `accuracy` and `loss` are
    measured on the validation split, never on the test split.
    """

    epoch: int  # 1 for the first
    accuracy: float
    loss: float
    train_loss: float
    train_s: float  # seconds spent training this epoch, augmentation included
    eval_s: float  # seconds spent on the validation split
    peak_bytes: int  # most memory held on the device so far (CUDA), or by the process (CPU)
    latency_ms: float | None = None  # median for one image on that device, where somebody asked for it

    @property
    def wall_s(self) -> float:
        """Return the seconds this epoch took."""
        return self.train_s + self.eval_s

    def to_json(self) -> dict[str, float | None]:
        """Return the fields as plain numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Measurement":
        """Return the measurement that `to_json` described; what else stands beside its fields is passed over."""
        return cls(
            epoch=int(given["epoch"]),
            accuracy=given["accuracy"],
            loss=given["loss"],
            train_loss=given["train_loss"],
            train_s=given["train_s"],
            eval_s=given["eval_s"],
            peak_bytes=int(given["peak_bytes"]),
            latency_ms=given.get("latency_ms"),
        )
