"""Draw the front: what was trained in full, which of it nothing dominates, and what was stopped on the way."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import plotly.graph_objects as go

from dashboards import theme
from dashboards.frames import HEADLINE, StudyView
from search.core.columns import lines_of
from search.core.records import State, TrialRecord
from search.models.pareto import as_points, front
from workers.objectives import OBJECTIVES, Objective

TITLE = "The front"
STOPPED = "stopped early, not fully trained"
MOST_LABELS = 80  # more stopped trials than this lose the epoch written in their marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Place one trial in the plane of two objectives."""

    number: int
    x: float
    y: float
    epochs: int
    lines: tuple[str, ...]  # what to say of it
    ends: tuple[float, float] | None = None  # of the vertical objective's interval, where it was confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One view of the front: a horizontal and a vertical objective."""

    horizontal: str
    vertical: str
    front: tuple[Point, ...] = ()  # of all objectives, not of these two alone
    dominated: tuple[Point, ...] = ()
    stopped: tuple[Point, ...] = ()
    failed: int = 0
    running: int = 0
    measures: Mapping[str, Objective] = field(default_factory=lambda: OBJECTIVES)  # the study's

    @property
    def across(self) -> Objective:
        """Return what lies on the horizontal axis."""
        return self.measures[self.horizontal]

    @property
    def up(self) -> Objective:
        """Return what lies on the vertical axis."""
        return self.measures[self.vertical]

    @property
    def edge(self) -> tuple[Point, ...]:
        """Return the points of the front that none dominates in this plane, from left to right."""
        return tuple(sorted(_undominated(self.front, self.across, self.up), key=lambda point: point.x))


def pairs(view: StudyView) -> list[tuple[str, str]]:
    """Return which planes show a study: each other objective against the first one that says how good a network is."""
    names = view.study.objectives
    vertical = next((name for name in names if view.study.objective(name).quality), names[0])
    others = [name for name in names if name != vertical]
    spare = HEADLINE.name if view.study.objective(vertical).static else "macs"  # one objective alone has no plane
    return [(name, vertical) for name in others or [spare]]


def info(view: StudyView, horizontal: str | None = None, vertical: str | None = None) -> Plane:
    """Return the trials in the plane of two objectives; without names, the first pair."""
    first = pairs(view)[0]
    plane = Plane(
        horizontal=horizontal or first[0],
        vertical=vertical or first[1],
        measures=view.study.measures,
        failed=view.count(State.FAILED),
        running=view.count(State.RUNNING),
    )
    best = {trial.number for trial in view.front}
    return replace(
        plane,
        front=_points(view, plane, [trial for trial in view.complete if trial.number in best]),
        dominated=_points(view, plane, [trial for trial in view.complete if trial.number not in best]),
        stopped=_points(view, plane, view.measured(State.STOPPED)),
    )


def _points(view: StudyView, plane: Plane, trials: Iterable[TrialRecord]) -> tuple[Point, ...]:
    points = (
        Point(
            number=trial.number,
            x=plane.across.value(trial.cost, trial.found),
            y=plane.up.value(trial.cost, trial.found),
            epochs=trial.epochs,
            lines=lines_of(view.study, trial),
            ends=_ends(trial, plane.vertical),
        )
        for trial in trials
    )
    return tuple(point for point in points if math.isfinite(point.x) and math.isfinite(point.y))


def _ends(trial: TrialRecord, objective: str) -> tuple[float, float] | None:
    """Return the ends of the interval that seeds tell, or nothing where one run is all there is."""
    known = trial.confirmation and trial.confirmation.intervals.get(objective)
    return (known.low, known.high) if known and math.isfinite(known.low) else None


def _undominated(points: tuple[Point, ...], across: Objective, up: Objective) -> list[Point]:
    if not points:
        return []
    x, y = across.minimised, up.minimised
    kept = front(as_points([(x(point.x), y(point.y)) for point in points]))
    return [point for point, keep in zip(points, kept, strict=True) if keep]


