"""Studies of an earlier version open and go on: their database, checkpoints and journal are as it left them.

`tests/golden/studies.tar.xz` was made by the version before search/ had rooms (schema 0003): `finished`, six trials
that ended by `auto`; and `cut-off`, whose database was locked while it trained and whose launch was killed (SIGKILL)
with two measurements in its journal, which no table holds.
"""

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from search.core.records import State, TrialRecord
from search.storage.store import Store
from tests.end_to_end.conftest import Folder
from workers.checkpoint import load
from workers.measurement import Measurement

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

STUDIES = Path(__file__).resolve().parents[1] / "golden" / "studies.tar.xz"


@pytest.fixture
def earlier(folder: Folder) -> Folder:
    with tarfile.open(STUDIES) as packed:
        packed.extractall(folder.path, filter="data")
    return folder


def trials(folder: Folder, study: str) -> dict[int, TrialRecord]:
    with Store.open(folder.url, create=False) as store:
        return {trial.number: trial for trial in store.trials(study)}


def measurements(found: dict[int, TrialRecord]) -> dict[tuple[int, int], Measurement]:
    return {(number, each.epoch): each for number, trial in found.items() for each in trial.measurements}


def checkpoints(folder: Folder) -> dict[str, list[dict[str, Any]]]:
    """Return the history in each newest checkpoint: the seconds in it tell an epoch from the same one trained again."""
    found = {path.name: load(path) for path in (folder.path / "runs").glob("cut-off-*/[0-9].pt")}
    return {name: state["history"] for name, state in found.items() if state}


def told(command: str, folder: Folder, *given: str) -> str:
    asked = [sys.executable, "-m", command, folder.url, *given]
    done = subprocess.run(asked, cwd=folder.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_study_that_ended_is_read_as_it_was(earlier: Folder) -> None:
    rows = json.loads(told("search.front", earlier, "--study", "finished", "--json"))
    assert [(row["trial"], round(row["accuracy"], 4)) for row in rows] == [(0, 0.7467), (1, 0.81)]
    assert "nothing is wrong" in told("search.doctor", earlier, "--study", "finished")


def test_a_study_that_was_cut_off_goes_on_from_its_checkpoints_and_its_journal(earlier: Folder) -> None:
    (journal,) = (earlier.path / ".widefront").iterdir()
    waiting = [json.loads(line) for line in journal.read_text().splitlines()]
    recorded, held = measurements(trials(earlier, "cut-off")), checkpoints(earlier)
    assert len(waiting) == 2
    assert len(held) == 5
    earlier.launch("--no-report")
    after = trials(earlier, "cut-off")
    assert len(after) == 16
    assert {trial.state for trial in after.values()} == {State.COMPLETE, State.STOPPED}
    known = measurements(after)
    assert recorded.items() <= known.items()
    for entry in waiting:
        told_of = Measurement.from_json(entry["measurement"])
        assert known[entry["number"], told_of.epoch] == told_of
    for name, history in held.items():  # nothing that a checkpoint holds was trained again
        number = int(name.removesuffix(".pt"))
        assert [known[number, fields["epoch"]] for fields in history] == [
            Measurement.from_json(each) for each in history
        ]
    assert not journal.exists()
    assert "nothing is wrong" in told("search.doctor", earlier, "--study", "cut-off")
