"""Open databases of both kinds, others' databases, and what is no database at all."""

import logging
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from search.core.records import StudyRecord, TrialRecord
from search.storage.engine import _steps, connect, raised_as
from search.storage.rows import measurement_values, study_values, trial_values
from search.storage.store import Store
from search.storage.tables import METADATA, VERSION_TABLE
from search.storage.url import shown
from spaces.errors import InputError, StudyError
from tests.search.bench import sql

MakeStudy = Callable[..., StudyRecord]
MakeTrial = Callable[..., TrialRecord]

STUDY = "digits-front"


@pytest.fixture
def filled(store: Store, make_study: MakeStudy, make_trial: MakeTrial) -> Store:
    """Give a store with one study that has one trial with one epoch."""
    store.add_study(make_study(STUDY))
    store.add_trial(STUDY, make_trial(0, accuracies=[0.5]))
    return store


def _tables(url: str) -> set[str]:
    with sql(url) as connection:
        return set(sa.inspect(connection).get_table_names())


# The schema


def test_the_steps_make_the_tables_that_the_code_describes(store: Store) -> None:
    with sql(store.url) as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_every_table_of_ours_says_so_in_its_name(store: Store) -> None:
    assert {name.partition("_")[0] for name in _tables(store.url)} == {"nas"}


@pytest.mark.parametrize(
    "orphan",
    [
        "INSERT INTO nas_measurement (trial_id, epoch, train_s, eval_s) VALUES (99, 1, 0, 0)",
        "INSERT INTO nas_rejection (study_id, parameters, violations, reason) VALUES (99, '', '', '')",
        "DELETE FROM nas_study",
    ],
)
def test_no_row_is_left_without_its_parent(filled: Store, orphan: str) -> None:
    engine = connect(filled.url, create=False)
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)foreign key"), engine.begin() as connection:
        connection.execute(sa.text(orphan))
    engine.dispose()


def test_opening_leaves_logging_alone(store_url: str) -> None:
    root, mine = logging.getLogger(), logging.getLogger("somebody")
    before = (list(root.handlers), root.level, mine.disabled, mine.level)
    Store.open(store_url).close()
    assert (list(root.handlers), root.level, mine.disabled, mine.level) == before


@pytest.mark.parametrize("table", ["studies", "trials"])
def test_a_database_in_which_another_program_has_a_table_that_optuna_needs_is_refused_as_it_is(
    store_url: str, table: str
) -> None:
    with sql(store_url) as connection:
        connection.execute(sa.text(f"CREATE TABLE {table} (name TEXT)"))
    with pytest.raises(InputError, match=rf": its table '{table}' is another program's; one of our own is required$"):
        Store.open(store_url)
    with sql(store_url) as connection:
        assert sa.inspect(connection).get_table_names() == [table]


def test_optunas_own_tables_are_welcome(store_url: str) -> None:
    optuna.storages.RDBStorage(store_url).engine.dispose()
    Store.open(store_url).close()


def test_tables_of_a_newer_version_are_refused(store: Store) -> None:
    with sql(store.url) as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for create in (True, False):
        with pytest.raises(InputError, match="made by a newer version: its tables are at 9999, this version knows 0"):
            Store.open(store.url, create=create)


