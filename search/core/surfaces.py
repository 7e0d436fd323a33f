"""Show the loss around a network's weights, and sum it up: how far until it doubles, where it is convex."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

from search.core.analyses import Analysis, Row
from search.core.kinds import Kind, Shown, number
from search.core.units import UNKNOWN, format_count, format_percent

Grid = list[list[float]]  # losses: one row for each y (one alone along a line), one column for each x
MORE = 1.0  # nats above the middle that are told beside the doubled loss, as a loss near 0 doubles within a step


def networks(analysis: Analysis) -> list[Row]:
    """Return what networks were looked at: whole, and plain where that was asked for."""
    return [row for row in analysis.rows if row["what"] == "network"]


def points_of(analysis: Analysis, network: str) -> list[Row]:
    """Return the points around a network, row by row."""
    return [row for row in analysis.rows if row["what"] == "point" and row["network"] == network]


def axis(analysis: Analysis) -> list[float]:
    """Return the places along a direction."""
    return sorted({row["x"] for row in analysis.rows if row["what"] == "point"})


def grid(analysis: Analysis, network: str) -> Grid:
    """Return the losses around a network, infinite where they are not finite; empty where there are none."""
    losses = [math.inf if row["loss"] is None else row["loss"] for row in points_of(analysis, network)]
    width = len(axis(analysis))
    return [losses[start : start + width] for start in range(0, len(losses), width)]


def summary(analysis: Analysis) -> list[Row]:
    """Return for each network: the loss in the middle, how far it is to twice that and to a nat more, what is convex.

    Distances are in lengths of filters, none where the loss stays below within the span; shares are of the points that
    have neighbours on all sides, and finite ones.
    """
    return [{"network": each["network"], **_of(analysis, each["network"])} for each in networks(analysis)]


def _of(analysis: Analysis, network: str) -> dict[str, Any]:
    losses, along = grid(analysis, network), axis(analysis)
    if not losses:
        return dict.fromkeys(("loss", "least", "doubles", "rises", "convex", "negative", "not_finite"))
    middle = losses[len(losses) // 2][len(along) // 2]
    curved = list(_curvatures(losses, along))
    flat = [loss for row in losses for loss in row]
    return {
        "loss": _finite(middle), "least": _finite(min(flat)), "doubles": _distance(losses, along, 2 * middle),
        "rises": _distance(losses, along, middle + MORE),
        "convex": sum(low >= 0 for low, _ in curved) / len(curved) if curved else None,
        "negative": _negative(curved) if len(losses) > 1 else None,
        "not_finite": sum(not math.isfinite(loss) for loss in flat),
    }  # fmt: skip


def _negative(curved: Sequence[tuple[float, float]]) -> float | None:
    """Return the median share of the largest curvature that the most negative one has (Li et al. 2018, section 6)."""
    return median(abs(min(low, 0.0)) / abs(high) if high else 0.0 for low, high in curved) if curved else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _distance(losses: Grid, along: Sequence[float], level: float) -> float | None:
    """Return how far it is from the middle to where the loss first passes a level.

    Along a line between points, on a plane to the nearest point that is above.
    """
    if not math.isfinite(level):
        return None
    if len(losses) > 1:
        above = [math.hypot(x, y) for y, row in zip(along, losses, strict=True)
                 for x, loss in zip(along, row, strict=True) if loss > level]  # fmt: skip
        return min(above, default=None)
    half = len(along) // 2
    sides = [list(zip(along[half:], losses[0][half:], strict=True)),
             list(zip([-x for x in along[half::-1]], losses[0][half::-1], strict=True))]  # fmt: skip
    return min((found for side in sides if (found := _crossing(side, level)) is not None), default=None)


def _crossing(side: Sequence[tuple[float, float]], level: float) -> float | None:
    for (near, below), (far, above) in pairwise(side):
        if above > level:
            return near + (far - near) * ((level - below) / (above - below) if math.isfinite(above) else 1.0)
    return None


def _curvatures(losses: Grid, along: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Yield the least and the largest curvature at each point between others.

    Of a plane they are the eigenvalues of the Hessian by differences, along a line both are its second difference.
    """
    step = along[1] - along[0]
    if len(losses) == 1:
        for before, here, after in zip(losses[0], losses[0][1:], losses[0][2:], strict=False):
            found = (before - 2 * here + after) / step**2
            if math.isfinite(found):
                yield found, found
        return
    for at, row in enumerate(losses[1:-1], start=1):
        for place in range(1, len(row) - 1):
            around = [line[place - 1 : place + 2] for line in losses[at - 1 : at + 2]]
            if all(math.isfinite(loss) for line in around for loss in line):
                yield _eigenvalues(around, step)


