"""Records of studies, trials and measurements, with what a test does not care about filled in."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from search.core.records import State, StudyRecord, TrialRecord
from spaces.architecture import Architecture
from spaces.cost import Cost
from spaces.domains import Scalar
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
    own = {
        name: changes.pop(name) for name in ("train_s", "eval_s", "host", "device", "at", "together") if name in changes
    }
    metrics = {"accuracy": 1 - 0.5**epoch, "loss": 2 / epoch, "train_loss": 1.5 / epoch, "peak_bytes": 2.0**20}
    return Measurement(epoch=epoch, metrics={**metrics, **changes}, **{"train_s": 0.25, "eval_s": 0.125, **own})


def trial(
    number: int = 0,
    accuracies: Sequence[float] = (),
    *,
    macs: int | None = None,
    params: Mapping[str, Scalar] | None = None,
    state: State = State.RUNNING,
    **changes: Any,
) -> TrialRecord:
    """Return a trial's record.

    Args:
        number: of the trial; without `macs` and `params`, its network is another one for each number.
        accuracies: of its epochs, from the first.
        macs: of its network, whose other costs are in proportion.
        params: by which it was chosen; `built` makes an architecture of them.
        state: in which it is; only one that runs has no end.
        changes: other fields of the record.
    """
    architecture = changes.pop("architecture", Architecture(depths=(1 + number % 4,) * 3))
    started = changes.pop("started_at", STARTED + timedelta(minutes=number))
    usual: dict[str, Any] = {
        "digest": architecture.digest,
        "seed": number,
        "cost": _cost(number) if macs is None else in_proportion(macs),
        "ended_at": None if state is State.RUNNING else started + timedelta(minutes=10),
        "measurements": tuple(measurement(epoch, accuracy=each) for epoch, each in enumerate(accuracies, start=1)),
    }
    return TrialRecord(
        number=number,
        params={"block": "basic", "depth": 1 + number % 4} if params is None else params,
        architecture=architecture,
        state=state,
        started_at=started,
        **{**usual, **changes},
    )


def complete(number: int = 0, accuracies: Sequence[float] = (), **changes: Any) -> TrialRecord:
    """Return the record of a trial that was trained in full."""
    return trial(number, accuracies, state=State.COMPLETE, **changes)


def built(params: Mapping[str, Scalar]) -> Architecture:
    """Return an architecture by the parameters that it is chosen by."""
    fields: dict[str, Any] = {name: value for name, value in params.items() if name != "depth"}
    return Architecture(depths=(int(params.get("depth", 1)),) * 3, **fields)


def in_proportion(macs: int) -> Cost:
    """Return costs in a usual proportion."""
    return Cost(params=macs // 40, macs=macs, activations=macs // 100, weight_bytes=macs // 10)


def _cost(number: int) -> Cost:
    return Cost(params=1_000 + number, macs=10_000 + number, activations=500 + number, weight_bytes=4_000 + number)
