"""Let what is written find no room: half of it arrives, then the error of a full disk, as long as the control says so.

`checkpoint`: what workers keep; `journal`: what waits for the database; `sqlite`: the database itself.
"""

import errno
import io
import re
import sqlite3
import sqlite3.dbapi2
from typing import Any

from planting import note, ordered

FILES = {"checkpoint": re.compile(r"\.pt\."), "journal": re.compile(r"\.journal$")}
CHANGES = ("INSERT", "UPDATE", "DELETE", "CREATE", "COMMIT")


def is_full(what: str) -> bool:
    """Say whether there is no room for something."""
    full = what in ordered().get("full", ())
    if full:
        note(f"full {what}")
    return full


class _Torn:
    """Stand for a file on a full disk."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, content: Any) -> int:
        """Write half, and fail."""
        self._file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", self._file.name)

    def __enter__(self) -> "_Torn":
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.__exit__(*raised)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Cursor(sqlite3.Cursor):
    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement.lstrip().upper().startswith(CHANGES) and is_full("sqlite"):
            raise _no_room()
        return super().execute(statement, *values)


class _Connection(sqlite3.Connection):
    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def commit(self) -> None:
        if self.in_transaction and is_full("sqlite"):
            raise _no_room()
        super().commit()


def _no_room() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error


def plant() -> None:
    """Put ourselves before what pathlib opens, and before what SQLAlchemy connects to."""
    really_open, really_connect = io.open, sqlite3.dbapi2.connect

    def planted_open(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        opened = really_open(file, mode, *rest, **more)
        if set(mode).isdisjoint("wa+x"):
            return opened
        what = next((what for what, pattern in FILES.items() if pattern.search(str(file))), None)
        return _Torn(opened) if what and is_full(what) else opened

    def planted_connect(*given: Any, **more: Any) -> Any:
        return really_connect(*given, **{"factory": _Connection, **more})

    io.open = planted_open  # type: ignore[assignment]
    sqlite3.dbapi2.connect = planted_connect  # type: ignore[assignment]
