"""Draw how the front grew: what its hypervolume still lacked of its end, by trials finished and by training spent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.frames import StudyView
from search.core.fronts import front_hypervolume, front_trials
from search.core.records import State, TrialRecord
from search.core.units import format_number_of

TITLE = "Progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The share of the objective space dominated after each finished trial, in the order they ended."""

    numbers: tuple[int, ...]  # of the trials
    seconds: tuple[float, ...]  # of training and evaluation spent until then, summed over workers
    hypervolumes: tuple[float, ...]  # in [0, 1]; never falls


def info(view: StudyView) -> Progress:
    """Return the hypervolume after each trial that ended."""
    ended = sorted((trial for trial in view.trials if trial.state is not State.RUNNING), key=_when)
    full = {trial.number for trial in view.complete}
    best: list[TrialRecord] = []
    spent, volume = 0.0, 0.0
    seconds, volumes = [], []
    for trial in ended:
        spent += sum(each.wall_s for each in trial.measurements if math.isfinite(each.wall_s))
        if trial.number in full:
            # What the front so far dominates can be forgotten: it adds no volume now or later.
            best = front_trials(view.study, [*best, trial])
            volume = front_hypervolume(view.study, best)
        seconds.append(spent)
        volumes.append(volume)
    numbers = tuple(trial.number for trial in ended)
    return Progress(numbers=numbers, seconds=tuple(seconds), hypervolumes=tuple(volumes))


def _when(trial: TrialRecord) -> tuple[bool, float, int]:
    """Return a key that sorts by the end, with the trials whose end is not known last."""
    ended = trial.ended_at
    return (ended is None, ended.timestamp() if ended else 0.0, trial.number)


def figure(progress: Progress, against: str = "trials") -> go.Figure:
    """Draw the share of the last hypervolume that was missing, against `trials` finished or `seconds` of training."""
    if not progress.numbers:
        return theme.message(TITLE, "No trial has ended yet.")
    unit, name = theme.time_unit(progress.seconds[-1])
    if against == "trials":
        title, x = "Still to be found, by trials", list(map(float, range(len(progress.numbers) + 1)))
    else:
        title, x = "Still to be found, by training time", [0.0, *(spent / unit for spent in progress.seconds)]
    drawn = theme.blank(title, _subtitle(progress), height=380)
    if progress.hypervolumes[-1] <= 0:
        return theme.message(TITLE, "No trial has been fully trained yet.")
    drawn.add_trace(_steps(x, progress))
    label = "trials finished (count)" if against == "trials" else f"training time, summed over workers ({name})"
    drawn.update_xaxes(title={"text": label}, rangemode="tozero")
    drawn.update_yaxes(title={"text": "missing of the last hypervolume (%)"}, tickformat="~%", **_axis(progress))
    return drawn


def _subtitle(progress: Progress) -> str:
    return f"hypervolume {progress.hypervolumes[-1]:.3f} after {format_number_of('trial', len(progress.numbers))}"


def _missing(progress: Progress) -> list[float]:
    """Return the share of the last hypervolume that was missing before the first trial and after each."""
    last = progress.hypervolumes[-1]
    return [max(0.0, 1 - volume / last) for volume in (0.0, *progress.hypervolumes)]


def _axis(progress: Progress) -> dict[str, object]:
    return theme.log_axis(min(share for share in _missing(progress) if share > 0), 1.0)


def _steps(x: Sequence[float], progress: Progress) -> go.Scatter:
    labels = [("before the first trial",), *((f"after trial {number}",) for number in progress.numbers)]
    volumes = [0.0, *progress.hypervolumes]
    missing = [share or None for share in _missing(progress)]  # a logarithm has no place for nothing
    said = [theme.hover((*lines, f"hypervolume {volume:.4f}")) for lines, volume in zip(labels, volumes, strict=True)]
    return go.Scatter(
        x=x,
        y=missing,
        hovertext=said,
        hoverinfo="text",
        mode="lines",
        line={"shape": "hv", "color": theme.FRONT, "width": 2},
        showlegend=False,
    )
