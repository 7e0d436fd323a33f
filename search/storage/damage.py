"""Name rows that nobody can read, such as of damaged JSON; whoever only looks goes on without them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from spaces.errors import StudyError, WidefrontError, first_line, visible

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What of a study is left out with a row."""

    table: str
    trial: int | None = None  # its number, where the row is of a trial and tells it


def named(row: str, table: str, number: object) -> tuple[str, Lost]:
    """Return what a trial's row is called, and what is lost with it, by what it tells of the trial's number."""
    if isinstance(number, int) and number >= 0:
        return f"trial {number} ({row})", Lost(table=table, trial=number)
    return row, Lost(table=table)


@dataclass(slots=True)
class Damage:
    """The rows of a database that could not be read so far."""

    tolerated: bool  # else the first of them is an error
    lines: dict[str, Lost] = field(default_factory=dict)  # one for each row

    def read(self, make: Callable[[], Record], row: str, lost: Lost) -> Record | None:
        """Return what `make` makes of a row, or None where it cannot be read.

        Raises:
            StudyError: it cannot, and that is not tolerated.
        """
        try:
            return make()
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, WidefrontError) as error:
            named = f"{type(error).__name__}: " if isinstance(error, (LookupError, AttributeError)) else ""
            self.note(f"{row} cannot be read ({named}{first_line(error)})", lost, error)
            return None

    def note(self, line: str, lost: Lost, error: Exception | None = None) -> None:
        """Note that a row is left out.

        Raises:
            StudyError: that is not tolerated.
        """
        if not self.tolerated:
            raise StudyError(f"{visible(line)}; search.doctor tells more") from error
        self.lines[visible(line)] = lost

    def taken(self) -> dict[str, Lost]:
        """Return what was noted so far, and forget it."""
        taken, self.lines = self.lines, {}
        return taken
