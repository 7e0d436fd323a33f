"""Name rows that nobody can read, such as of damaged JSON; whoever only looks goes on without them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from spaces.errors import StudyError, WidefrontError, first_line

Record = TypeVar("Record")


@dataclass(slots=True)
class Damage:
    """The rows of a database that could not be read so far."""

    tolerated: bool  # else the first of them is an error
    lines: dict[str, int | None] = field(default_factory=dict)  # one for each row, and its trial's number

    def read(self, make: Callable[[], Record], row: str, trial: int | None = None) -> Record | None:
        """Return what `make` makes of a row, or None where it cannot be read.

        Raises:
            StudyError: it cannot, and that is not tolerated.
        """
        try:
            return make()
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, WidefrontError) as error:
            named = f"{type(error).__name__}: " if isinstance(error, (KeyError, AttributeError)) else ""
            line = f"{row} cannot be read ({named}{first_line(error)})"
            if not self.tolerated:
                raise StudyError(f"{line}; search.doctor tells more") from error
            self.lines[line] = trial
            return None
