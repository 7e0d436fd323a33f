"""Share studies that run without Ray and without training among the tests."""

import functools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import alembic.util.pyfiles
import pytest
from optuna.storages import RDBStorage

import search.driver.driver
from search.config.study import parse
from search.storage.store import Store
from tests.search.bench import FILE, Bench, record_of


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a SQLite file with empty tables, ours and Optuna's: to copy it is faster than to make them."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    Store.open(f"sqlite:///{path}").close()
    storage = RDBStorage(f"sqlite:///{path}")
    storage.remove_session()
    storage.engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # so that all of it is in the one file
    return path


_load = alembic.util.pyfiles.load_module_py
_load_once = functools.cache(_load)


def _load_migration_once(name: str, path: str) -> ModuleType:
    """Load a step only once; the module beside the steps does what it is there for when it is loaded."""
    return (_load_once if Path(path).parent.name == "versions" else _load)(name, path)


@pytest.fixture
def make_bench(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    """Give `make_bench(url=None, **sections)`: sections replace those of FILE; without a URL, on SQLite."""
    # Optuna reads all of its migrations whenever it opens a database: half of the time that a test of ours takes.
    monkeypatch.setattr(alembic.util.pyfiles, "load_module_py", _load_migration_once)
    monkeypatch.setattr(search.driver.driver, "FOLDER", tmp_path / ".widefront")
    made: list[Bench] = []

    def make(url: str | None = None, **sections: Any) -> Bench:
        if url is None:
            path = tmp_path / f"bench-{len(made)}.db"
            shutil.copy(empty_database, path)
            url = f"sqlite:///{path}"
        config = parse({**FILE, **sections})
        made.append(Bench(url=url, config=config, record=record_of(config)))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Give a bench on SQLite with the usual study."""
    return make_bench()
