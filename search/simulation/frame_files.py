"""Read and write tables as Parquet or CSV files."""

from pathlib import Path

import pandas as pd

from search.core.files import replacing
from spaces.errors import InputError

ALIKE = 2  # columns
NO_TABLE = "is neither a .parquet nor a .csv file (.csv.gz too)"


def read_frame(path: Path) -> pd.DataFrame:
    """Return the table in a file.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    if not path.exists():
        raise InputError("there is no such file", place=str(path))
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if ".csv" in path.suffixes:
            return pd.read_csv(path, keep_default_na=False, na_values=["", "nan", "NaN"])
    except (OSError, ValueError, UnicodeDecodeError, EOFError, pd.errors.ParserError) as error:
        why = getattr(error, "strerror", None) or (str(error).splitlines() or ["cannot be read"])[0]
        raise InputError(why, place=str(path)) from error
    raise InputError(NO_TABLE, place=str(path))


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table to a file; an earlier one of the same columns is replaced.

    Raises:
        InputError: the file is of neither kind, something else is there, or it cannot be written.
    """
    if path.suffix != ".parquet" and ".csv" not in path.suffixes:
        raise InputError(NO_TABLE, place=str(path))
    with replacing(path, "table of these columns", lambda there: _begins_alike(there, frame)) as beside:
        if path.suffix == ".parquet":
            frame.to_parquet(beside, index=False)
        else:
            frame.to_csv(beside, index=False)


def _begins_alike(path: Path, frame: pd.DataFrame) -> bool:
    """Whether a file holds a table of the same first columns; others may have come since it was written."""
    try:
        there = read_frame(path)
    except InputError:
        return False
    return list(there.columns[:ALIKE]) == list(frame.columns[:ALIKE])
