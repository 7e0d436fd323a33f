"""Two launches of one study at once: refused, or joined when both ask to share."""

import subprocess
import sys

import pytest

from tests.end_to_end.conftest import Folder, wait_until
from tests.end_to_end.invariants import check_whole, read

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def test_two_launches_share_a_study_and_a_third_alone_is_told_who_has_it(
    folder: Folder, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_DB", postgres_url)
    folder.write(
        storage="${STUDY_DB}",
        data="digits",
        budget={"trials": 24},
        resources={"cpus_per_trial": 1, "concurrent_trials": 1},
        scheduler={"name": "pareto-asha", "max_epochs": 8, "reduction_factor": 2},
    )
    first = folder.start("--no-report", "--share")
    wait_until(lambda: "starting Ray" in folder.said())
    second = folder.start("--no-report", "--share")
    alone = subprocess.run(
        [sys.executable, "-m", "search.launch", "space.yaml"],
        cwd=folder.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.returncode == 1
    assert f"another launch (process {first.pid} on " in alone.stderr or f"(process {second.pid} on " in alone.stderr
    assert len(alone.stderr.splitlines()) == 1
    assert [first.wait(240), second.wait(240)] == [0, 0], folder.said()
    check_whole(postgres_url, trials=24)
    _, trials = read(postgres_url)
    assert len({trial.session for trial in trials}) == 2  # both had a share of the work