def _eigenvalues(around: Grid, step: float) -> tuple[float, float]:
    (a, b, c), (d, e, f), (g, h, i) = around
    xx, yy, xy = (d - 2 * e + f) / step**2, (b - 2 * e + h) / step**2, (a - c - g + i) / (4 * step**2)
    mean, apart = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    return mean - apart, mean + apart


def _columns(analysis: Analysis) -> Sequence[Shown]:
    written = f"{{:+.{_decimals(axis(analysis))}f}}".format
    if analysis.question.settings["dimensions"] == 2:
        first = (Shown(heading="network", text=lambda row: str(row["network"]), numeric=False),
                 Shown(heading="y \\ x", text=lambda row: written(row["y"])))  # fmt: skip
        return (*first, *(Shown(heading=written(x), text=partial(_loss, of=x)) for x in axis(analysis)))
    shown = [Shown(heading="x", text=lambda row: written(row["x"]))]
    for name in (row["network"] for row in networks(analysis)):
        shown += [Shown(heading=f"loss, {name}", text=partial(_loss, of=name)),
                  Shown(heading=f"error, {name}", text=partial(_error, of=name))]  # fmt: skip
    return shown


def _decimals(along: Sequence[float]) -> int:
    """Return the digits by which neighbouring places differ, two at least."""
    step = min((after - before for before, after in pairwise(along)), default=1.0)
    return max(2, math.ceil(-math.log10(step)))


def _error(row: Row, of: Any) -> str:
    return format_percent(row[of]["error"]) if of in row else UNKNOWN


def _loss(row: Row, of: Any) -> str:
    """Return the loss of a network or at a place, or what it is where it is not finite."""
    if (point := row.get(of)) is None:
        return UNKNOWN
    return str(point["note"]) if point["loss"] is None else f"{point['loss']:.3g}"


def _shown(analysis: Analysis) -> Sequence[Row]:
    """Return a row for each place along a line, or for each network and y of a plane."""
    rows: dict[Any, dict[Any, Any]] = {}
    for row in analysis.rows:
        if row["what"] == "point" and row["y"] is None:
            rows.setdefault(row["x"], {"x": row["x"]})[row["network"]] = row
        elif row["what"] == "point":
            beside = {"network": row["network"], "y": row["y"]}
            rows.setdefault((row["network"], row["y"]), beside)[row["x"]] = row
    return list(rows.values())


def _lines(analysis: Analysis) -> Iterator[str]:
    asked = analysis.question.settings
    notes: Mapping[str, Any] = {row["network"]: row for row in networks(analysis)}
    for row in summary(analysis):
        name = row["network"]
        if notes[name]["note"]:
            yield f"{name}: {notes[name]['note']}"
            continue
        yield f"{_which(notes[name])}: {_told(row, asked['span'])}"
    unit = "a step of 1 is as long as the weights, filter by filter; norms and biases do not move"
    anew = "measured anew at each point" if asked["statistics"] == "anew" else "left as training left them"
    yield f"{unit}; statistics of normalisations are {anew}; directions of seed {asked['seed']}"


def _which(row: Row) -> str:
    return f"{row['network']} ({format_count(row['params'])} params, trained {row['epochs']} epochs)"


def _told(row: Row, span: float) -> str:
    if row["loss"] is None:
        return "the loss is not finite in the middle"
    doubles, rises = (number(row[each], "{:.2f}") if row[each] is not None else f"over {span:g}"
                      for each in ("doubles", "rises"))  # fmt: skip
    lost = f"; {row['not_finite']} points are not finite" if row["not_finite"] else ""
    convex = UNKNOWN if row["convex"] is None else f"{row['convex']:.0%}"
    curved = (
        f", negative curvature {row['negative']:.2f} of the largest (median)" if row["negative"] is not None else ""
    )
    return (
        f"loss {row['loss']:.4f} in the middle (least {number(row['least'], '{:.4f}')}), doubled {doubles} away, "
        f"{MORE:g} nat more {rises} away; convex at {convex} of the points{curved}{lost}"
    )


KIND = Kind(
    title="loss around the weights",
    of_one=True,
    units={
        "x": "lengths of filters", "y": "lengths of filters", "loss": "nats", "error": "fraction of images",
        "doubles": "lengths of filters", "rises": "lengths of filters", "convex": "fraction of points",
        "negative": "ratio of curvatures", "least": "nats", "params": "count",
    },
    columns=_columns, shown=_shown, lines=_lines, summary=summary,
)  # fmt: skip
