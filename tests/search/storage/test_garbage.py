"""Whatever stands in a column, whoever looks goes on with the rest, and says in one line what is left out."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from optuna.storages._rdb.models import BaseModel
from sqlalchemy import Table

import search.driver.driver
from dashboards import report
from search import doctor, front
from search.config.study import parse
from search.core.analyses import Analysis, Question
from search.core.records import Host, Rejection, Replicate
from search.storage import asking
from search.storage.analyses import Analyses
from search.storage.answers import Answers
from search.storage.claims import Claims
from search.storage.replicates import Replicates
from search.storage.requests import notes, requests
from search.storage.store import Store
from search.storage.tables import METADATA, VERSION_TABLE
from spaces.errors import StudyError
from tests import factories
from tests.search.bench import FILE, NOON, Bench, record_of
from tests.search.storage.test_claims import FOUND, TRAINED
from workers.command import Answer

# The tables that most is read of, a column of which is damaged in every run; each of the others in a slow one.
FIRST = ("nas_study", "nas_trial", "nas_measurement", "nas_replicate", "nas_analysis", "trials", "trial_values")


def columns_of(table: Table) -> list[Any]:
    """Return a table's columns, each with its table: the last one of some for every run, all others for a slow one."""
    last = next(reversed(table.c.keys())) if table.name in FIRST else None
    marks = {column.name: () if column.name == last else pytest.mark.very_slow for column in table.c}
    return [pytest.param(table.name, name, marks=mark) for name, mark in marks.items()]


GARBAGE = {  # as SQL
    "text": "'x'",
    "bytes": "x'00ff'",
    "no UTF-8": "CAST(x'22ff22' AS TEXT)",
    "nothing": "NULL",
    "huge": "9223372036854775807",
    "negative": "-1",
    "NaN": "'NaN'",
    "infinite": "9e999",
    "a list": "'[[]]'",
    "a mapping": """'{"x": {}}'""",
}
OURS = [pair for table in METADATA.tables.values() for pair in columns_of(table)]
OPTUNAS = [pair for table in BaseModel.metadata.tables.values() for pair in columns_of(table)]
VERSIONS = [("alembic_version", "version_num"), (VERSION_TABLE, "version_num")]

