"""Read and write tables as Parquet or CSV files."""

from pathlib import Path

import pandas as pd

from spaces.errors import InputError

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
    """Write a table to a file.

    Raises:
        InputError: the file is of neither kind, or cannot be written.
    """
    try:
        if path.suffix == ".parquet":
            frame.to_parquet(path, index=False)
        elif ".csv" in path.suffixes:
            frame.to_csv(path, index=False)
        else:
            raise InputError(NO_TABLE, place=str(path))
    except OSError as error:
        raise InputError(error.strerror or str(error), place=str(path)) from error
