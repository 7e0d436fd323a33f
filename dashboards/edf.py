"""Draw the error EDF: which share of the full-fidelity trials does at least this well.

Source: Radosavovic et al. 2019, "On Network Design Spaces for Visual Recognition", section 3.
"""

from dataclasses import dataclass

import plotly.graph_objects as go

from dashboards import theme
from dashboards.frames import StudyView, headline_of
from search.core.units import format_percent

TITLE = "Error distribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEdf:
    """Validation errors from low to high, and the share of trials with an error no higher; both fractions."""

    errors: tuple[float, ...]
    shares: tuple[float, ...]


def info(view: StudyView) -> ErrorEdf:
    """Return the distribution of error over full-fidelity trials; equal errors make one step."""
    shown = [headline_of(trial) for trial in view.complete]
    errors = sorted(1.0 - accuracy for accuracy in shown if accuracy is not None)
    last = {error: place for place, error in enumerate(errors, start=1)}
    return ErrorEdf(errors=tuple(last), shares=tuple(place / len(errors) for place in last.values()))


def figure(edf: ErrorEdf) -> go.Figure:
    """Draw the distribution as steps."""
    if not edf.errors:
        return theme.message(TITLE, "No trial has been trained in full yet.")
    middle = next(error for error, share in zip(edf.errors, edf.shares, strict=True) if share >= 0.5)
    subtitle = f"half of the trials have an error of {format_percent(middle)} or less"
    drawn = theme.blank(TITLE, subtitle, height=380)
    drawn.add_trace(
        go.Scatter(
            x=[edf.errors[0], *edf.errors, 1.05 * edf.errors[-1]],  # beyond the last, so that its step can be seen
            y=[0.0, *edf.shares, 1.0],
            mode="lines",
            line={"shape": "hv", "color": theme.FRONT, "width": 2},
            hovertemplate="%{y:.0%} have an error of %{x:.2%} or less<extra></extra>",
            showlegend=False,
        )
    )
    least, most = edf.errors[0], edf.errors[-1]
    scale = theme.log_axis(least, most) if theme.is_log(edf.errors) else {"rangemode": "tozero"}
    drawn.update_xaxes(title={"text": "validation error (%)"}, tickformat="~%", **scale)
    return drawn.update_yaxes(title={"text": "full-fidelity trials (cumulative %)"}, tickformat="~%", range=[0, 1.03])
