"""One damaged row is named, and whoever only looks goes on with the rest."""

from collections.abc import Callable

import pytest

from dashboards import report
from search import doctor, front
from search.core.records import State, StudyRecord, TrialRecord
from search.storage.store import Store
from spaces.errors import StudyError
from tests.search.bench import sql
from workers.measurement import Measurement

STUDY = "front"
DAMAGE = {  # by statement: what is said of it
    "UPDATE nas_trial SET architecture = '{' WHERE number = 1": "trial 1 cannot be read (Expecting property name",
    "UPDATE nas_trial SET parameters = 'null' WHERE number = 1": "trial 1 cannot be read (null is no mapping)",
    "UPDATE nas_trial SET state = 'odd' WHERE number = 1": "trial 1 cannot be read ('odd' is not a valid State)",
    "UPDATE nas_measurement SET accuracy = 'high' WHERE trial_id = 2": "trial 1 cannot be read (accuracy 'high' of",
}
STUDYS = {
    "UPDATE nas_study SET space = 'x'": "the study 'front' cannot be read (Expecting value",
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
