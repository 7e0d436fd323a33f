"""Tell from a table's columns what parameters its networks were chosen by."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from spaces.domains import Choice, Domain, Float, Int, Parameter, Scalar, When
from spaces.errors import InputError

FEW = 12  # different numbers that are a choice among them where they are no even steps


def infer_parameters(frame: pd.DataFrame, names: Sequence[str]) -> tuple[Parameter, ...]:
    """Return parameters that take what a table holds; where one has no value, it hangs on an earlier one.

    Raises:
        InputError: a column is empty, or has gaps that nothing explains; the place is below `space`.
    """
    if not names:
        raise InputError("name the parameters there, or under table.parameters")
    earlier: list[str] = []
    found: list[Parameter] = []
    for name in sorted(names, key=lambda name: bool(frame[name].isna().any())):  # what others hang on comes first
        when = _condition(frame, name, earlier) if frame[name].isna().any() else ()
        found.append(Parameter(name=name, domain=_domain(frame[name].dropna()), when=when))
        earlier.append(name)
    return tuple(found)


def _domain(column: "pd.Series[Any]") -> Domain:
    values = sorted({scalar(value) for value in column.unique()}, key=lambda value: (_kind(value), value))
    if not values:
        raise InputError(f"column {column.name} is empty; name the parameters under table.parameters")
    if any(isinstance(value, (bool, str)) for value in values) or len(values) == 1:
        return Choice(options=tuple(values))
    numbers = cast("list[int | float]", values)
    steps = set(np.diff(numbers).tolist())
    if all(isinstance(value, int) for value in numbers) and len(steps) == 1:
        return Int(low=int(numbers[0]), high=int(numbers[-1]), step=int(steps.pop()))
    if len(numbers) <= FEW:
        return Choice(options=tuple(values))
    log = numbers[0] > 0 and numbers[-1] / numbers[0] >= 100
    if all(isinstance(value, int) for value in numbers):
        return Int(low=int(numbers[0]), high=int(numbers[-1]), log=log)
    return Float(low=float(numbers[0]), high=float(numbers[-1]), log=log)


def _kind(value: Scalar) -> str:
    return "" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(type(value))


def _condition(frame: pd.DataFrame, name: str, earlier: Sequence[str]) -> tuple[When, ...]:
    """Return on which values of which earlier parameter it hangs that one exists."""
    for on in earlier:
        there = frame[name].notna().groupby(frame[on], dropna=True)
        beside = frame[on].notna() | frame[name].isna()  # none where the other one is not
        if frame[on].nunique() <= FEW and bool((there.min() == there.max()).all() and beside.all()):
            values = [scalar(value) for value, exists in there.max().items() if exists]
            return (When(parameter=on, values=tuple(values)),)
    raise InputError(f"column {name} has gaps that follow from no other one; say under space when it exists")


def scalar(value: Any) -> Scalar:
    """Return a table's value as Python's; a whole number among gaps was read as a float."""
    plain = value.item() if hasattr(value, "item") else value
    return int(plain) if isinstance(plain, float) and plain.is_integer() else cast("Scalar", plain)
