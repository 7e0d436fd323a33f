"""How much of each objective each searched parameter decides, as far as a forest can predict it.

A random forest learns the objective from the parameters; on trials it has not seen, one parameter at a time is
shuffled between trials, and the growth of the squared error is that parameter's importance (Breiman 2001, section
10). What the forest cannot predict has no importances: `explained` says how far to believe them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

from dashboards import theme
from dashboards.frames import StudyView
from search.core.equal_cost import excess
from search.core.picking import first_cost
from search.core.records import TrialRecord
from search.core.units import format_number_of
from spaces.domains import Scalar
from workers.objectives import Objective
from workers.recipe import SEARCHED

TITLE = "Importance of each parameter"
LEAST_TRIALS = 10
DROPS = ("dropout", "dropout_rate", "drop_decay", "drop_unit", "unit_rate")
COSTLESS = frozenset({*DROPS, *SEARCHED}) - {"batch_size"}  # cost nothing
FOLDS = 5
SHUFFLES = 20
TREES = 100

Table = NDArray[np.float64]  # n by encoded columns
Columns = Mapping[str, slice]  # which encoded columns hold a parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveImportance:
    """Each parameter's share of one objective."""

    objective: str
    title: str  # of the objective
    trials: int
    explained: float = math.nan  # R squared on trials the forest has not seen: 1 is all, 0 is nothing
    shares: Mapping[str, float] = field(default_factory=dict)  # sums to 1; empty where nothing can be said


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """The shares of every objective."""

    parameters: tuple[str, ...]
    objectives: tuple[ObjectiveImportance, ...]


@lru_cache(maxsize=1)  # the report and Optuna Dashboard show the same: forests are grown once for both
def info(view: StudyView) -> Importance:
    """Return importances; empty for an objective with too few trials, or that the parameters do not predict.

    What is counted is exact whatever a trial's fate, so it is read from every trial, on a log scale, and of parameters
    that can change it. What training reveals is read from fully trained trials; how good they are, at equal cost: as
    the logarithm of the error over the front's.
    """
    parameters = tuple(view.searched())
    return Importance(
        parameters=parameters, objectives=tuple(_importance(view, name, parameters) for name in view.study.objectives)
    )


def _importance(view: StudyView, name: str, parameters: Sequence[str]) -> ObjectiveImportance:
    objective = view.study.objective(name)
    trials = list(view.trials) if objective.static else view.complete
    title = f"{objective.title} at equal {first_cost(view.study).name}" if objective.quality else objective.title
    parameters = [each for each in parameters if not objective.static or each not in COSTLESS]
    if len(view.complete) < LEAST_TRIALS or not parameters:
        return ObjectiveImportance(objective=name, title=title, trials=len(trials))
    values = _values(view, trials, objective)
    table, columns = encode(trials, parameters)
    explained, growth = _measure(table, columns, values)
    total = sum(growth.values())
    known = explained > 0 and total > 0
    shares = {parameter: share / total for parameter, share in growth.items()} if known else {}
    return ObjectiveImportance(objective=name, title=title, trials=len(trials), explained=explained, shares=shares)


def _values(view: StudyView, trials: Sequence[TrialRecord], objective: Objective) -> Table:
    if objective.quality:
        return np.asarray(np.log(excess(view.study, trials, objective)))
    values = np.array([objective.value(trial.cost, trial.found) for trial in trials])
    return np.asarray(np.log(values)) if objective.static and (values > 0).all() else values


def encode(trials: Sequence[TrialRecord], parameters: Sequence[str]) -> tuple[Table, Columns]:
    """Return parameters as columns of numbers, and which columns are whose.

    Words get a column each. A parameter that does not exist in a trial is a value of its own, below all others.
    """
    blocks: list[Table] = []
    columns: dict[str, slice] = {}
    width = 0
    for parameter in parameters:
        blocks.append(_block([trial.params.get(parameter) for trial in trials]))
        columns[parameter] = slice(width, width + blocks[-1].shape[1])
        width = columns[parameter].stop
    return np.hstack(blocks), columns


