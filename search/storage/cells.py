"""Read single values of a row: SQLite keeps anything in any column, and what is of another kind is damaged.

Every reader raises a ValueError that names the column and what stands there.
"""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from spaces.errors import first_line, shortened

Row = Mapping[Any, Any]
Value = TypeVar("Value")

_SHOWN = 40  # characters of a value: it may be a whole file


def _odd(row: Row, column: str, wanted: str) -> ValueError:
    return ValueError(f"{column} {shortened(repr(row[column]), _SHOWN)} is no {wanted}")


def optional(read: Callable[[Row, str], Value], row: Row, column: str) -> Value | None:
    """Return what a reader makes of a value, or None where none stands there."""
    return None if row[column] is None else read(row, column)


def text(row: Row, column: str) -> str:
    """Return a text; bytes that are no UTF-8 came as what no text may hold (`engine.decode`)."""
    value = row[column]
    if not is_text(value):
        raise _odd(row, column, "text")
    return str(value)


def is_text(value: object) -> bool:
    """Whether a value is a text that was UTF-8."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value))


def whole(row: Row, column: str, least: int = 0) -> int:
    """Return a whole number of at least so much."""
    value = row[column]
    if isinstance(value, bool) or not isinstance(value, int):
        raise _odd(row, column, "whole number")
    if value < least:
        raise ValueError(f"{column} {value} is below {least}")
    return value


def any_whole(row: Row, column: str) -> int:
    """Return a whole number, of either sign."""
    return whole(row, column, -(2**63))


def number(row: Row, column: str) -> float:
    """Return a finite number."""
    value = row[column]
    if not is_number(value) or not math.isfinite(value):
        raise _odd(row, column, "finite number")
    return float(value)


def is_number(value: object) -> bool:
    """Whether a value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def moment(row: Row, column: str) -> datetime:
    """Return a moment in UTC, of one that the database read or of SQLite's text, which has no zone."""
    value = row[column]
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise _odd(row, column, "moment")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _from_json(row: Row, column: str) -> Any:
    written = text(row, column)
    try:
        return json.loads(written)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{column}: {first_line(error)}") from error


def mapping(row: Row, column: str) -> dict[str, Any]:
    """Return a mapping that went as JSON."""
    value = _from_json(row, column)
    if not isinstance(value, dict):
        raise _odd(row, column, "mapping")
    return value


def listed(row: Row, column: str) -> list[Any]:
    """Return a list that went as JSON."""
    value = _from_json(row, column)
    if not isinstance(value, list):
        raise _odd(row, column, "list")
    return value


def listed_of(fits: Callable[[object], bool], row: Row, column: str) -> list[Any]:
    """Return a list that went as JSON, whose values all fit."""
    values = listed(row, column)
    for each in values:
        if not fits(each):
            raise ValueError(f"{column} cannot hold {shortened(repr(each), _SHOWN)}")
    return values


def mapping_of(fits: Callable[[object], bool], row: Row, column: str) -> dict[str, Any]:
    """Return a mapping that went as JSON, whose values all fit."""
    value = mapping(row, column)
    for name, each in value.items():
        if not fits(each):
            raise ValueError(f"{column}: {name} cannot be {shortened(repr(each), _SHOWN)}")
    return value