@pytest.mark.parametrize("version", _steps()[1][1:])  # all but the present one
def test_tables_of_an_older_version_are_brought_forward_with_all_they_hold(
    version: str, store_url: str, make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    _make_tables(store_url, version)
    study, trial = make_study(STUDY), make_trial(0, accuracies=[0.5, 0.75])
    digest = "as it was then" if version < "0002" else trial.digest
    measured = [measurement_values(each) | dict(each.metrics) | {"trial_id": 1} for each in trial.measurements]
    with sql(store_url) as connection:
        for table, rows in (
            ("nas_study", [study_values(study)]),
            ("nas_trial", [trial_values(trial) | {"study_id": 1, "digest": digest}]),
            ("nas_measurement", measured),
        ):
            made = sa.Table(table, sa.MetaData(), autoload_with=connection)
            known = [{name: value for name, value in row.items() if name in made.c} for row in rows]
            connection.execute(made.insert(), known)
    with Store.open(store_url, create=False) as store:
        assert store.study(STUDY) == study
        assert store.trials(STUDY) == [trial]
        store.add_trial(STUDY, make_trial(1))
    with sql(store_url) as connection:
        assert connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() > version


def _make_tables(url: str, version: str) -> None:
    """Make the tables as an earlier version of ours did."""
    config = Config()
    config.set_main_option("script_location", "search.storage:migrations")
    config.set_main_option("path_separator", "os")
    with sql(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def test_a_step_that_fails_leaves_nothing_behind(store_url: str) -> None:
    with sql(store_url) as connection:
        connection.execute(sa.text("CREATE TABLE nas_session (id INTEGER)"))
    with pytest.raises(InputError, match=r"nas_session.* already exists"):
        Store.open(store_url)
    assert _tables(store_url) == {"nas_session"}


def _speak_optuna(url: str) -> int:
    storage = optuna.storages.RDBStorage(url)
    study = optuna.create_study(storage=storage, study_name=STUDY, load_if_exists=True)
    trial = study.ask()
    trial.suggest_int("depth", 1, 4)
    study.tell(trial, 0.5)
    count = len(study.trials)
    storage.engine.dispose()
    return count


def test_optuna_may_come_before_us(store_url: str, make_study: MakeStudy, make_trial: MakeTrial) -> None:
    assert _speak_optuna(store_url) == 1
    with Store.open(store_url) as store:
        store.add_study(make_study(STUDY))
        store.add_trial(STUDY, make_trial(0))
        assert _speak_optuna(store_url) == 2
        assert len(store.trials(STUDY)) == 1
    assert {"alembic_version", VERSION_TABLE} <= _tables(store_url)


def test_optuna_may_come_after_us(filled: Store) -> None:
    assert _speak_optuna(filled.url) == 1
    Store.open(filled.url, create=False).close()
    assert _speak_optuna(filled.url) == 2
    assert len(filled.trials(STUDY)) == 1
    assert {"alembic_version", VERSION_TABLE} <= _tables(filled.url)


def test_a_database_of_optunas_alone_has_no_study_and_stays_as_it_is(store_url: str) -> None:
    _speak_optuna(store_url)
    before = _tables(store_url)
    with pytest.raises(InputError, match="there is no study in "):
        Store.open(store_url, create=False)
    assert _tables(store_url) == before


# SQLite alone


def test_sqlite_writes_ahead_and_minds_foreign_keys(sqlite_url: str) -> None:
    engine = connect(sqlite_url, create=True)
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]
    engine.dispose()
    assert found == ["wal", 1, 1, 5_000]


def test_a_missing_file_has_no_study_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no study in sqlite:///.*nowhere\.db"):
        Store.open(f"sqlite:///{tmp_path}/deep/nowhere.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_reading_somebody_elses_file_does_not_change_it(tmp_path: Path, sqlite_url: str) -> None:
    with sql(sqlite_url) as connection:
        connection.execute(sa.text("CREATE TABLE theirs (id INTEGER)"))
    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(InputError, match="there is no study in "):
        Store.open(sqlite_url, create=False)
    assert (tmp_path / "study.db").read_bytes() == before


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/a/b/study.db").close()
    assert (tmp_path / "a" / "b" / "study.db").exists()


def test_a_relative_file_is_found_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store.open("sqlite:///here.db").close()
    assert (tmp_path / "here.db").exists()


def test_a_file_or_folder_that_is_in_the_way_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("This is not a database, whatever its name may say.\n" * 100)
    (tmp_path / "folder").mkdir()
    expected = {
        "notes.txt": "file is not a database",
        "folder": "unable to open database file",
        "notes.txt/study.db": "cannot make its folder: .*",
    }
    for name, complaint in expected.items():
        with pytest.raises(InputError, match=f"^sqlite:///{tmp_path}/{name}: {complaint}$"):
            Store.open(f"sqlite:///{tmp_path}/{name}")


def test_a_database_that_breaks_later_is_a_study_error_in_one_line(sqlite_url: str, make_study: MakeStudy) -> None:
    with Store.open(sqlite_url) as store:
        with sql(sqlite_url) as connection:
            connection.execute(sa.text("DROP TABLE nas_study"))
        for call in (store.studies, lambda: store.add_study(make_study())):
            with pytest.raises(StudyError, match=r"^sqlite:///\S+: no such table: nas_study$"):
                call()


def test_a_copied_file_is_a_whole_study(sqlite_url: str, tmp_path: Path, make_study: MakeStudy) -> None:
    with Store.open(sqlite_url) as store:
        store.add_study(make_study(STUDY))
    shutil.copy(tmp_path / "study.db", tmp_path / "copy.db")
    with Store.open(f"sqlite:///{tmp_path}/copy.db", create=False) as copy:
        assert [study.name for study in copy.studies()] == [STUDY]


# What a person may get wrong


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "cannot be read"),
        ("study.db", "cannot be read"),
        ("mysql://host/db", "unsupported database 'mysql'"),
        ("postgres://host/db", "unsupported database 'postgres'"),
        ("postgresql+asyncpg://host/db", "unsupported database 'postgresql[+]asyncpg'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:study.db?uri=true", "names no file"),
        ("sqlite://study.db", "needs three slashes"),
    ],
)
def test_a_url_that_names_no_database_of_ours_says_what_is_required(url: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as raised:
        Store.open(url)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:hunter2@127.0.0.1:{port}/db",
        "postgresql+psycopg://user@127.0.0.1:{port}/db?password=hunter2",
        "postgresql+psycopg://user:hunter2@127.0.0.1:{port}/db?sslpassword=hunter2",
        "postgresql+psycopg://user:a@hunter2@127.0.0.1:{port}/db",
        "postgresql+psycopg://user:a@b:hunter2@127.0.0.1:{port}/db",
        "postgresql+psycopg://127.0.0.1:hunter2/db",
        "mysql://user:hunter2@127.0.0.1:{port}/db",
        "user:hunter2@127.0.0.1:{port}/db",
    ],
)
@pytest.mark.parametrize("create", [True, False])
def test_a_server_that_cannot_be_reached_is_one_line_without_the_password(url: str, create: bool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError) as raised:
        Store.open(url.format(port=port), create=create)
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_driver_that_repeats_the_password_is_not_quoted() -> None:
    address = sa.make_url("postgresql+psycopg://user:hunter2@host/db?sslpassword=hunter3")
    with pytest.raises(StudyError) as raised, raised_as(StudyError, address):
        raise sa.exc.ArgumentError("neither hunter2 nor hunter3 will do\nmore of it")
    assert str(raised.value) == f"{shown(address)}: neither *** nor *** will do"


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.storage.engine.CONNECT_S", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(InputError, match=f"user:[*]+@127.0.0.1:{port}/db: .*time"):
            Store.open(f"postgresql+psycopg://user:hunter2@127.0.0.1:{port}/db")


