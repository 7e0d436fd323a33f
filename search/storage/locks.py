"""Hold a name in a database as long as this process lives: one process alone, or several that agreed to share it.

The operating system (SQLite) or the server (PostgreSQL) lets go of it when the process dies, however it dies.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from spaces.errors import HolderUnknown, InputError

_SERVED_BY = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
TURN_S = 60  # that a launch waits for its turn; a proposal takes less than one


class Hold(Protocol):
    """Take and drop one name."""

    def take(self) -> bool:
        """Take it, and say whether it is held now: nobody else may hold it but with this one's consent."""

    def drop(self) -> None:
        """Let go of it."""


class FileHold:
    """Lock a file beside a SQLite file."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._lock = FileLock(_lock_file(str(engine.url.database), name), timeout=0)

    def take(self) -> bool:
        """Take it; to hold it already is enough.

        Raises:
            HolderUnknown: it cannot be locked.
        """
        try:
            return self._lock.is_locked or bool(self._lock.acquire())
        except Timeout:
            return False
        except OSError as error:
            raise HolderUnknown(f"cannot lock {self._lock.lock_file}: {error.strerror}") from error

    def drop(self) -> None:
        """Let go of it."""
        self._lock.release()


class LookingHold:
    """Keep launches from a SQLite file that may only be read, as others may who only look too; nothing is written."""

    def __init__(self, file: Path, name: str) -> None:
        self._path = _lock_file(str(file), name)
        self._opened: int | None = None

    def take(self) -> bool:
        """Take it; to hold it already is enough.

        Raises:
            HolderUnknown: there is no such file, as every launch leaves one where it was, or it cannot be locked.
        """
        if self._opened is not None:
            return True
        try:
            opened = os.open(self._path, os.O_RDONLY)
        except OSError as error:
            raise HolderUnknown(f"cannot read {self._path}: {error.strerror}") from error
        if self._granted(opened):
            self._opened = opened
        else:
            os.close(opened)
        return self._opened is not None

    def _granted(self, opened: int) -> bool:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:  # such as on a disk of another machine, where that needs a file opened to write
            os.close(opened)
            raise HolderUnknown(f"cannot lock {self._path}: {error.strerror}") from error
        return True

    def drop(self) -> None:
        """Let go of it."""
        if self._opened is not None:
            os.close(self._opened)
        self._opened = None


def _lock_file(database: str, name: str) -> str:
    return f"{database}.{name}.lock"


class AdvisoryHold:
    """Take an advisory lock on a connection of its own, and again where the server has lost that connection."""

    def __init__(self, engine: Engine, name: str, *, shared: bool) -> None:
        self._engine = engine
        self._name = f"widefront {name}"
        self._take = text(f"SELECT pg_try_advisory_lock{'_shared' * shared}(hashtext(:name))")
        self._connection: Connection | None = None
        self._who: tuple[int, datetime] | None = None  # the server's process that serves it, and its beginning

    def take(self) -> bool:
        """Take it; to hold it already is enough."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.execute(text("SELECT 1"))
                return True
        self.drop()
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # the lock is the connection's: it must close at the end, not go back to the pool
        self._terminate_stale_backend(connection)
        if self._granted(connection):
            self._connection = connection
            found = connection.execute(text(_SERVED_BY)).one()
            self._who = (found.pid, found.backend_start)
            return True
        connection.close()
        return False

    def _granted(self, connection: Connection) -> bool:
        """Ask for the lock, for a second: a process that has just ended may not be gone for the server."""
        for _ in range(10):
            if connection.execute(self._take, {"name": self._name}).scalar():
                return True
            time.sleep(0.1)
        return False

    def _terminate_stale_backend(self, connection: Connection) -> None:
        """End the server's side of this hold's connection before, which may not know yet that it was cut."""
        if self._who is not None:
            pid, began = self._who
            mine = "pid = :pid AND backend_start = :began"
            end = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {mine}"
            connection.execute(text(end), {"pid": pid, "began": began})
            self._who = None

    def drop(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            with suppress(SQLAlchemyError):  # the server may have gone, and the lock with it
                self._connection.close()
        self._connection = None


@contextmanager
def turn(engine: Engine, name: str) -> Iterator[None]:
    """Wait until nobody else has the turn of that name, and have it until the end; only PostgreSQL has others."""
    if engine.dialect.name == "sqlite":
        yield
        return
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_S}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"widefront turn {name}"})
        yield


def is_held(engine: Engine, name: str) -> bool:
    """Whether any process holds a name in a PostgreSQL database."""
    key = "(classid::bigint << 32) | objid::bigint = hashtext(:name)::bigint"  # a lock's key is shown in two halves
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    asked = text(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {here} AND {key}")
    with engine.connect() as connection:
        return bool(connection.execute(asked, {"name": f"widefront {name}"}).scalar())


def hold(engine: Engine, name: str, *, shared: bool = False) -> Hold:
    """Return a hold on a name, which is not taken yet.

    Raises:
        InputError: a SQLite file cannot be shared.
    """
    if engine.dialect.name != "sqlite":
        return AdvisoryHold(engine, name, shared=shared)
    if shared:
        raise InputError("only a study in PostgreSQL can be shared by several launches", place="--share")
    return FileHold(engine, name)
