"""Open the database that a URL names: connect, bring its tables up to date, and say in one line what stands in the way.

A password is never shown: not in an address, not in a driver's complaint, not in a URL that cannot be read.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from search.storage.tables import VERSION_TABLE
from search.storage.url import is_for_reading, read_url, shown, sqlite_file
from spaces.errors import InputError, StorageAway, StudyError, WidefrontError

CONNECT_S = 5
BUSY_MS = 5_000  # training goes on meanwhile, but the driver stands still

_OPTUNAS = frozenset({"studies", "trials"})  # of its tables, those that others may have too
_MIGRATION_LOCK = 7_019_131_415  # any number that nobody else takes as a PostgreSQL advisory lock
_ONE_MIGRATION = Lock()  # alembic keeps its context in a module


def connect(url: str, *, create: bool, migrate: bool = True) -> Engine:
    """Return an engine on a database whose tables are up to date.

    Args:
        url: one of the two forms in `FORMS`.
        create: make what is missing, the file and its folder included.
        migrate: bring the tables of an older version up to date; without it they stay as they are, see `behind`.

    Raises:
        InputError: the URL cannot be read, the database cannot be reached or used, or it is not ours and `create` is
            False.
    """
    address = read_url(url)
    _prepare_file(address, create)
    with raised_as(InputError, address):
        engine = _engine(address, create)
        try:
            _migrate(engine, address, create, migrate)
        except BaseException:
            engine.dispose()
            raise
    return engine


@contextmanager
def raised_as(kind: type[WidefrontError], address: URL) -> Iterator[None]:
    """Turn what the database or its driver complains of into one line of ours.

    Where a StudyError is asked for and the database may be back later, it is StorageAway.
    """
    try:
        yield
    except SQLAlchemyError as problem:
        wanted = StorageAway if kind is StudyError and _may_pass(problem) else kind
        raise wanted(f"{shown(address)}: {_line(problem, address)}") from problem


# Locked, out of room, or on a disk that does not answer; a missing table is an OperationalError of SQLite's too.
_PASSING = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
    "SQLITE_PROTOCOL",
)


def _may_pass(problem: SQLAlchemyError) -> bool:
    if isinstance(problem, PoolTimeout) or (isinstance(problem, DBAPIError) and problem.connection_invalidated):
        return True
    cause = getattr(problem, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return (getattr(cause, "sqlite_errorname", None) or "").startswith(_PASSING)
    return isinstance(problem, OperationalError)


def _line(problem: SQLAlchemyError, address: URL) -> str:
    cause = getattr(problem, "orig", None) or problem
    line = str(cause).strip().partition("\n")[0]
    secrets = [address.password, *(str(value) for key, value in address.query.items() if "password" in key.lower())]
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    return line


def check_there(address: URL) -> None:
    """Refuse to speak to a SQLite file that was taken away: an empty one would be made in its place.

    Raises:
        StorageAway: the file is gone.
    """
    if address.get_backend_name() == "sqlite" and not sqlite_file(address).exists():
        raise StorageAway(f"{shown(address)}: the file is gone")


def _prepare_file(address: URL, create: bool) -> None:
    if address.get_backend_name() != "sqlite":
        return
    file = sqlite_file(address)
    if create and is_for_reading(address):
        raise InputError(f"{shown(address)} may only be read; sqlite:///file.db is required to write")
    if not create and not file.exists():
        raise _nothing(address)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError(f"{shown(address)}: cannot make its folder: {problem.strerror}") from problem


def _nothing(address: URL) -> InputError:
    return InputError(f"there is no study in {shown(address)}")


def _engine(address: URL, create: bool) -> Engine:
    try:
        if address.get_backend_name() == "sqlite":
            return _sqlite(address, create)
        engine = create_engine(address, **engine_options(address))
        event.listen(engine, "connect", _listen_for_silence)
        return engine
    except ImportError as problem:
        raise InputError(f"{shown(address)}: its driver cannot be imported: {problem}") from problem


# A network can lose a connection without a word: the one who speaks hears of it within half a minute.
_ALIVE = {"keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


def engine_options(address: str | URL) -> dict[str, Any]:
    """Return how an engine is made: for PostgreSQL, so that it neither waits for ever nor trusts a dead connection."""
    url = make_url(address)
    if url.get_backend_name() == "sqlite":
        return {}
    wanted = {"connect_timeout": CONNECT_S, **_ALIVE}
    return {"pool_pre_ping": True, "connect_args": {name: n for name, n in wanted.items() if name not in url.query}}


def _listen_for_silence(connection: Any, _record: Any) -> None:
    """Let the server notice as soon that this process is gone, since what it holds is free only then."""
    with connection.cursor() as cursor:
        for name in ("keepalives_idle", "keepalives_interval", "keepalives_count"):
            cursor.execute(f"SET tcp_{name} = {_ALIVE[name]}")
    connection.commit()


def _sqlite(address: URL, create: bool) -> Engine:
    engine = create_engine(address)
    event.listen(engine, "connect", _settings(create))
    event.listen(engine, "begin", _begin)
    return engine


def decode(text: bytes) -> str:
    """Return SQLite's text; of bytes that are no UTF-8, each stands as what no text may hold, and fails in its row.

    SQLite's own way is to fail for all rows of a question.
    """
    return text.decode("utf-8", "surrogateescape")


def _settings(create: bool) -> Callable[[sqlite3.Connection, Any], None]:
    def settle(connection: sqlite3.Connection, _record: Any) -> None:
        connection.text_factory = decode
        for pragma in (f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        if create:  # the file remembers it, and a reader must not change a file that may not be ours
            with suppress(sqlite3.OperationalError):  # refused at once when another is asking for the same
                connection.execute("PRAGMA journal_mode=WAL")

    return settle


def _begin(connection: Connection) -> None:
    # Left alone, Python begins before an INSERT, but neither before a SELECT nor before a CREATE TABLE. And a
    # transaction that reads before it writes fails at once, without waiting, when another has written in between.
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def reader(engine: Engine) -> Engine:
    """Return the same engine for transactions that only read: all their queries see one moment."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine.execution_options(reads=True)


