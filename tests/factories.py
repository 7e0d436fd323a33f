"""Records of studies, trials and measurements, with what a test does not care about filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from search.core.records import State, StudyRecord, TrialRecord
from spaces.architecture import Architecture
from spaces.cost import Cost
from workers.measurement import Measurement

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def study(name: str = "digits-front", **changes: Any) -> StudyRecord:
    """Return a study's record."""
    usual: dict[str, Any] = {
        "objectives": ("accuracy", "macs"),
        "space": {"block": {"choice": ["basic", "bottleneck"]}, "depth": {"int": [1, 4]}},
        "config": {"study": name, "data": "digits", "budget": {"trials": 60}},
        "max_epochs": 9,
        "rungs": (1, 3),
        "classes": 10,
        "image": (1, 8, 8),
        "bounds": {"macs": (10_000.0, 1_000_000.0)},
        "created_at": STARTED,
    }
    return StudyRecord(name=name, **{**usual, **changes})


def measurement(epoch: int = 1, **changes: Any) -> Measurement:
    """Return what an epoch showed; other changes than a measurement's own fields are metrics."""
    own = {name: changes.pop(name) for name in ("train_s", "eval_s", "host", "device", "at") if name in changes}
    metrics = {"accuracy": 1 - 0.5**epoch, "loss": 2 / epoch, "train_loss": 1.5 / epoch, "peak_bytes": 2.0**20}
    return Measurement(epoch=epoch, metrics={**metrics, **changes}, **{"train_s": 0.25, "eval_s": 0.125, **own})


def trial(number: int = 0, *, accuracies: Sequence[float] = (), macs: int | None = None, **changes: Any) -> TrialRecord:
    """Return a trial's record; accuracies are those of its epochs, from the first."""
    architecture = changes.get("architecture", Architecture(depths=(1 + number % 4,) * 3))
    started = STARTED + timedelta(minutes=number)
    ended = changes.get("state", State.RUNNING) is not State.RUNNING
    curve = enumerate(accuracies, start=1)
    usual: dict[str, Any] = {
        "params": {"block": "basic", "depth": 1 + number % 4},
        "architecture": architecture,
        "digest": architecture.digest,
        "seed": number,
        "cost": Cost(
            params=1_000 + number, macs=macs or 10_000 + number, activations=500 + number, weight_bytes=4_000 + number
        ),
        "started_at": started,
        "ended_at": started + timedelta(minutes=10) if ended else None,
        "measurements": tuple(measurement(epoch, accuracy=accuracy) for epoch, accuracy in curve),
    }
    return TrialRecord(number=number, **{**usual, **changes})
