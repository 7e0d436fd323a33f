"""Say how a kind of analysis is shown: its columns, the units of its numbers, and how numbers are written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from search.core.analyses import Analysis, Row
from search.core.units import UNKNOWN

MUCH = 100  # a ratio that need not be told exactly
SURE = 2.0  # standard errors by which a difference is more than chance, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One column of a table."""

    heading: str
    text: Callable[[Row], str]
    numeric: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How what one kind of analysis finds is shown."""

    title: str
    units: Mapping[str, str]  # of the numbers in its rows, by name
    columns: Callable[[Analysis], Sequence[Shown]]
    shown: Callable[[Analysis], Sequence[Row]]  # rows that the table has
    lines: Callable[[Analysis], Iterator[str]]  # below it
    summary: Callable[[Analysis], Sequence[Row]] = lambda _: ()  # what rows come to together
    of_one: bool = False  # whether it is of one trial, the first that is named


def share(row: Row, name: str) -> str:
    """Return a share with its standard error: 2.34 % ± 0.61."""
    value, spread = row.get(name), row.get(f"{name}_se")
    if value is None:
        return UNKNOWN
    return f"{100 * value:.2f} %" + ("" if spread is None else f" ± {100 * spread:.2f}")


def points(row: Row, name: str) -> str:
    """Return a difference of shares with its standard error, in points of percent: -0.50 ± 0.40."""
    value, spread = row.get(name), row.get(f"{name}_se")
    return UNKNOWN if value is None else f"{100 * value:+.2f} ± {100 * (spread or 0):.2f}"


def whole(value: int | None) -> str:
    """Return a whole number, or a dash."""
    return UNKNOWN if value is None else str(value)


def number(value: float | None, how: str) -> str:
    """Return a number as told, or a dash."""
    return UNKNOWN if value is None else how.format(value)
