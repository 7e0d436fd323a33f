"""Show how fast networks are beside each other, and how sure the ratios are."""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from search.core.analyses import Analysis, Row
from search.core.kinds import Kind, Shown, number
from search.core.units import UNKNOWN, format_bytes, format_count, format_duration, format_number_of
from search.models.paired import paired

TIMES = ("step", "inference")


def summary(analysis: Analysis) -> list[Row]:
    """Return for each network its median times over rounds, and their ratios to the first one's with intervals (95 %).

    A ratio is the geometric mean over rounds, each of which times all networks, so what slows a round slows both.
    """
    described = [row for row in analysis.rows if row["what"] == "network"]
    rounds = {each["network"]: [row for row in analysis.rows if _is_of(row, each)] for each in described}
    first = rounds[described[0]["network"]] if described else []
    return [_of(each, rounds[each["network"]], first) for each in described]


def _is_of(row: Row, network: Row) -> bool:
    return bool(row["what"] == "round" and row["network"] == network["network"])


def _of(network: Row, rounds: Sequence[Row], first: Sequence[Row]) -> Row:
    found: dict[str, Any] = {name: value for name, value in network.items() if name != "what"}
    for what in TIMES:
        times = {row["round"]: row[f"{what}_ms"] for row in rounds}
        pairs = [] if rounds is first else [(times[row["round"]], row[f"{what}_ms"]) for row in first]
        ratio = paired([math.log(mine) for mine, _ in pairs], [math.log(other) for _, other in pairs])
        found[f"{what}_ms"] = median(times.values()) if times else None
        for name, value in (("ratio", ratio.mean), ("low", ratio.low), ("high", ratio.high)):
            found[f"{what}_{name}"] = math.exp(value) if math.isfinite(value) else None
    found["epoch_s"] = None if found["step_ms"] is None else found["step_ms"] * network["steps"] / 1000
    return found


def _columns(_analysis: Analysis) -> Sequence[Shown]:
    return (
        Shown(heading="network", text=lambda row: str(row["network"]), numeric=False),
        Shown(heading="params", text=lambda row: format_count(row["params"])),
        Shown(heading="macs", text=lambda row: format_count(row["macs"])),
        Shown(heading="step (ms)", text=lambda row: _ms(row["step_ms"])),
        Shown(heading="of the first's", text=lambda row: _ratio(row, "step")),
        Shown(heading="inference (ms)", text=lambda row: _ms(row["inference_ms"])),
        Shown(heading="of the first's", text=lambda row: _ratio(row, "inference")),
        Shown(heading="epoch", text=lambda row: format_duration(row["epoch_s"])),
        Shown(heading="peak", text=lambda row: format_bytes(row["peak_bytes"])),
    )


def _ms(value: float | None) -> str:
    return number(value, "{:,.0f}" if (value or 0) >= 1000 else "{:.3g}")


def _ratio(row: Row, what: str) -> str:
    ratio, low, high = (row[f"{what}_{each}"] for each in ("ratio", "low", "high"))
    if ratio is None:
        return UNKNOWN
    return f"{ratio:.2f}" if low is None else f"{ratio:.2f} ({low:.2f} to {high:.2f})"


def _lines(analysis: Analysis) -> Iterator[str]:
    asked = analysis.question.settings
    threads = f" with {format_number_of('thread', asked['threads'])}"
    rounds = format_number_of("round", asked["rounds"])
    yield (
        f"batches of {asked['batch']} images on {asked['host']}{threads}; medians of {rounds} that go through all "
        f"networks; ratios are geometric means with intervals at 95 %"
    )
    yield "an epoch is its training steps alone; the peak is what a training step holds beyond images and libraries"


KIND = Kind(
    title="speed",
    units={
        "params": "count", "macs": "count per image", "peak_bytes": "bytes", "steps": "count per epoch",
        "step_ms": "milliseconds per batch", "inference_ms": "milliseconds per batch", "batch": "images",
        "epoch_s": "seconds", "step_ratio": "ratio of times", "inference_ratio": "ratio of times",
        "step_low": "ratio of times", "step_high": "ratio of times", "inference_low": "ratio of times",
        "inference_high": "ratio of times",
    },
    columns=_columns, shown=summary, lines=_lines, summary=summary,
)  # fmt: skip
