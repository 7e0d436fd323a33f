"""A database that may only be read is read, and nothing is written beside it."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search import doctor, front
from search.core.records import StudyRecord, TrialRecord
from search.storage import copies
from search.storage.store import Store
from spaces.errors import InputError

STUDY = "front"


@pytest.fixture
def file(sqlite_url: str, make_study: Callable[..., StudyRecord], make_trial: Callable[..., TrialRecord]) -> Path:
    with Store.open(sqlite_url) as store:
        store.add_study(make_study(STUDY))
        store.add_trial(STUDY, make_trial(0))
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def locked_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file in a folder where nobody may write; tests may run as a user whom no permission stops."""
    monkeypatch.setattr(copies, "_writable", lambda _file: False)
    return file


def trials(url: str) -> int:
    with Store.open(url, create=False) as store:
        return len(store.trials(STUDY))


def for_reading(file: Path) -> list[str]:
    return [
        f"sqlite:///file:{file}?mode=ro&uri=true",
        f"sqlite:///file:{file}?immutable=1&uri=true",
        f"sqlite:///file://{file}?mode=ro&uri=true",
        f"sqlite:///file:{os.path.relpath(file)}?mode=ro&uri=true",
    ]


def test_an_address_that_asks_only_to_read_reads_and_leaves_the_folder_as_it_is(file: Path) -> None:
    before = sorted(file.parent.iterdir())
    for url in for_reading(file):
        assert trials(url) == 1
    assert sorted(file.parent.iterdir()) == before


def test_a_folder_where_nobody_may_write_is_read(locked_up: Path) -> None:
    before = {path: path.read_bytes() for path in locked_up.parent.iterdir()}
    assert trials(f"sqlite:///{locked_up}") == 1
    assert {path: path.read_bytes() for path in locked_up.parent.iterdir()} == before


def test_what_waits_in_the_log_of_writes_is_read_too(locked_up: Path) -> None:
    opened = sqlite3.connect(locked_up)
    opened.execute("PRAGMA journal_mode=WAL")
    opened.execute("PRAGMA wal_autocheckpoint=0")
    opened.execute("UPDATE nas_study SET name = 'renamed'")
    opened.commit()
    assert locked_up.with_name(f"{locked_up.name}-wal").stat().st_size > 0
    with Store.open(f"sqlite:///{locked_up}", create=False) as store:
        assert store.names() == ["renamed"]
    opened.close()


def test_a_log_that_no_reader_may_open_is_copied_with_its_database(
    locked_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_given: Any) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(copies, "_back_up", refused)
    assert trials(f"sqlite:///{locked_up}") == 1


def test_the_copy_goes_with_the_store(locked_up: Path) -> None:
    with Store.open(f"sqlite:///{locked_up}", create=False) as store:
        assert store.is_copy
        copy = Path(store.url.removeprefix("sqlite:///"))
        assert copy.exists()
        assert store.shown_url == f"sqlite:///{locked_up}"
    assert not copy.parent.exists()


def test_where_one_may_write_the_database_itself_is_read(file: Path) -> None:
    with Store.open(f"sqlite:///{file}", create=False) as store:
        assert not store.is_copy


def test_a_file_that_is_no_database_is_said_to_be_none(locked_up: Path) -> None:
    locked_up.write_text("a letter to my aunt, long enough to be no empty database " * 20)
    with pytest.raises(InputError, match=rf"sqlite:///{locked_up}|copy.db.*file is not a database"):
        Store.open(f"sqlite:///{locked_up}", create=False)


def test_such_an_address_is_no_place_for_a_study(file: Path) -> None:
    for url in for_reading(file):
        with pytest.raises(InputError, match="may only be read"):
            Store.open(url)


def test_commands_read_it_and_nothing_is_mended(locked_up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{locked_up}"
    assert front.main([url, "--json"]) == 0
    assert doctor.main([url, "--fix"]) == 2
    assert capsys.readouterr().err.endswith(f"error: --fix is refused: {url} may only be read\n")


UNKNOWN = "note: not known whether front is running ("
NOT_LOOKED_AT = "); its checkpoints and unfinished recordings are not looked at\n"


def doctors(url: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Return what the doctor says, and its first note; Optuna's tables do not know the trial."""
    doctor.main([url])
    out, err = capsys.readouterr()
    return out, err.splitlines(keepends=True)[0] if err else ""


def test_a_study_that_runs_at_the_source_is_not_looked_at_as_if_it_rested(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(f"sqlite:///{file}") as launch, launch.hold(STUDY):
        for url in for_reading(file):
            out, note = doctors(url, capsys)
            assert out == "1 study, 1 trial: nothing is wrong\n"
            assert note == "note: front is running; its checkpoints and unfinished recordings are its own\n"


def test_a_study_that_rests_at_the_source_is_looked_at(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(f"sqlite:///{file}") as launch, launch.hold(STUDY):
        pass
    for url in for_reading(file):
        out, note = doctors(url, capsys)
        assert "front trial 0: unfinished: running in ours, missing in Optuna's table" in out
        assert note == ""


def test_where_no_launch_ever_was_nobody_knows_whether_one_is_elsewhere(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, note = doctors(for_reading(file)[0], capsys)
    assert out == "1 study, 1 trial: nothing is wrong\n"
    assert note == f"{UNKNOWN}cannot read {file}.front.lock: No such file or directory{NOT_LOOKED_AT}"


def test_a_copy_that_a_launch_wrote_beside_is_not_looked_at_as_if_it_rested(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(f"sqlite:///{file}") as launch, launch.hold(STUDY):
        pass
    copied = copies._copy

    def slow(source: Path, target: Path) -> None:
        copied(source, target)
        with Store.open(f"sqlite:///{source}") as launch:
            launch.set_attempts(STUDY, 0, launch.trials(STUDY)[0].attempts + 1)

    monkeypatch.setattr(copies, "_copy", slow)
    out, note = doctors(url := for_reading(file)[0], capsys)
    assert out == "1 study, 1 trial: nothing is wrong\n"
    assert note == f"{UNKNOWN}{url} was written to while it was copied{NOT_LOOKED_AT}"
