"""A front is confirmed with real Ray: killed in the middle, started again, and measured on the test split."""

import json
import sqlite3
from contextlib import closing

import pytest

from search import doctor, front
from search.core.records import Replicate
from tests.end_to_end.conftest import Folder, wait_until
from tests.end_to_end.invariants import read

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
Capture = pytest.CaptureFixture[str]
ASKED = ("sqlite:///study.db", "--seeds", "2", "--front")


def epochs_recorded(folder: Folder) -> int:
    with closing(sqlite3.connect(folder.path / "study.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM nas_replicate_measurement").fetchone()[0])


def replicates(folder: Folder) -> list[Replicate]:
    _, trials = read(folder.url)
    return sorted((each for trial in trials for each in trial.replicates), key=lambda each: each.number)


def test_a_front_is_confirmed_whatever_dies_and_then_tested(
    folder: Folder, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.launch("--no-report")
    _, before = read(folder.url)

    driver = folder.command("search.confirm", *ASKED)
    wait_until(lambda: epochs_recorded(folder) >= 3)
    driver.kill()
    driver.wait(60)
    begun = {each.number: each.measurements for each in replicates(folder)}
    assert begun

    driver = folder.command("search.confirm", *ASKED, "--test")
    assert driver.wait(240) == 0, folder.said()
    after = replicates(folder)
    assert all(each.complete and each.test is not None for each in after)
    for number, measurements in begun.items():  # what was recorded stays as it was, to the digit
        assert after[number].measurements[: len(measurements)] == measurements
    assert len({(each.trial, each.seed) for each in after}) == len(after)
    if len({each.trial for each in after}) > 1:  # else both workers have one of two seeds
        assert 2 in {epoch.together for each in after for epoch in each.measurements}
    _, trials = read(folder.url)
    assert [trial.measurements for trial in trials] == [trial.measurements for trial in before]
    assert "the test split was looked at 1 time" in folder.said()

    monkeypatch.chdir(folder.path)
    assert front.main([folder.url, "--json"]) == 0
    for row in json.loads(capsys.readouterr().out):
        assert row["confirmed_seeds"] == 2
        assert row["confirmed_accuracy_low"] <= row["accuracy"] <= row["confirmed_accuracy_high"]
        assert 0 <= row["confirmed_test_accuracy"] <= 1
    assert doctor.main([folder.url]) == 0, capsys.readouterr().out

    again = folder.command("search.confirm", *ASKED, "--test")
    assert again.wait(60) == 0  # nothing is left: it neither trains nor looks again
    assert "starting Ray" not in folder.said()
    assert "looked at 1 time" in folder.said()


@pytest.mark.very_slow
def test_a_study_that_asks_for_it_ends_confirmed(folder: Folder) -> None:
    folder.write(confirm={"seeds": 2, "near": 0}, budget={"trials": 4})
    said = folder.launch("--no-report")
    assert " ± " in said
    assert all(each.complete for each in replicates(folder))
    assert len(folder.launch("--no-report").splitlines()) > 0
    assert epochs_recorded(folder) == sum(len(each.measurements) for each in replicates(folder))