def test_a_database_that_the_server_does_not_have_is_named(postgres_url: str) -> None:
    with pytest.raises(InputError, match='database "nowhere" does not exist'):
        Store.open(sa.make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False))


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"its driver cannot be imported: .*psycopg") as raised:
        Store.open("postgresql+psycopg://user:hunter2@localhost/db")
    assert "hunter2" not in str(raised.value)


def test_the_shown_url_hides_the_password_and_the_real_one_does_not(postgres_url: str) -> None:
    url = sa.make_url(postgres_url).set(password="hunter2").render_as_string(hide_password=False)
    with Store.open(url) as store:
        assert store.url == url
        assert "hunter2" not in store.shown_url
        assert store.shown_url.startswith("postgresql+psycopg://postgres:***@")


# Several at once


OPEN = """
import sys
from search.storage.store import Store
print("ready", flush=True)
sys.stdin.readline()
Store.open(sys.argv[1]).close()
"""


@pytest.mark.slow
def test_several_processes_may_open_an_empty_database_at_once(store_url: str) -> None:
    def start() -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([sys.executable, "-c", OPEN, store_url], text=True, **pipes)

    running = [start() for _ in range(4)]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * 4
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    complaints = [process.communicate()[1] for process in running]
    assert complaints == [""] * 4
    with Store.open(store_url, create=False) as store:
        assert store.studies() == []
