"""Objectives of a person's own: one entry each, and everything knows them."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.end_to_end.conftest import Folder
from tests.end_to_end.test_study import run
from tests.search.bench import sql

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

# What a person would write; Python imports `sitecustomize` in every process, Ray's workers included.
OWN = '''
from workers.objectives import OBJECTIVES, Objective


def sureness(epoch):
    """Return the mean probability of what is thought likeliest."""
    return float(epoch.evaluation.logits.softmax(dim=1).amax(dim=1).mean())


for each in (
    Objective(
        name="sureness", title="mean sureness", unit="fraction", direction="maximize", static=False, quality=True,
        best=1.0, worst=lambda classes: 1 / classes, measure=sureness,
    ),
    Objective(
        name="blocks", title="residual blocks", unit="count", direction="minimize", static=True,
        count=lambda architecture, image: sum(architecture.depths),
    ),
):
    OBJECTIVES[each.name] = each
'''


@pytest.mark.very_slow
def test_a_measured_and_a_static_objective_from_one_file_run_through_everything(folder: Folder, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text(OWN)
    folder.environment["PYTHONPATH"] = f"{own}:{Path(__file__).parents[2]}"
    folder.write(objectives=["sureness", "accuracy", "blocks"], constraints={"blocks": "<= 5"})
    said = folder.launch()
    assert "0 failed" in said
    path = folder.environment["PYTHONPATH"]

    front = json.loads(run("search.front", folder.url, "--json", cwd=folder.path, PYTHONPATH=path).stdout)
    assert front
    assert all(0.1 <= row["sureness"] <= 1 and row["blocks"] == 3 for row in front)
    page = (folder.path / "report.html").read_text()
    assert "mean sureness" in page
    assert "residual blocks" in page
    doctor = run("search.doctor", folder.url, cwd=folder.path, PYTHONPATH=path)
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    replayed = run("search.simulate", folder.url, "--trials", "4", cwd=folder.path, PYTHONPATH=path)
    assert replayed.returncode == 0, replayed.stderr

    with sql(folder.url) as connection:
        stored = [
            json.loads(row[0])
            for row in connection.execute(text("SELECT metrics FROM nas_measurement WHERE accuracy IS NOT NULL"))
        ]
        assert stored
        assert all(0.1 <= each["sureness"] <= 1 for each in stored)
        optunas = connection.execute(text("SELECT value FROM trial_values WHERE objective = 2")).scalars().all()
        assert len(optunas) >= len(front)
        assert set(optunas) <= {3, 6}

    bare = run("search.front", folder.url, "--json", cwd=folder.path)  # where the entries are not known
    assert bare.returncode == 0, bare.stderr
    assert json.loads(bare.stdout) == front
