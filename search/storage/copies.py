"""Read a SQLite file that may only be read, by a copy: SQLite itself wants to write beside it to read it."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url

from search.storage.url import is_for_reading, sqlite_file
from spaces.errors import InputError

NAME = "copy.db"


class Copy:
    """A copy of a database in a temporary folder, which goes at `close`."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._stamp = _stamp(source)
        self._folder = tempfile.TemporaryDirectory(prefix="widefront-read-")
        file = Path(self._folder.name) / NAME
        try:
            _copy(source, file)
        except OSError as error:
            self.close()
            raise InputError(f"{source}: {error.strerror}") from error
        self.url = URL.create("sqlite", database=str(file)).render_as_string()

    @property
    def is_current(self) -> bool:
        """Whether nobody has written to what it is of since."""
        return _stamp(self.source) == self._stamp

    def close(self) -> None:
        """Remove it."""
        self._folder.cleanup()


def copy_of(url: str) -> Copy | None:
    """Return a copy of the database at an address where it may only be read, or its address asks for no more.

    Raises:
        InputError: it cannot be read.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return None
    file = sqlite_file(address)
    if not file.is_file():
        return None
    return None if _writable(file) and not is_for_reading(address) else Copy(file)


def _writable(file: Path) -> bool:
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _log(source: Path) -> Path:
    return source.with_name(f"{source.name}-wal")


def _stamp(source: Path) -> list[tuple[int, int]]:
    """Return what every write to a database changes."""
    stamp = []
    for file in (source, _log(source)):
        with suppress(FileNotFoundError):
            told = file.stat()
            stamp.append((told.st_mtime_ns, told.st_size))
    return stamp


def _copy(source: Path, target: Path) -> None:
    """Copy what a database holds now, what waits in its log for writing included."""
    log = _log(source)
    try:  # where there is no log nobody writes, and `immutable` makes no files beside it
        _back_up(source, target, "mode=ro" if log.exists() else "immutable=1")
    except sqlite3.Error:  # a log that no reader may open, or no database, which whoever opens it will say
        shutil.copyfile(source, target)
        if log.exists():
            shutil.copyfile(log, target.with_name(f"{target.name}-wal"))


def _back_up(source: Path, target: Path, how: str) -> None:
    with (
        closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?{how}", uri=True)) as opened,
        closing(sqlite3.connect(target)) as made,
    ):
        opened.backup(made)
