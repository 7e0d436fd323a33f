"""A study from its file to its front, with real Ray, real training and a real database."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.conftest import SMALL, Folder, wait_until
from tests.end_to_end.invariants import check_whole, read

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_study_runs_from_its_file_to_its_front_and_every_view_agrees(folder: Folder) -> None:
    said = folder.launch()
    check_whole(folder.url, trials=8)
    assert "\x1b" not in said  # plain lines where the output is no terminal
    assert said.count("fully trained (4 epochs)") >= 1
    ours = [line for line in said.splitlines() if not line.startswith("warning: a full training is 16 steps")]
    assert len(ours) == len(said.splitlines()) - 1
    chatter = "\n".join(ours).replace("starting Ray", "").lower().partition("report:")[0]
    assert not [word for word in ("ray", "tune", "warning", "info") if word in chatter]  # Ray's own is silenced
    for part in ("start-up", "proposing", "recording", "training", "report.html", "optuna-dashboard"):
        assert part in said

    front = json.loads(run("search.front", folder.url, "--json", cwd=folder.path).stdout)
    assert front
    assert all(row["epochs"] == 4 for row in front)
    page = (folder.path / "report.html").read_text()
    for row in front:
        assert row["name"] in said
        assert row["name"] in page
        assert f"{100 * row['accuracy']:.2f} %" in said
    assert re.search(r">\d+(\.\d)? ± \d+(\.\d)? %<", page)  # as the images are counted
    assert dashboard_front(folder) == sorted((row["accuracy"], row["macs"]) for row in front)


def dashboard_front(folder: Folder) -> list[tuple[float, float]]:
    """Return the objective values of the best trials as Optuna Dashboard serves them."""
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("optuna-dashboard")), folder.url, "--port", "18571", "--host", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers("http://127.0.0.1:18571/api/studies"), within_s=240)
        studies = fetch("http://127.0.0.1:18571/api/studies")["study_summaries"]
        detail = fetch(f"http://127.0.0.1:18571/api/studies/{studies[0]['study_id']}?after=0")
    finally:
        server.kill()
        server.wait()
    assert detail["objective_names"] == ["accuracy (fraction)", "macs (count per image)"]
    assert detail["directions"] == ["maximize", "minimize"]
    assert {plot["id"].removeprefix("widefront-") for plot in detail["plotly_graph_objects"]} == {
        "front", "curves", "importance",
    }  # fmt: skip
    assert {each["key"] for each in detail["user_attrs"]} == {"data", "file", "version", "trained in full", "live page"}
    assert "How to read these pages" in detail["note"]["body"]
    return sorted(tuple(float(value) for value in trial["values"]) for trial in detail["best_trials"])


def fetch(address: str) -> dict:  # type: ignore[type-arg]
    with urllib.request.urlopen(address, timeout=10) as answer:
        found: dict = json.load(answer)  # type: ignore[type-arg]
    return found


def answers(address: str) -> bool:
    try:
        fetch(address)
    except OSError:
        return False
    return True


def test_raising_the_budget_goes_on_with_the_same_study_and_a_changed_space_is_refused(folder: Folder) -> None:
    folder.write(budget={"trials": 3})
    folder.launch("--no-report")
    folder.write(budget={"trials": 5})
    folder.launch("--no-report")
    check_whole(folder.url, trials=5)
    again = folder.launch("--no-report")  # nothing is left to do, and it says the front again
    check_whole(folder.url, trials=5)
    assert "5 trials" in again

    folder.write(budget={"trials": 5}, space={**SMALL["space"], "depth": {"int": [1, 3]}})
    refused = run("search.launch", "space.yaml", cwd=folder.path)
    assert refused.returncode == 2
    assert "space.depth.int: [1, 2] -> [1, 3]" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_study_runs_on_postgresql_named_by_the_environment_and_never_shows_its_password(
    folder: Folder, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_DB", postgres_url)
    folder.write(storage="${STUDY_DB}", budget={"trials": 3})
    said = folder.launch()
    check_whole(postgres_url, trials=3)
    assert (folder.path / "report.html").exists()
    assert 'search.front "${STUDY_DB}" --study small' in said
    assert postgres_url not in said
    shown = run("search.front", "${STUDY_DB}", "--csv", cwd=folder.path)
    assert shown.returncode == 0
    assert shown.stdout.startswith("trial,name,")


@pytest.mark.very_slow
def test_trials_that_fail_do_not_end_a_study_and_are_told_to_optuna_with_their_reason(folder: Folder) -> None:
    # float32 overflows at once with this rate: every trial fails, and the study says so in the end.
    folder.write(recipe={"learning_rate": 1e30, "warmup_epochs": 0}, budget={"trials": 3})
    driver = folder.start("--no-report")
    assert driver.wait(240) == 1
    last = folder.said().strip().splitlines()[-1]
    assert last.startswith("error: all 3 trials failed; the commonest reason: not-finite: the ")
    _, trials = read(folder.url)
    assert [trial.failure_kind for trial in trials] == ["not-finite"] * 3


def test_an_interrupt_loses_nothing_and_says_how_to_go_on(folder: Folder) -> None:
    import signal

    driver = folder.start("--no-report")
    wait_until(lambda: "trial 0" in folder.said() or "trial 1" in folder.said())
    driver.send_signal(signal.SIGINT)
    assert driver.wait(240) == 130
    assert f"go on with: {sys.executable} -m search.launch space.yaml" in folder.said()
    folder.launch("--no-report")
    check_whole(folder.url, trials=8)


@pytest.mark.very_slow
def test_one_study_trains_many_kinds_of_blocks(folder: Folder) -> None:
    example = yaml.safe_load((ROOT / "spaces" / "examples" / "residual-all.yaml").read_text(encoding="utf-8"))
    folder.write(**{**example, "study": "small", "budget": {"trials": 20}, "storage": SMALL["storage"]})
    folder.launch("--no-report", within_s=400)
    check_whole(folder.url, trials=20)
    _, trials = read(folder.url)
    assert len({trial.architecture.block for trial in trials}) >= 8
