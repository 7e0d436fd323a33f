"""An analysis of each kind, as its rows are kept."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from search.core.analyses import Analysis, Question

AT = datetime(2026, 9, 15, 8, 0, tzinfo=UTC)


def analysis(
    kind: str, rows: Sequence[Mapping[str, Any]], *trials: int, minutes: int = 0, **settings: object
) -> Analysis:
    """Return one that was kept so many minutes after the first."""
    question = Question(kind=kind, trials=trials, settings=settings, weights=f"w{minutes}", fingerprint="f")
    return Analysis(
        question=question, rows=tuple(rows), at=AT + timedelta(minutes=minutes), images=451, device="a GPU", kept=True
    )


def subset(*trials: int, error: float, cost: int, rival: int | None = None) -> dict[str, Any]:
    """Return a row of an ensemble; without a rival it is a single network."""
    change = None if rival is None else -0.004
    below = None if change is None else change < 0
    told = {"trials": list(trials), "error": error, "error_se": 0.005, "cost": cost, "best_single": rival}
    return {**told, "change": change, "change_se": None if change is None else 0.003, "below": below}


def lesion(what: str, place: str, error: float | None, note: str | None = None) -> dict[str, Any]:
    spread = None if error is None else 0.02
    change = None if error is None else error - 0.01
    told = {"what": what, "place": place, "note": note, "error": error, "error_se": spread}
    return {**told, "change": change, "change_se": spread}


def channel(number: int, angle: float | None = 45.0, weight: object = None) -> dict[str, Any]:
    near = {"nearest": 1, "nearest_cosine": 0.4, "opposite": 0, "opposite_cosine": -0.5}
    told = {"what": "channel", "channel": number, "orientation_deg": angle, "frequency": 0.2, "window_px": 1.0}
    seen = {} if weight is None else {"weight": weight, "channels": len(weight)}  # type: ignore[arg-type]
    return {**told, "explained": 0.8, **near, **seen}


CHANCE = {"what": "chance", "explained": 0.66, "explained_95": 0.9, "opposite_cosine": -0.6}
WEIGHT = [[[0.0, 1.0, -1.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.25]]]


def value(axis: str, name: str, effect: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    counts = {"trials": 5, "others": 9, "proposed": 20}
    return {"axis": axis, "value": name, **counts, "excess": 1.2, "effect": effect, "low": low, "high": high}


def ensembles(**changes: int) -> Analysis:
    rows = (
        subset(1, error=0.02, cost=10_000), subset(2, error=0.01, cost=900_000),
        subset(1, 2, error=0.006, cost=910_000, rival=2), subset(1, 3, error=0.03, cost=20_000, rival=1),
    )  # fmt: skip
    return analysis("ensemble", rows, 1, 2, 3, most=4, cost="macs", unit="count per image", **changes)


def lesions(trial: int = 7, **changes: int) -> Analysis:
    rows = (
        lesion("whole", "", 0.01), lesion("block", "1.1", 0.4, "its shortcut changes the shape, and stays"),
        lesion("block", "1.2", 0.02), lesion("block", "2.1", None, "has no shortcut"),
        lesion("draw", "1.1, 1.2", 0.6), lesion("swap", "1.1 and 1.2", 0.05),
    )  # fmt: skip
    return analysis("lesion", rows, trial, blocks=2, draws=1, seed=0, **changes)


def filters(trial: int = 7, weight: object = WEIGHT, **changes: int) -> Analysis:
    rows = (CHANCE, *(channel(number, 30.0 * number if number else None, weight) for number in range(10)))
    return analysis("filters", rows, trial, **changes)


def marginals(**changes: int) -> Analysis:
    rows = (
        value("block", "basic", 0.5, 0.3, 0.8), value("block", "resnext", 1.1, 0.7, 1.6),
        value("depth", "1", 3.0, 0.01, None), value("depth", "2", 2.0, None, None),
        value("depth", "3", None, None, None),
    )  # fmt: skip
    return analysis("marginals", rows, 1, 2, 3, quality="accuracy", cost="macs", **changes)


def flow(trial: int = 7, **changes: int) -> Analysis:
    """Return one of three blocks, the last without a shortcut, after two epochs."""
    through = ((1, (0.001, 0.2, 0.5), (1.2, 0.4)), (9, (2.0, 1.0, 0.5), (0.9, 0.05)))
    rows = [
        {"epoch": epoch, "block": block, "gradient": gradient, "branch": branch}
        for epoch, gradients, branches in through
        for block, gradient, branch in zip(("1.1", "1.2", "2.1"), gradients, (*branches, None), strict=True)
    ]
    return analysis("flow", rows, trial, **changes)


def surfaces(trial: int = 7, **changes: int) -> Analysis:
    told = [{"what": "network", "network": name, "params": 9, "epochs": 2, "note": None} for name in ("whole", "plain")]
    told += [
        {"what": "point", "network": name, "x": float(x), "y": None, "loss": None if x > 1 else 1.0 + x * x,
         "error": 0.1, "note": "inf" if x > 1 else None}
        for name in ("whole", "plain") for x in (-2, -1, 0, 1, 2)
    ]  # fmt: skip
    settings = {"dimensions": 1, "span": 2.0, "statistics": "anew", "of": "training", "seed": 0}
    return analysis("surface", told, trial, **settings, **changes)  # type: ignore[arg-type]


def speeds(**changes: int) -> Analysis:
    names = ("wrn-16-2", "resnet-20")
    told: list[dict[str, Any]] = [
        {"what": "network", "network": name, "params": 9, "macs": 9, "batch": 8, "steps": 9, "peak_bytes": 10**6}
        for name in names
    ]
    told += [
        {"what": "round", "network": name, "round": number, "step_ms": 3.0 - place + 0.1 * number * place,
         "inference_ms": 1.0}
        for number in range(3) for place, name in enumerate(names)
    ]  # fmt: skip
    return analysis("speed", told, batch=8, rounds=3, threads=1, host="here", **changes)


EXAMPLES = {
    "ensemble": ensembles, "lesion": lesions, "filters": filters, "marginals": marginals, "flow": flow,
    "surface": surfaces, "speed": speeds,
}  # fmt: skip
