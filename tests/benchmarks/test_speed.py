"""What the benchmark of speed says follows from its runs, and it goes on where it was broken off."""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from search.config.study import load
from spaces.domains import Choice, Int
from tests.benchmarks.speed import found, plain
from tests.benchmarks.speed.growth import Scale, Trained, final, growth, reached
from tests.benchmarks.speed.lines import SEARCH, Job, Line, add, chosen, jobs, read
from tests.benchmarks.speed.page import page, times, told
from tests.benchmarks.speed.processes import DAEMONS, DRIVER, WORKERS, kind, run
from tests.benchmarks.speed.run import FILES, TRIALS

SCALE = Scale(10, (10.0, 1000.0))
FOUND = (Trained(9.0, 1.0, 100.0), Trained(4.0, 0.55, 10.0), Trained(6.0, 0.5, 100.0))


EPOCHS = {"trials": 60, "epochs": 20, "epochs_s": 5.0, "first_epoch_at": 2.0, "last_epoch_at": 9.0}


def line(system: str = "here", seed: int = 0, trained: tuple[Trained, ...] = FOUND) -> Line:
    return Line(
        job=Job(SEARCH, system, "digits", seed), commit="abc1234", machine={"cores": "2"}, began=0.0, load=0.1,
        wall_s=10.0 + seed, cpu_s=15.0, cpu_by_kind={DRIVER: 4.0, WORKERS: 8.0}, trained=trained,
        more={"classes": 10, "macs": [10, 1000], **EPOCHS},
    )  # fmt: skip


def test_hypervolume_grows_with_what_is_trained_in_full_in_the_order_of_time() -> None:
    # The cheapest network at half of what is above chance; then one that it dominates; then a perfect one half-way.
    assert growth(FOUND, SCALE) == [(4.0, 0.5), (6.0, 0.5), (9.0, pytest.approx(0.75))]
    assert final(FOUND, SCALE) == pytest.approx(0.75)
    assert final((), SCALE) == 0


def test_what_a_search_never_reaches_takes_for_ever() -> None:
    assert [reached(FOUND, SCALE, target) for target in (0.4, 0.6, 0.8)] == [4.0, 9.0, float("inf")]


def test_a_network_below_chance_or_beyond_the_dearest_adds_nothing() -> None:
    assert final([Trained(1.0, 0.05, 10.0), Trained(2.0, 0.9, 5000.0)], SCALE) == 0


def test_numbers_are_told_by_their_median_and_their_ends() -> None:
    assert (told([3.0, 1.0, 2.0]), told([2.5]), told([])) == ("2.0 (1.0..3.0)", "2.5", "-")
    assert told([1.0, float("inf")]) == "inf (1.0..inf)"
    assert times([2.0, 2.0], [1.0]) == "2.00"


def test_runs_are_kept_as_they_were_and_half_a_line_is_none(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    add(path, line())
    path.write_text(path.read_text() + line(seed=1).to_json()[:40])
    assert read(path) == [line()]
    add(path, line(seed=2))
    assert read(path) == [line(), line(seed=2)]


def test_systems_take_turns_and_each_is_first_in_its_turn() -> None:
    listed = [job for job in jobs(["digits"], ["here", "base", "ray"], 3) if job.what == SEARCH]
    assert [job.system for job in listed] == ["here", "base", "ray", "base", "ray", "here", "ray", "here", "base"]
    assert [job.seed for job in listed] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_what_is_named_alone_is_run() -> None:
    of_ray, dry = Job(SEARCH, "ray", "digits", 0), Job("dry-run", "here", "digits", 0)
    asked = [[], ["here"], ["here", "ray"], ["dry-run", "here"], ["fashion"]]
    assert [(chosen(of_ray, only), chosen(dry, only)) for only in asked] == [
        (True, True), (False, True), (True, True), (False, True), (False, False)
    ]  # fmt: skip


def test_a_page_says_who_never_got_there() -> None:
    late = (Trained(9.0, 0.4, 100.0),)
    shown = page([line(seed=0), line(seed=1), line("optuna", 0, late), line("optuna", 1, late)])
    assert "| Widefront | 2 | 10.5 (10.0..11.0) |" in shown
    assert "inf (inf..inf)" in shown
    assert "2 of 2 |" in shown
    assert page([]).startswith("# Speed")


def test_seconds_of_what_a_command_starts_are_counted_by_what_it_is(tmp_path: Path) -> None:
    spin = "import time\nwhile time.process_time() < 0.5: pass"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spin!r}])\nprint('over')"
    ended = run([sys.executable, "-c", parent], folder=tmp_path, env={})
    assert (ended.code, ended.output.read_text()) == (0, "over\n")
    assert ended.cpu_s >= 0.5
    assert ended.wall_s >= 0.5
    assert ended.cpu_by_kind["other"] > ended.cpu_by_kind[DRIVER]


def test_processes_are_known_by_their_commands() -> None:
    assert kind(["ray::NetworkTrainable.train"]) == kind(["python", "/x/ray/default_worker.py"]) == WORKERS
    assert kind(["/x/ray/core/src/ray/raylet/raylet", "--worker=default_worker.py"]) == DAEMONS
    assert kind(["ray::RuntimeEnvAgent   "]) == kind(["python", "/x/ray/_private/log_monitor.py"]) == DAEMONS
    assert kind(["python", "-m", "workers.probe"]) == "workers.probe"
    assert kind([]) == kind(["python", "-m"]) == "other"


def test_moments_of_optuna_are_in_the_zone_of_the_machine_and_ours_in_utc(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "optuna.db")) as database:
        database.executescript(
            "CREATE TABLE trials (trial_id, state, datetime_complete);"
            "CREATE TABLE trial_values (trial_id, objective, value);"
            "INSERT INTO trials VALUES (1, 'COMPLETE', '2026-01-02 03:04:05'), (2, 'PRUNED', '2026-01-02 03:04:06');"
            "INSERT INTO trial_values VALUES (1, 0, 0.9), (1, 1, 500.0);"
        )
    trained, _ = found.of_optuna(tmp_path, 0.0, 9)
    assert trained == [Trained(found._second("2026-01-02 03:04:05", None), 0.9, 500.0)]


def test_what_ray_has_stopped_is_not_trained_in_full(tmp_path: Path) -> None:
    for name, epochs in (("a", 2), ("b", 1)):
        file = tmp_path / "ray" / "search" / name / "result.json"
        file.parent.mkdir(parents=True)
        told = [
            {"training_iteration": epoch, "accuracy": 0.9, "macs": 5, "at": epoch} for epoch in range(1, epochs + 1)
        ]
        file.write_text("".join(json.dumps(each) + "\n" for each in told))
    assert found.of_ray(tmp_path, 1.0, epochs=2) == ([Trained(1.0, 0.9, 5)], {"epochs": 3})


@pytest.mark.parametrize("name", FILES)
def test_scripts_have_the_space_the_images_and_the_epochs_of_the_file(name: str) -> None:
    config, what = load(FILES[name], []), plain.task(name)
    domains = {each.name: each.domain for each in config.search_space.parameters}
    assert config.data_spec.anywhere() == what.data.anywhere()
    assert domains["depth"] == Int(low=1, high=what.deepest)
    assert domains["widening_factor"] == Choice(options=what.widths)
    assert (config.scheduler.max_epochs, config.recipe.batch_size) == (what.epochs, what.batch_size)
    assert config.budget.trials == TRIALS[name]