FRONTS = ("nas_study", "nas_trial", "nas_measurement", "nas_replicate", "nas_replicate_measurement", "nas_look")
NAMED = {  # where it is not the row itself that is left out
    "nas_study.id": "rows 1, 2 of nas_host belong to no row of nas_study",
    "nas_trial.id": "rows 1, 2 of nas_measurement belong to no row of nas_trial",
    "nas_trial.number": "row 1 of nas_trial cannot be read|replicate 0 of nas_replicate belongs to trial 0",
    "nas_measurement.trial_id": "row 1 of nas_measurement belongs to no row of nas_trial",
    "nas_replicate.id": "row 1 of nas_replicate_measurement belongs to no row of nas_replicate",
    "nas_replicate.trial": "row 1 of nas_replicate cannot be read|replicate 0 of nas_replicate belongs to trial",
    "nas_replicate_measurement.replicate_id": "row 1 of nas_replicate_measurement belongs to no row of nas_replicate",
    "nas_replicate_measurement": "row 1 of nas_replicate cannot be read .* of nas_replicate_measurement",
    "nas_look.replicate_id": "row 1 of nas_look belongs to no row of nas_replicate",
    "nas_look": "row 1 of nas_replicate cannot be read .* of nas_look",
    "nas_measurement": r"trial 0 \(row 1 of nas_trial\) cannot be read .* of nas_measurement",
}

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def whole(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database with rows in every table of ours, of which nothing is wrong but the lack of checkpoints."""
    folder = tmp_path_factory.mktemp("whole")
    file = Path(shutil.copy(empty_database, folder / "study.db"))
    config = parse({**FILE, "budget": {"trials": 4}, "scheduler": {"name": "fifo", "max_epochs": 2}})
    bench = Bench(url=f"sqlite:///{file}", config=config, record=record_of(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.driver.driver, "FOLDER", folder / ".widefront")
        running = bench.open()
        bench.train_all(running)
        store = running.recorder.store
        for host in ("this", "that"):
            store.add_rejection("bench", Rejection(params={"depth": 4}, violations={"params": 0.5}, reason=host))
            session = store.open_session("bench", started_at=NOON, machine={"cpu": host})
            numerics = {"numerics": "float32", "product": "1", "torch": "2", "step_ms": {"float32": 1.0}, "wrong": {}}
            store.add_host("bench", Host(host=host, kind="cpu", session=session, **numerics))
        seeds = Replicates(store, "bench")
        seeds.add(Replicate(number=0, trial=0, seed=7, fold=(0, 2), started_at=NOON))
        seeds.add_measurement(0, factories.measurement(1))
        seeds.add_look(NOON, {0: {"accuracy": 0.5}})
        asking.ask(store, "bench", "add", {"trials": 1})
        asking.note(store, "bench", 0, star=True, text="again")
        Answers(store).add_answer("a" * 64, "12ab", "pi_ms", Answer(value=3, deviation=0.5))
        question = Question(kind="filters", trials=(0,), weights="a" * 64)
        Analyses(store, "bench").add(Analysis(question=question, rows=({"what": "channel"},), at=NOON))
        Claims(store).add_training(TRAINED)
        Claims(store).add_verdict(FOUND)
        bench.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # so that all of it is in the one file
    return file


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "study.db"


def spoil(whole: Path, file: Path, table: str, column: str, garbage: str) -> str | None:
    """Make the file anew with garbage in one row, and return the row's name, or None where SQLite refuses that."""
    if whole != file:
        shutil.copy(whole, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        (row,) = connection.execute(f"SELECT min(rowid) FROM {table}").fetchone()
        if row is None:  # Optuna's tables of what we never ask for
            return None
        try:
            connection.execute(f"UPDATE {table} SET {column} = {garbage} WHERE rowid = {row}")
        except sqlite3.IntegrityError:
            return None
    return f"row {row} of {table}"


def counted(file: Path) -> list[int]:
    """Return how much of the study can be read."""
    with Store.open(f"sqlite:///{file}", create=False) as store:
        if not store.studies():
            return []
        (study,) = store.names()
        trials = store.trials(study)
        seeds = [each for trial in trials for each in trial.replicates]
        others = [len(read(study)) for read in (store.sessions, store.rejections, store.hosts)]
        others += [len(requests(store, study)), len(notes(store, study))]
        told = [len(seeds), sum(len(each.measurements) for each in seeds), sum(each.test is not None for each in seeds)]
        return [len(trials), sum(trial.epochs for trial in trials), *told, *others]


def run(command: Callable[[list[str]], int], *given: str, capsys: Capture) -> tuple[int, str]:
    code = command(list(given))
    out, err = capsys.readouterr()
    return code, out + err


def look(file: Path, capsys: Capture) -> dict[str, tuple[int, str]]:
    """Return what the commands say."""
    url = f"sqlite:///{file}"
    return {
        "front": run(front.main, url, capsys=capsys),
        "curves": run(front.main, url, "--curves", f"{file.parent}/curves.csv", capsys=capsys),
        "doctor": run(doctor.main, url, capsys=capsys),
        "report": run(report.main, url, "-o", f"{file.parent}/report.html", capsys=capsys),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("table", "column"), OURS)
def test_a_row_of_ours_that_is_left_out_is_named_in_one_line(
    table: str, column: str, whole: Path, file: Path, capsys: Capture
) -> None:
    for kind, garbage in GARBAGE.items():
        if (row := spoil(whole, file, table, column, garbage)) is None:
            continue
        said = look(file, capsys)
        assert {code for code, _ in said.values()} <= {0, 1, 2}, kind
        if counted(file) != counted(whole):
            assert said["doctor"][0] == 1
            named = NAMED.get(f"{table}.{column}") or NAMED.get(table) or row
            tells = ("doctor", "front") if table in FRONTS else ("doctor",)
            for command in tells:
                assert len(re.findall(named, said[command][1])) == 1, (
                    command,
                    kind,
                    said[command][1],
                )


def findings(said: str) -> list[str]:
    """Return what the doctor finds but for the checkpoints that are not there."""
    return [
        line
        for line in said.splitlines()
        if re.match("(bench|database)[:a-z0-9 ]*: ", line) and ": missing: " not in line
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("table", "column"), [*OPTUNAS, *VERSIONS])
def test_a_row_of_optunas_is_left_out_alone_and_mending_leaves_it(
    table: str, column: str, whole: Path, file: Path, capsys: Capture
) -> None:
    for kind, garbage in GARBAGE.items():
        for given in ([], ["--fix"]):
            if spoil(whole, file, table, column, garbage) is not None:
                code, said = run(doctor.main, f"sqlite:///{file}", *given, capsys=capsys)
                assert code in (1, 2), kind
                told = [line for line in findings(said) if ": damaged: " in line]
                assert len(told) <= 1
                if told and "belongs" not in told[0]:  # else it may be the row of another trial, or of another program
                    assert findings(said) == told, (kind, said)


REFUSED = {
    "trials": ("state", r"^trial 0 \(row 1 of Optuna's trials\) cannot be read \(.*'x'"),
    "trial_params": ("distribution_json", r"^trial 0 \(row 1 of Optuna's trials\) cannot be read \(Expecting value"),
    "study_directions": ("direction", r"^Optuna's tables of 'bench' cannot be read \('x'"),
}


@pytest.mark.parametrize("table", REFUSED)
def test_a_launch_ends_at_a_row_of_optunas_and_says_which(table: str, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.open().hand_out()
    bench.close()
    column, said = REFUSED[table]
    assert spoil(file := Path(bench.url.removeprefix("sqlite:///")), file, table, column, "'x'")
    with pytest.raises(StudyError, match=said):
        bench.open()
