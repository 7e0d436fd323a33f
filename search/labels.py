"""Put trials into words and tables for a terminal."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from search.fronts import objective_values
from search.trial import State, StudyRecord, TrialRecord
from search.units import format_count, format_percent
from spaces.architecture import Architecture
from spaces.kinds import KINDS
from workers.objectives import OBJECTIVES

WIDE = 120  # characters that the whole front table needs


def make_console() -> Console:
    """Return a console for standard output; what is not a terminal gets whole tables and no control codes."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def name_of(architecture: Architecture) -> str:
    """Return a short name: block, depth and widening factor, and what else matters, such as `resnext-2x4-C8`."""
    depths = architecture.depths
    depth = str(depths[0]) if len(set(depths)) == 1 else ".".join(map(str, depths))
    cardinality = f"-C{architecture.cardinality}" if architecture.cardinality > 1 else ""
    base = f"-d{architecture.base_width}" if architecture.base_width else ""
    return f"{architecture.block}-{depth}x{architecture.widening_factor:g}{cardinality}{base}"


def choices_of(trial: TrialRecord) -> dict[str, str]:
    """Return the five choices that people ask for, as text; a dash where one does not apply."""
    architecture = trial.architecture
    grouped = KINDS[architecture.block].grouped
    dropped = architecture.dropout != "none"
    depths = architecture.depths
    return {
        "block": architecture.block,
        "depth": str(depths[0]) if len(set(depths)) == 1 else "-".join(map(str, depths)),
        "k": f"{architecture.widening_factor:g}",
        "C": str(architecture.cardinality) if grouped else "-",
        "dropout": f"{architecture.dropout} {architecture.dropout_rate:.2f}" if dropped else "none",
    }


def row_of(study: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    """Return everything about a trial at its latest epoch as plain values, for JSON and CSV."""
    return {
        "trial": trial.number,
        "name": name_of(trial.architecture),
        "state": str(trial.state),
        "epochs": trial.epochs,
        **dict(zip(study.objectives, objective_values(study, trial), strict=True)),
        **trial.cost.to_json(),
        **{f"choice_{name}": value for name, value in trial.params.items()},
        "digest": trial.digest,
        "architecture": trial.architecture.to_json(),
    }


def shown_value(name: str, value: float) -> str:
    """Return one objective's value in its own manner."""
    if OBJECTIVES[name].unit == "fraction":
        return format_percent(value)
    return format_count(value) if OBJECTIVES[name].static else f"{value:.4f}"


def front_table(study: StudyRecord, trials: Sequence[TrialRecord], *, width: int = WIDE) -> Table:
    """Return the front as a table, the best of the first objective last.

    Args:
        study: whose front it is.
        trials: on the front.
        width: characters in a line; on a narrow terminal the name alone tells the choices it is made of.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    choices = ("dropout",) if width < WIDE else ("block", "depth", "k", "C", "dropout")
    measured = list(dict.fromkeys([*study.objectives, "macs", "params"]))
    for heading in ("trial", "name", *choices, *measured, "epochs"):
        table.add_column(heading, no_wrap=True, justify="left" if heading in ("name", *choices) else "right")
    for trial in trials:
        chosen = choices_of(trial)
        values = [shown_value(name, OBJECTIVES[name].value(trial.cost, trial.last)) for name in measured]
        cells = [name_of(trial.architecture), *(chosen[name] for name in choices), *values, str(trial.epochs)]
        table.add_row(str(trial.number), *cells)
    return table


def trial_line(trial: TrialRecord) -> str:
    """Return one line for a trial that has ended."""
    reached = f" at {format_percent(trial.last.accuracy)}" if trial.last else ""
    why = f" ({trial.reason})" if trial.state is not State.COMPLETE and trial.reason else ""
    cost = f"{format_count(trial.cost.macs)} macs, {format_count(trial.cost.params)} params"
    how = f"{trial.state} in epoch {trial.epochs}{reached}"
    return f"trial {trial.number} {name_of(trial.architecture)} {how}, {cost}{why}"
