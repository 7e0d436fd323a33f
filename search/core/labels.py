"""Put trials into words and tables for a terminal."""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from search.core.fronts import objective_values
from search.core.records import State, StudyRecord, TrialRecord
from search.core.units import format_count, format_percent
from spaces.architecture import Architecture
from spaces.kinds import KINDS
from workers.kinds import FailureKind
from workers.objectives import OBJECTIVES
from workers.tasks import CLASSIFICATION

WIDE = 200  # characters in a line of what is no terminal: more than any table needs
CHOICES = ("block", "depth", "k", "C", "dropout")
GAP = 2  # characters between two columns of a table, and of its two edges
FRAME = 3  # lines of a table beside its heading and its rows
NAME = 14  # characters that a name has at least before it is broken
Line = tuple[str, ...]  # of a table: the text of each cell
ORDERS = {  # short for names
    "bn_after_addition": "bnafter", "relu_before_addition": "relubefore", "relu_only": "reluonly", "full": "full",
}  # fmt: skip

MOST_OF_REASON = 120  # characters


class _Console(Console):
    """A console that leaves it to the command what happens where nobody reads."""

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught."""
        raise BrokenPipeError


def make_console() -> Console:
    """Return a console for standard output; what is not a terminal gets whole tables and no control codes."""
    console = _Console()
    return console if console.is_terminal else _Console(width=WIDE)


def name_of(architecture: Architecture) -> str:
    """Return a short name: block, depth and widening factor, and what else matters, such as `resnext-2x4-C8`."""
    depths = architecture.depths
    depth = str(depths[0]) if len(set(depths)) == 1 else ".".join(map(str, depths))
    cardinality = f"-C{architecture.cardinality}" if architecture.cardinality > 1 else ""
    base = f"-d{architecture.base_width}" if isinstance(architecture.base_width, int) else ""
    kernels = f"-B{''.join(map(str, architecture.kernels))}" if architecture.kernels != (3, 3) else ""
    order = f"-{ORDERS[architecture.order]}" if architecture.order != "original" else ""
    return f"{architecture.block}-{depth}x{architecture.widening_factor:g}{cardinality}{base}{kernels}{order}"


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
    theirs = OBJECTIVES[name]
    if theirs.unit == "fraction":
        return format_percent(value)
    return format_count(value) if theirs.static or theirs.unit == "bytes" else f"{value:.4f}"


def front_table(
    study: StudyRecord, trials: Sequence[TrialRecord], *, width: int = WIDE, rows: int | None = None
) -> Table:
    """Return the front as a table, the best of the first objective last; no number in it is ever cut.

    Args:
        study: whose front it is.
        trials: on the front.
        width: characters in a line; where they are too few, what matters less is left out, then numbers are stacked.
        rows: lines of the table; where they are too few, its middle is left out.
    """
    layouts = list(_layouts(study, trials, width))
    heading, *lines = next((each for each in layouts if _width(each) <= width), layouts[-1])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in heading:
        table.add_column(name, no_wrap=True, justify="left" if name in ("name", *CHOICES) else "right")
    for line in lines if rows is None else _ends(lines, rows - FRAME - _height(heading), heading.index("name")):
        table.add_row(*line)
    return table


def _layouts(study: StudyRecord, trials: Sequence[TrialRecord], width: int) -> Iterator[list[Line]]:
    """Yield the table, heading and lines, with less and less in it."""
    columns = _columns(study, trials)
    spare = [(name,) for name in ("epochs", "params", "macs", "trial") if name not in study.objectives]
    for left_out in ((), CHOICES[:-1], CHOICES[-1:], *spare):
        columns = {name: column for name, column in columns.items() if name not in left_out}
        yield list(zip(*columns.values(), strict=True))
    numbers = [columns[name] for name in study.objectives]
    for high in range(1, len(numbers) + 1):
        yield _stacked(columns["name"], numbers, high, width)


def _columns(study: StudyRecord, trials: Sequence[TrialRecord]) -> dict[str, Line]:
    """Return everything there is to show, by its heading, which comes first."""
    chosen = [choices_of(trial) for trial in trials]
    cells = {
        "trial": [str(trial.number) for trial in trials],
        "name": [name_of(trial.architecture) for trial in trials],
        **{name: [each[name] for each in chosen] for name in CHOICES},
    }
    for name in (*study.objectives, "macs", "params"):
        values = (OBJECTIVES[name].value(trial.cost, trial.last) for trial in trials)
        cells[name] = [shown_value(name, value) for value in values]
    cells["epochs"] = [str(trial.epochs) for trial in trials]
    return {name: (name, *column) for name, column in cells.items()}


def _stacked(names: Line, numbers: Sequence[Line], high: int, width: int) -> list[Line]:
    """Return a table in which so many numbers stand one below the other, with names broken to what room is left."""
    piles = [numbers[place : place + high] for place in range(0, len(numbers), high)]
    columns = [["\n".join(cells) for cells in zip(*pile, strict=True)] for pile in piles]
    if high == 1:
        columns = [[heading.replace("_", "_\n"), *cells] for heading, *cells in columns]
    room = max(width - _width(list(zip(*columns, strict=True))) - GAP, NAME)
    broken = ["\n".join(textwrap.wrap(name, room)) for name in names]
    return list(zip(broken, *columns, strict=True))


def _width(table: Sequence[Line]) -> int:
    """Return how many characters a table takes, its two edges included."""
    columns = zip(*table, strict=True)
    return GAP + sum(max(len(line) for cell in column for line in cell.split("\n")) + GAP for column in columns) - GAP


def _height(line: Line) -> int:
    return max(cell.count("\n") + 1 for cell in line)


def _ends(lines: Sequence[Line], room: int, place: int) -> list[Line]:
    """Return as many lines as there is room for, from both ends, the last first; between them, how many more."""
    if sum(map(_height, lines)) <= room:
        return list(lines)
    last = len(lines) - 1
    kept: list[int] = []
    for number in sorted(range(len(lines)), key=lambda number: min(2 * (last - number), 2 * number + 1)):
        room -= _height(lines[number])
        if kept and room < 1:  # one line tells how many more
            break
        kept.append(number)
    more = ["" for _ in lines[0]]
    more[place] = f"… and {len(lines) - len(kept)} more"
    first = next(number for number in range(len(lines)) if number not in kept)
    shown = [lines[number] for number in sorted(kept)]
    return [*shown[:first], tuple(more), *shown[first:]]


def trial_line(trial: TrialRecord) -> str:
    """Return one line for a trial that has ended."""
    shown = trial.last.get(CLASSIFICATION.headline) if trial.last else None
    reached = "" if shown is None else f" at {format_percent(shown)}"
    why = f" ({trial.reason})" if trial.state is not State.COMPLETE and trial.reason else ""
    cost = f"{format_count(trial.cost.macs)} macs, {format_count(trial.cost.params)} params"
    how = f"{trial.state} in epoch {trial.epochs}{reached}"
    return f"trial {trial.number} {name_of(trial.architecture)} {how}, {cost}{why}"


def failures_line(trials: Iterable[TrialRecord]) -> str:
    """Return one line: how many trials failed of each kind, its commonest reason, what helps; empty where none did."""
    kinds: dict[str, list[str]] = {}
    for trial in trials:
        if trial.state is State.FAILED:
            kinds.setdefault(trial.failure_kind, []).append(trial.reason.removeprefix(f"{trial.failure_kind}: "))
    counted = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    told = [_told(kind, reasons) for kind, reasons in counted]
    return f"failures: {', '.join(told)}" if told else ""


def _told(kind: str, reasons: Sequence[str]) -> str:
    why = _why(kind, reasons)
    return f"{len(reasons)} {kind or 'of no known kind'}{f' ({why})' if why else ''}"


def _why(kind: str, reasons: Sequence[str]) -> str:
    """Return the first of the commonest reasons, and what helps. Reasons that differ in their numbers are one."""
    alike = Counter(re.sub(r"[\d.]+", "#", reason) for reason in reasons)
    most = max(alike.values())
    commonest = next(reason for reason in reasons if alike[re.sub(r"[\d.]+", "#", reason)] == most)
    shown = textwrap.shorten(commonest, MOST_OF_REASON, placeholder=" [...]")
    return "; ".join(part for part in (shown, kind and FailureKind.of(kind).help) if part)
