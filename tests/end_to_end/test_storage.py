"""Storage under fire: what is said, how a launch ends, and what is lost where the database is away: nothing."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.conftest import Stoppable
from tests.end_to_end.chaos import FAULTS, away
from tests.end_to_end.conftest import Folder, wait_until
from tests.end_to_end.invariants import check_whole

TRIALS = 8


@pytest.fixture
def slow(folder: Folder) -> Folder:
    """Give a folder whose trials wait half a second before each epoch, so that something can happen meanwhile."""
    control = folder.path / "faults.json"
    control.write_text(json.dumps({"pace_s": 0.5}))
    path = os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")]))
    folder.environment |= {"PYTHONPATH": path, "WIDEFRONT_FAULTS": str(control)}
    return folder


@pytest.fixture
def on_postgresql(slow: Folder, stoppable: Stoppable) -> Folder:
    """Give the same on a server that can be stopped."""
    slow.environment["STUDY_DB"] = stoppable.url
    slow.write(storage="${STUDY_DB}", budget={"trials": TRIALS})
    return slow


def epochs(url: str) -> int:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM nas_measurement")).scalar_one())
    except Exception:  # nobody has made the tables yet
        return 0
    finally:
        engine.dispose()


@pytest.mark.slow
@pytest.mark.cluster
def test_a_study_goes_on_while_its_server_is_stopped_says_so_and_ends_well(
    on_postgresql: Folder, stoppable: Stoppable
) -> None:
    driver = on_postgresql.start("--no-report")
    wait_until(lambda: epochs(stoppable.url) >= 3)
    with away(stoppable):
        time.sleep(10)
    assert driver.wait(240) == 0, on_postgresql.said()
    said = on_postgresql.said()
    (line,) = [line for line in said.splitlines() if line.startswith("DATABASE AWAY for ")][:1]
    assert f"records wait in .widefront{os.sep}small-" in line
    assert "the database is back and has all that waited" in said
    check_whole(stoppable.url, trials=TRIALS)
    assert not (on_postgresql.path / ".widefront").exists()


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGKILL, -9, marks=pytest.mark.very_slow)]
)
def test_what_waits_for_the_database_outlives_the_launch(
    on_postgresql: Folder, stoppable: Stoppable, sent: signal.Signals, code: int
) -> None:
    driver = on_postgresql.start("--no-report")
    wait_until(lambda: epochs(stoppable.url) >= 3)
    with away(stoppable):
        journals = (on_postgresql.path / ".widefront").glob
        wait_until(lambda: any(path.stat().st_size for path in journals("small-*.journal")))
        driver.send_signal(sent)
        assert driver.wait(240) == code
        if code == 130:
            last = on_postgresql.said().splitlines()[-1]
            assert last.startswith(
                f"interrupted; nothing is lost, go on with: {sys.executable} -m search.launch space.yaml"
            )
        (journal,) = (on_postgresql.path / ".widefront").iterdir()
        waiting = len(journal.read_text().splitlines())
    before = epochs(stoppable.url)
    assert waiting > 0
    on_postgresql.launch("--no-report")
    assert not journal.parent.exists()
    assert epochs(stoppable.url) > before
    check_whole(stoppable.url, trials=TRIALS)


LOCKS = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
time.sleep(15)
connection.execute("ROLLBACK")
"""


@pytest.mark.slow
@pytest.mark.cluster
def test_a_study_goes_on_while_another_process_locks_its_file(slow: Folder) -> None:
    driver = slow.start("--no-report")
    wait_until(lambda: epochs(slow.url) >= 3)
    subprocess.run([sys.executable, "-c", LOCKS, str(slow.path / "study.db")], check=True)
    assert driver.wait(240) == 0, slow.said()
    said = slow.said()
    assert "DATABASE AWAY for " in said
    assert "(sqlite:///study.db: database is locked)" in said
    assert "the database is back and has all that waited" in said
    check_whole(slow.url, trials=TRIALS)


def _noise(file: Path) -> None:
    file.write_bytes(bytes(range(256)) * 40)


def _document(file: Path) -> None:
    file.write_text("study: small\n" * 100)


def _torn(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE things (name TEXT)")
        connection.executemany("INSERT INTO things VALUES (?)", [("x" * 1000,) for _ in range(100)])
        connection.commit()
    with file.open("r+b") as opened:
        opened.seek(40)
        opened.write(b"\xff" * 3000)


def _folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.slow
@pytest.mark.parametrize("make", [_noise, pytest.param(_document, marks=pytest.mark.very_slow), _torn, _folder])
def test_a_file_that_holds_no_studies_is_refused_in_one_line(folder: Folder, make: Callable[[Path], None]) -> None:
    file = folder.path / "study.db"
    make(file)
    before = file.read_bytes() if file.is_file() else b""
    refused(folder, "error: storage: sqlite:///study.db: ")
    assert (file.read_bytes() if file.is_file() else b"") == before


@pytest.mark.slow
def test_another_program_s_trials_are_refused_in_one_line_and_nothing_is_put_beside_them(folder: Folder) -> None:
    with closing(sqlite3.connect(folder.path / "study.db")) as connection:
        connection.execute("CREATE TABLE trials (name TEXT)")
        refused(folder, "error: storage: sqlite:///study.db: its table 'trials' is another program's")
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("trials",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "storage",
    [
        "postgresql+psycopg://nobody:secret@127.0.0.1:9/studies",
        "postgresql+psycopg://nobody:secret@/studies?host=/nowhere",
        "sqlite:////proc/nowhere/study.db",
    ],
)
def test_a_database_that_cannot_be_reached_at_launch_is_said_in_one_line(folder: Folder, storage: str) -> None:
    folder.write(storage=storage)
    assert "secret" not in refused(folder, "error: storage: ")


def refused(folder: Folder, begins: str) -> str:
    """Check that a launch is refused as the person's mistake, in one line, and return it."""
    driver = folder.start("--no-report")
    assert driver.wait(240) == 2, folder.said()
    (line,) = folder.said().splitlines()
    assert line.startswith(begins), line
    return line
