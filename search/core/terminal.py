"""Say lines on a terminal, and show a front as a table in whatever room it has."""

import math
import textwrap
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from search.core.columns import Column, View, columns, filled
from search.core.environment import hide
from search.core.records import StudyRecord, TrialRecord
from spaces.errors import visible

WIDE = 200  # characters in a line of what is no terminal: more than any table needs
GAP = 2  # characters between two columns of a table, and of its two edges
FRAME = 3  # lines of a table beside its heading and its rows
NAME = 14  # characters that a name has at least before it is broken
Line = tuple[str, ...]  # of a table: the text of each cell


class _Console(Console):
    """A console that leaves it to the command what happens where nobody reads."""

    def on_broken_pipe(self) -> None:
        """Raise what rich has caught."""
        raise BrokenPipeError


def make_console(*, stderr: bool = False) -> Console:
    """Return a console for standard output; what is not a terminal gets whole tables and no control codes."""
    console = _Console(stderr=stderr)
    return console if console.is_terminal else _Console(width=WIDE, stderr=stderr)


def say(console: Console, line: str) -> None:
    """Print a line in which nothing is markup and no secret stands."""
    console.print(visible(hide(line)), markup=False, highlight=False, soft_wrap=True)


def front_table(
    study: StudyRecord, trials: Sequence[TrialRecord], *, width: int = WIDE, rows: int | None = None
) -> Table:
    """Return the front as a table, in the order in which it comes; no number in it is ever cut.

    Args:
        study: whose front it is.
        trials: on the front.
        width: characters in a line; where they are too few, what matters less is left out, then numbers are stacked.
        rows: lines of the table; where they are too few, its end is left out.
    """
    shown = filled(columns(study, View.TERMINAL), study, trials)
    words = [column.name for column in shown if not column.numeric]
    layouts = list(_layouts(shown, study, trials, width))
    heading, *lines = next((each for each in layouts if _width(each) <= width), layouts[-1])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in heading:
        table.add_column(name, no_wrap=True, justify="left" if name in words else "right")
    for line in lines if rows is None else _first(lines, rows - FRAME - _height(heading), heading.index("name")):
        table.add_row(*line)
    return table


def _layouts(
    shown: Sequence[Column], study: StudyRecord, trials: Sequence[TrialRecord], width: int
) -> Iterator[list[Line]]:
    """Yield the table, heading and lines, with less and less in it."""
    cells = {each.name: (each.name, *(each.shown(study, trial) for trial in trials)) for each in shown}
    for least in (-1, *sorted({each.stays for each in shown if each.stays < math.inf})):
        yield list(zip(*(cells[each.name] for each in shown if each.stays > least), strict=True))
    numbers = [cells[name] for name in study.objectives]
    for high in range(1, len(numbers) + 1):
        yield _stacked(cells["name"], numbers, high, width)


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


def _first(lines: Sequence[Line], room: int, place: int) -> list[Line]:
    """Return as many lines as there is room for, and at least one; below them how many more there are."""
    if sum(map(_height, lines)) <= room:
        return list(lines)
    shown = list[Line]()
    for line in lines:
        room -= _height(line)
        if shown and room < 1:  # one line tells how many more
            break
        shown.append(line)
    more = ["" for _ in lines[0]]
    more[place] = f"… and {len(lines) - len(shown)} more"
    return [*shown, tuple(more)]
