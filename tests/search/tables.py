"""Make small tables of recorded trainings, and read them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from search.config.replay import ReplayForm, parse_replay
from search.core.budget import Budget
from search.simulation.recordings import Recordings
from search.simulation.simulator import Course, policy, simulate
from search.simulation.tables import recordings_of

TABLE: dict[str, Any] = {"objectives": {"acc": "maximize", "cost": {"direction": "minimize", "known": True}}}


def replay(table: Mapping[str, Any] | None = None, **sections: Any) -> ReplayForm:
    """Return a replay; of the table's section some keys may be replaced."""
    return parse_replay({"table": {**TABLE, **(table or {})}, **sections})


def read(frame: pd.DataFrame, table: Mapping[str, Any] | None = None, **sections: Any) -> Recordings:
    """Return the recordings of a table."""
    return recordings_of("small", frame, replay(table, **sections))


def trainings(
    *curves: Sequence[float], costs: Sequence[float] | None = None, paces: Sequence[float] | None = None
) -> pd.DataFrame:
    """Return a table of networks 0, 1 and so on, one for each curve of accuracies.

    Args:
        curves: of accuracies from epoch 1.
        costs: of the networks; else 10, 20 and so on.
        paces: seconds that an epoch of each takes; else 1.
    """
    return pd.DataFrame(
        {
            "net": net,
            "cost": costs[net] if costs else 10.0 * (net + 1),
            "epoch": epoch,
            "acc": acc,
            "seconds": epoch * (paces[net] if paces else 1.0),
        }
        for net, curve in enumerate(curves)
        for epoch, acc in enumerate(curve, 1)
    )


def grid(widths: int = 6, depths: int = 3, epochs: int = 3) -> pd.DataFrame:
    """Return a table of every width and depth, the wider and deeper the better and the dearer."""
    return pd.DataFrame(
        {
            "width": width,
            "depth": depth,
            "cost": 100.0 * width * width * depth,
            "epoch": epoch,
            "acc": 1 - 1 / (width + depth) - 0.5**epoch / (1 + width % 3),
            "seconds": 0.5 * width * epoch,
        }
        for width in range(1, widths + 1)
        for depth in range(1, depths + 1)
        for epoch in range(1, epochs + 1)
    )


def run(
    recordings: Recordings,
    sampler: str = "recorded",
    scheduler: str = "fifo",
    *,
    workers: int = 1,
    seed: int = 0,
    budget: Budget | None = None,
    **sections: Any,
) -> list[Course]:
    """Return the trials of a simulated study; without a budget, of every network."""
    how = policy(replay(**sections), recordings, sampler, scheduler)
    return simulate(recordings, how, budget or Budget(trials=10_000), workers=workers, seed=seed)