def figure(plane: Plane) -> go.Figure:
    """Draw the front as steps: the best that can be had within a budget."""
    points = [*plane.front, *plane.dominated, *plane.stopped]
    if not points:
        return theme.message(TITLE, "No trial has a measurement yet.")
    across = theme.scale(plane.across, [point.x for point in points])
    up = theme.scale(plane.up, [y for point in points for y in (point.y, *(point.ends or ()))])
    drawn = theme.blank(f"{TITLE}: {_named(plane)}", _subtitle(plane), height=520)
    drawn.add_traces([_trace(group, across, up) for group in _groups(plane) if group.points])
    drawn.update_layout(xaxis=across.axis, yaxis=up.axis, legend={"traceorder": "reversed"})
    return drawn


def _named(plane: Plane) -> str:
    return theme.escape(f"{plane.up.title} against {plane.across.title}")


def _subtitle(plane: Plane) -> str:
    trained = len(plane.front) + len(plane.dominated)
    parts = [
        f"{len(plane.front)} on the Pareto front of {trained} fully trained",
        f"{len(plane.stopped)} stopped early",
    ]
    confirmed = sum(point.ends is not None for point in (*plane.front, *plane.dominated))
    parts += [f"{confirmed} are means over seeds, with intervals of 95 %; the others are one run"] if confirmed else []
    left_out = [
        f"{count} {word}" for count, word in ((plane.failed, "failed"), (plane.running, "running or at rest")) if count
    ]
    return ", ".join(parts) + (f"; not drawn: {', '.join(left_out)}" if left_out else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Points that look alike; later groups lie on top of earlier ones."""

    name: str
    points: tuple[Point, ...]
    style: dict[str, object]


def _groups(plane: Plane) -> tuple[_Group, ...]:
    edge = plane.edge
    shape = "hv" if plane.across.direction == "minimize" else "vh"
    return (
        _Group(
            name=STOPPED + (" (number: epoch)" if len(plane.stopped) <= MOST_LABELS else ""),
            points=plane.stopped,
            style=_stopped_style(plane.stopped),
        ),
        _Group(
            name="fully trained, dominated",
            points=plane.dominated,
            style={"mode": "markers", "marker": {"size": 8, "color": theme.DOMINATED}},
        ),
        _Group(
            name="on the front by another objective",
            points=tuple(point for point in plane.front if point not in edge),
            style={
                "mode": "markers",
                "marker": {"size": 10, "color": "white", "line": {"color": theme.FRONT, "width": 2}},
            },
        ),
        _Group(
            name="on the front",
            points=edge,
            style={
                "mode": "lines+markers",
                "line": {"shape": shape, "color": theme.FRONT, "width": 2},
                "marker": {"size": 11, "color": theme.FRONT, "line": {"color": "white", "width": 1.5}},
            },
        ),
    )


def _stopped_style(points: tuple[Point, ...]) -> dict[str, object]:
    """Return squares with the epoch in them, or small ones where so many would hide each other."""
    marker = {"symbol": "square-open", "color": theme.STOPPED}
    if len(points) > MOST_LABELS:
        return {"mode": "markers", "marker": {"size": 7, **marker}}
    return {
        "mode": "markers+text",
        "text": [str(point.epochs) for point in points],
        "textfont": {"size": 9, "color": theme.QUIET},
        "textposition": "middle center",
        "marker": {"size": 14, **marker},
    }


def _trace(group: _Group, across: theme.Scale, up: theme.Scale) -> go.Scatter:
    return go.Scatter(
        x=[across.place(point.x) for point in group.points],
        y=[up.place(point.y) for point in group.points],
        hovertext=[theme.hover(point.lines) for point in group.points],
        hoverinfo="text",
        error_y=_bars(group.points, up),
        name=group.name,
        showlegend=True,
        **group.style,
    )


def _bars(points: tuple[Point, ...], up: theme.Scale) -> dict[str, object] | None:
    """Return the intervals of means, as they lie on the axis; none where no point has one."""
    if not any(point.ends for point in points):
        return None
    spans = [(up.place(point.y), *map(up.place, point.ends or (point.y, point.y))) for point in points]
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(low, high) - middle for middle, low, high in spans],
        "arrayminus": [middle - min(low, high) for middle, low, high in spans],
        "thickness": 1.2,
        "width": 3,
    }