def _block(values: Sequence[Scalar | None]) -> Table:
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if any(isinstance(value, (str, bool)) for value in values):
        words = sorted({str(value) for value in values if value is not None})
        return np.array([[float(value is not None and str(value) == word) for word in words] for value in values])
    absent = min(numbers, default=0.0) - 1.0
    return np.array([[absent if value is None else float(value)] for value in values])


def _measure(table: Table, columns: Columns, values: Table) -> tuple[float, dict[str, float]]:
    """Return R squared on held-out trials, and how much shuffling each parameter adds to the squared error."""
    rng = np.random.default_rng(0)
    growth = dict.fromkeys(columns, 0.0)
    residue = 0.0
    for seen, held in KFold(FOLDS, shuffle=True, random_state=0).split(table):
        forest = RandomForestRegressor(n_estimators=TREES, random_state=0).fit(table[seen], values[seen])
        shuffled = [_shuffled(table[held], own, rng) for own in columns.values()]
        # One call: a forest takes as long to begin with its trees as these few trials take it.
        predicted = forest.predict(np.vstack([table[held], *shuffled])).reshape(-1, len(held))
        errors = ((predicted - values[held]) ** 2).sum(axis=1)
        residue += float(errors[0])
        for parameter, worse in zip(columns, errors[1:].reshape(-1, SHUFFLES).mean(axis=1), strict=True):
            growth[parameter] += float(worse - errors[0])
    spread = float(((values - values.mean()) ** 2).sum())
    explained = 1.0 - residue / spread if spread > 0 else math.nan
    return explained, {parameter: max(added, 0.0) for parameter, added in growth.items()}


def _shuffled(table: Table, own: slice, rng: np.random.Generator) -> Table:
    """Return a table so many times below itself, a parameter's columns in another order each time."""
    below = np.tile(table, (SHUFFLES, 1))
    below[:, own] = np.vstack([table[rng.permutation(len(table)), own] for _ in range(SHUFFLES)])
    return below


def figure(importance: Importance) -> go.Figure:
    """Draw a bar per parameter and objective, the most important for the first objective on top."""
    known = [each for each in importance.objectives if each.shares]
    if not known:
        return theme.message(TITLE, _why_nothing(importance))
    order = sorted(importance.parameters, key=lambda name: max(each.shares.get(name, 0.0) for each in known))
    drawn = theme.blank(TITLE, "; ".join(map(_said, importance.objectives)), height=140 + 26 * len(order) * len(known))
    for color, each in reversed(list(zip(theme.PALETTE, known, strict=False))):  # bars are drawn from below
        title = theme.escape(each.title)
        drawn.add_trace(
            go.Bar(
                x=[each.shares.get(name) for name in order],
                y=order,
                orientation="h",
                name=title,
                marker={"color": color},
                hovertemplate=f"<b>{title}</b><br>%{{y}}: %{{x:.1%}}<extra></extra>",
            )
        )
    drawn.update_xaxes(title={"text": "share of the predictable variation (%)"}, tickformat=".0%", rangemode="tozero")
    return drawn.update_layout(barmode="group", bargap=0.25, legend={"traceorder": "reversed"})


def _said(each: ObjectiveImportance) -> str:
    title = theme.escape(each.title)
    if math.isnan(each.explained):
        return f"{title}: too few trials to tell ({each.trials})"
    if not each.shares:
        return f"{title}: not predictable from the parameters ({format_number_of('trial', each.trials)})"
    return f"{title}: {100 * max(each.explained, 0):.0f} % predictable ({format_number_of('trial', each.trials)})"


def _why_nothing(importance: Importance) -> str:
    if all(math.isnan(each.explained) for each in importance.objectives):
        return f"Too few trials: importance needs {LEAST_TRIALS} that are fully trained."
    return "The parameters do not predict any objective."
