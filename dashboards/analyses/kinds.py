"""List what draws each kind of analysis; a kind without an entry is shown by its table alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from dashboards.analyses import ensemble, filters, flow, lesion, marginals, speed, surface
from search.core.analyses import Analysis


@dataclass(frozen=True, slots=True)
class Drawing:
    """How one kind is drawn."""

    info: Callable[[Analysis], Any]
    figure: Callable[[Any], go.Figure]


FIGURES: dict[str, Drawing] = {
    "ensemble": Drawing(ensemble.info, ensemble.figure),
    "lesion": Drawing(lesion.info, lesion.figure),
    "filters": Drawing(filters.info, filters.figure),
    "marginals": Drawing(marginals.info, marginals.figure),
    "flow": Drawing(flow.info, flow.figure),
    "surface": Drawing(surface.info, surface.figure),
    "speed": Drawing(speed.info, speed.figure),
}


def figure(analysis: Analysis) -> go.Figure | None:
    """Return what was found as a figure; None where this kind has none."""
    drawing = FIGURES.get(analysis.question.kind)
    return drawing.figure(drawing.info(analysis)) if drawing else None
