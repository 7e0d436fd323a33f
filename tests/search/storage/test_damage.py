"""One damaged row is named, and whoever only looks goes on with the rest."""

from collections.abc import Callable

import pytest

from dashboards import report
from search import doctor, front
from search.core.records import State, StudyRecord, TrialRecord
from search.storage.claims import Claims
from search.storage.store import Store
from spaces.errors import StudyError
from tests.search.bench import sql
from tests.search.storage.test_claims import FOUND, TRAINED
from workers.measurement import Measurement

STUDY = "front"
TRIAL = "trial 1 (row 2 of nas_trial) cannot be read"
DAMAGE = {  # by statement: what is said of it
    "UPDATE nas_trial SET architecture = '{' WHERE number = 1": f"{TRIAL} (architecture: Expecting property name",
    "UPDATE nas_trial SET parameters = 'null' WHERE number = 1": f"{TRIAL} (parameters 'null' is no mapping)",
    "UPDATE nas_trial SET state = 'odd' WHERE number = 1": f"{TRIAL} (state: 'odd' is not a valid State)",
    "UPDATE nas_trial SET started_at = 'x' WHERE number = 1": f"{TRIAL} (started_at 'x' is no moment)",
    "UPDATE nas_trial SET reason = CAST(x'ff' AS TEXT) WHERE number = 1": rf"{TRIAL} (reason '\udcff' is no text)",
    "UPDATE nas_trial SET number = 'x' WHERE number = 1": "row 2 of nas_trial cannot be read (number 'x' is no whole",
    "UPDATE nas_measurement SET accuracy = 'high' WHERE trial_id = 2": f"{TRIAL} (accuracy 'high' is no finite number,",
    "UPDATE nas_measurement SET accuracy = 2 WHERE trial_id = 2": f"{TRIAL} (accuracy 2.0 is not in [0, 1], in the row",
}
STUDY_ROW = "the study 'front' (row 1 of nas_study) cannot be read"
STUDYS = {
    "UPDATE nas_study SET space = 'x'": f"{STUDY_ROW} (space: Expecting value",
    "UPDATE nas_study SET max_epochs = 'x'": f"{STUDY_ROW} (max_epochs 'x' is no whole number)",
    "UPDATE nas_study SET created_at = 'x'": f"{STUDY_ROW} (created_at 'x' is no moment)",
    "UPDATE nas_study SET name = CAST(x'ff' AS TEXT)": r"the study '\udcff' (row 1 of nas_study) cannot be read (name",
    """UPDATE nas_study SET objectives = '["accuracy", "energy"]'""": "cannot be read (unknown objective 'energy'",
}

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def url(
    sqlite_url: str,
    make_study: Callable[..., StudyRecord],
    make_trial: Callable[..., TrialRecord],
    make_measurement: Callable[..., Measurement],
) -> str:
    """Give a database with one study of two complete trials."""
    with Store.open(sqlite_url) as store:
        store.add_study(study := make_study(STUDY))
        for number in (0, 1):
            curve = tuple(make_measurement(epoch) for epoch in range(1, study.max_epochs + 1))
            store.add_trial(STUDY, make_trial(number, measurements=curve, state=State.COMPLETE))
    return sqlite_url


def damage(url: str, statement: str) -> None:
    with sql(url) as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("statement", DAMAGE)
def test_whoever_looks_is_told_of_the_row_and_sees_the_rest(url: str, statement: str, capsys: Capture) -> None:
    damage(url, statement)
    assert front.main([url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert '"trial": 0' in out
    assert err.startswith(f"warning: {DAMAGE[statement]}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("statement", DAMAGE)
def test_a_launch_does_not_go_on_without_it(url: str, statement: str) -> None:
    damage(url, statement)
    with Store.open(url) as store, pytest.raises(StudyError) as refused:
        store.trials(STUDY)
    assert str(refused.value).startswith(DAMAGE[statement])


@pytest.mark.parametrize("statement", {**DAMAGE, **STUDYS})
def test_the_doctor_finds_it(url: str, statement: str, capsys: Capture) -> None:
    damage(url, statement)
    assert doctor.main([url]) == 1
    assert f"damaged: {(DAMAGE | STUDYS)[statement]}".removeprefix("damaged: ") in capsys.readouterr().out


@pytest.mark.parametrize("statement", STUDYS)
def test_a_study_that_cannot_be_read_is_no_traceback(url: str, statement: str, capsys: Capture) -> None:
    damage(url, statement)
    assert front.main([url]) == 2
    assert report.main([url]) == 2
    assert capsys.readouterr().err.count(STUDYS[statement]) == 2


def test_no_mending_writes_a_damaged_trial_anew(url: str, capsys: Capture) -> None:
    damage(url, "UPDATE nas_trial SET architecture = '{' WHERE number = 1")
    assert doctor.main([url, "--fix"]) == 1
    with sql(url) as connection:
        told = connection.exec_driver_sql("SELECT architecture FROM nas_trial WHERE number = 1").scalar_one()
    assert told == "{"
    assert "trial 1: damaged" in capsys.readouterr().out


def test_a_trial_whose_measurements_belong_to_another_has_no_rank(url: str, capsys: Capture) -> None:
    damage(url, "UPDATE nas_trial SET id = 77 WHERE number = 1")
    assert front.main([url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert '"trial": 0' in out
    named = ", ".join(map(str, range(10, 18)))
    assert err == f"warning: rows {named} and 1 more of nas_measurement belong to no row of nas_trial\n"


def test_an_epoch_beyond_counting_is_one_finding(url: str, capsys: Capture) -> None:
    damage(url, "UPDATE nas_measurement SET epoch = 9223372036854775807 WHERE epoch = 9 AND trial_id = 2")
    assert doctor.main([url]) == 1
    out = capsys.readouterr().out
    assert out.count("front trial 1: epochs: ") == 1
    assert " epochs 9, 10, 11, 12, 13, 14, 15, 16 and " in out


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE nas_training SET found = '3'", "row 1 of nas_training cannot be read (found"),
        ("UPDATE nas_verdict SET outcome = 'maybe'", "row 1 of nas_verdict cannot be read ("),
        ("UPDATE nas_verdict SET told = '{}'", "row 1 of nas_verdict cannot be read (KeyError: "),
    ],
)
def test_the_doctor_names_damaged_rows_of_claims(sqlite_url: str, capsys: Capture, statement: str, told: str) -> None:
    with Store.open(sqlite_url) as store:
        Claims(store).add_training(TRAINED)
        Claims(store).add_verdict(FOUND)
    damage(sqlite_url, statement)
    assert doctor.main([sqlite_url]) == 1
    assert told in capsys.readouterr().out