def _migrate(engine: Engine, address: URL, create: bool, migrate: bool) -> None:
    config, steps = _steps()
    found = _revision(engine)
    if found is None and not create:
        raise _nothing(address)
    if found is None:
        _refuse_others(engine, address)
    if found not in (None, *steps):
        raise InputError(
            f"{shown(address)} was made by a newer version: its tables are at {found}, this version knows {steps[0]}"
        )
    if migrate and found != steps[0]:
        _upgrade(engine, config)


def _refuse_others(engine: Engine, address: URL) -> None:
    """Refuse a database in which another program has a table of a name that Optuna needs."""
    there = set(inspect(engine).get_table_names())
    taken = sorted(there & _OPTUNAS) if "version_info" not in there else ()
    if taken:
        raise InputError(f"{shown(address)}: its table {taken[0]!r} is another program's; one of our own is required")


def _steps() -> tuple[Config, list[str]]:
    """Return what alembic needs to know, and the versions of our tables, the newest first."""
    config = Config()
    config.set_main_option("script_location", "search.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config, [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]


def _revision(engine: Engine) -> str | None:
    with reader(engine).connect() as connection:
        return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def behind(engine: Engine) -> tuple[str, str] | None:
    """Return the version of our tables and the one this program knows, where theirs is older."""
    found, newest = _revision(engine), _steps()[1][0]
    return (found, newest) if found is not None and found != newest else None


def _upgrade(engine: Engine, config: Config) -> None:
    with _ONE_MIGRATION, engine.begin() as connection:  # SQLite: BEGIN IMMEDIATE lets one in at a time
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def quick_commits(engine: Engine) -> None:
    """Give another library's SQLite engine our settings for speed and for waiting; leave other databases alone.

    In WAL mode NORMAL loses at most the last commits at a power cut, never the file, and spares a sync per commit.
    """
    if engine.dialect.name != "sqlite":
        return

    def settle(connection: sqlite3.Connection, _record: Any) -> None:
        connection.text_factory = decode
        for pragma in (f"busy_timeout={BUSY_MS}", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", settle)
    engine.dispose()  # so that the connection it opened before is settled too
