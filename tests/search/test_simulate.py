"""`python -m search.simulate` replays recorded trainings, and puts policies side by side."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from search.core.fronts import front_trials
from search.core.records import State, TrialRecord
from search.front import main as front
from search.simulate import main
from tests.search.bench import FILE, Bench
from tests.search.simulation.test_tables import CONDITIONAL, read
from tests.search.tables import TABLE, grid, run

Capture = pytest.CaptureFixture[str]
Make = Callable[..., Bench]
SECTIONS: dict[str, Any] = {"table": TABLE, "sampler": "random", "scheduler": "asha", "budget": {"trials": 10}}


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """Give the beginning of a command: a file, its table, and one process."""
    (tmp_path / "replay.yaml").write_text(yaml.safe_dump(SECTIONS))
    grid().to_parquet(tmp_path / "grid.parquet")
    return [str(tmp_path / "replay.yaml"), "--table", str(tmp_path / "grid.parquet"), "--jobs", "1"]


def told(command: list[str], capsys: Capture) -> dict[str, Any]:
    """Return what a command said as JSON, and nothing else."""
    assert main([*command, "--json"]) == 0
    out, _ = capsys.readouterr()
    found: dict[str, Any] = json.loads(out)
    return found


def trials(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# What is compared


@pytest.mark.parametrize(
    ("options", "policies"),
    [
        ([], ["random+asha"]),
        (["--sampler", "tpe"], ["tpe+asha"]),
        (["--scheduler", "fifo"], ["random+fifo"]),
        (["--compare", "random"], ["random+asha"]),
        (["--compare", "tpe,random"], ["tpe+asha", "random+asha"]),
        (["--compare", "+asha, +pareto-asha,+fifo"], ["random+asha", "random+pareto-asha", "random+fifo"]),
        (["--compare", "auto+fifo,recorded"], ["auto+fifo", "recorded+asha"]),
        (["--compare", "random,+asha,random+asha"], ["random+asha"]),
        (["--sampler", "tpe", "--scheduler", "fifo", "--compare", "random,+asha"], ["random+fifo", "tpe+asha"]),
        (["--set", "sampler=nsga2"], ["nsga2+asha"]),
    ],
)
def test_what_is_not_named_is_the_files(
    given: list[str], options: list[str], policies: list[str], capsys: Capture
) -> None:
    found = told([*given, "--trials", "3", *options], capsys)
    assert [each["policy"] for each in found["policies"]] == policies
    assert [each["policy"] for each in found["runs"]] == policies


def test_seeds_workers_and_trials_are_the_commands_or_the_files(given: list[str], capsys: Capture) -> None:
    found = told(given, capsys)
    assert (found["seeds"], found["workers"], len(found["runs"][0]["hypervolume"])) == (1, 1, 10)
    found = told([*given, "--set", "resources.concurrent_trials=3"], capsys)
    assert found["workers"] == 3
    found = told([*given, "--seeds", "2", "--workers", "4", "--trials", "5"], capsys)
    assert (found["seeds"], found["workers"]) == (2, 4)
    assert [(each["seed"], len(each["hypervolume"])) for each in found["runs"]] == [(0, 5), (1, 5)]


def test_without_any_budget_there_are_200_trials(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    grid(30, 10, 1).to_csv(tmp_path / "large.csv", index=False)
    command = [given[0], "--table", str(tmp_path / "large.csv"), "--jobs", "1", "--set", "budget={}"]
    assert len(told(command, capsys)["runs"][0]["epochs"]) == 200
    assert len(told([*command, "--set", "budget.epochs=250"], capsys)["runs"][0]["epochs"]) == 250


# What is said


def test_json_tells_how_each_study_grew(given: list[str], capsys: Capture) -> None:
    found = told([*given, "--compare", "recorded+fifo,random+fifo", "--trials", "18", "--workers", "2"], capsys)
    assert (found["table"], found["objectives"]) == ("grid.parquet", ["acc", "cost"])
    courses = run(read(grid()), "recorded", workers=2)
    first = found["runs"][0]
    assert first["epochs"] == [course.spent_epochs for course in courses]
    assert first["hours"] == pytest.approx([course.ended_s / 3600 for course in courses], abs=1e-6)
    assert [each["hypervolume"][-1] for each in found["runs"]] == [1.0, 1.0]  # of all there is
    assert [each["total_epochs"] for each in found["policies"]] == [54, 54]
    assert [each["at"] for each in found["policies"][0]["trials"]] == [18]
    assert [each["at"] for each in found["policies"][0]["epochs"]] == [7, 14, 27, 54]


def test_policies_are_summed_up_by_mean_and_standard_deviation(given: list[str], capsys: Capture) -> None:
    found = told([*given, "--seeds", "3"], capsys)
    ends = [each["hypervolume"][-1] for each in found["runs"]]
    mean = sum(ends) / 3
    last = found["policies"][0]["trials"][-1]
    assert last["mean"] == pytest.approx(mean, abs=1e-5)
    assert last["std"] == pytest.approx((sum((end - mean) ** 2 for end in ends) / 3) ** 0.5, abs=1e-5)


def lines(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines() if line.strip(" ─")]


def test_the_table_has_a_line_for_each_policy_by_trials_epochs_and_time(given: list[str], capsys: Capture) -> None:
    assert main([*given, "--compare", "recorded+fifo,random", "--trials", "18"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("grid.parquet: 18 networks trained for 3 epochs; acc against cost\n")
    assert "of the networks trained in full: mean of 1 seed, 1 worker." in out
    rows = lines(out)
    assert [" ".join(row) for row in rows if row[0] == "policy"] == [
        "policy 18 trials",
        "policy 7 epochs 14 epochs 27 epochs 54 epochs epochs in all",
        "policy after 11.8 s after 23.6 s after 47.2 s after 1 min 34 s hours in all",
    ]
    recorded = [row for row in rows if row[0] == "recorded+fifo"]
    assert recorded[0] == ["recorded+fifo", "1.000"]
    assert recorded[1][-2:] == ["1.000", "54"]
    assert len([row for row in rows if row[0] == "random+asha"]) == 3


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_width_cuts_a_number_of_the_table(
    given: list[str], width: int, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("search.simulate.make_console", lambda: Console(width=width))
    assert main([*given, "--compare", "recorded+fifo,random", "--trials", "18", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    tables = out[out.index("policy") :]
    assert "…" not in tables
    assert max(map(len, tables.splitlines())) <= width
    for row in lines(tables):
        if row[0] != "policy":
            assert all(re.fullmatch(r"±?[\d.]+|min|s|h", part) for part in row[1:])
    headings = [" ".join(row) for row in lines(tables) if row[0] == "policy"]
    assert ["54 epochs epochs in all" in headings[1], " 7 epochs" in headings[1]] == [True, width > 80]


def test_several_seeds_have_a_spread_and_what_is_left_out_is_said(given: list[str], capsys: Capture) -> None:
    space = "space={width: {int: [1, 4]}, depth: {int: [1, 3]}}"
    assert main([*given, "--seeds", "2", "--workers", "3", "--set", space]) == 0
    out = capsys.readouterr().out
    assert "12 networks trained for 3 epochs, 18 rows outside the space; acc against cost" in out
    assert "mean ± standard deviation of 2 seeds, 3 workers." in out
    assert all("±" in row[-1] for row in lines(out) if row[0] == "random+asha" and len(row) == 3)


def test_a_table_without_epochs_is_compared_by_trials_alone(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    CONDITIONAL.to_csv(tmp_path / "final.csv", index=False)
    assert main([given[0], "--table", str(tmp_path / "final.csv"), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "4 networks trained for 1 epoch; acc against cost" in out
    assert [row for row in lines(out) if row[0] == "policy"] == [["policy", "4", "trials"]]


def test_every_trial_is_written_in_order(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "trials.csv"
    told([*given, "--compare", "recorded+fifo,random", "--seeds", "2", "--workers", "2", "--out", str(out)], capsys)
    rows = trials(out)
    assert list(rows[0]) == [
        "policy", "run", "trial", "width", "depth", "training", "epochs", "start_s", "end_s", "state", "reason",
    ]  # fmt: skip
    assert [(row["policy"], row["run"], row["trial"]) for row in rows] == [
        (name, str(seed), str(number))
        for name in ("recorded+fifo", "random+asha") for seed in (0, 1) for number in range(10)
    ]  # fmt: skip
    assert tuple(rows[3].values()) == (
        "recorded+fifo", "0", "3", "2", "1", "0", "3", "1.5", "4.5", "complete", "",
    )  # fmt: skip
    assert any(row["state"] == "stopped" and row["reason"].startswith("epoch 1: rank ") for row in rows)


def test_parameters_that_a_trial_lacks_are_empty_in_its_row(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    CONDITIONAL.to_csv(tmp_path / "t.csv", index=False)
    command = [given[0], "--table", str(tmp_path / "t.csv"), "--jobs", "1", "--sampler", "recorded"]
    told([*command, "--out", str(tmp_path / "trials.csv")], capsys)
    rows = trials(tmp_path / "trials.csv")
    assert [(row["block"], row["wide"], row["groups"]) for row in rows] == [
        ("basic", "True", ""), ("plain", "False", ""), ("resnext", "", "2"), ("resnext", "", "4"),
    ]  # fmt: skip
    assert list(rows[0])[-6:] == ["training", "epochs", "start_s", "end_s", "state", "reason"]


@pytest.mark.slow
def test_several_processes_find_the_same_as_one(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    command = [*given[:-2], "--compare", "random,auto", "--seeds", "2", "--workers", "2"]
    one = told([*command, "--jobs", "1", "--out", str(tmp_path / "one.csv")], capsys)
    two = told([*command, "--jobs", "2", "--out", str(tmp_path / "two.csv")], capsys)
    assert one == two
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_a_figure_is_drawn(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    assert main([*given, "--figure", str(tmp_path / "grown.html")]) == 0
    assert "share of the true hypervolume (%)" in (tmp_path / "grown.html").read_text(encoding="utf-8")
    other = tmp_path / "grid.parquet"
    assert main([*given, "--figure", str(other)]) == 1
    assert f"error: the figure was not drawn: {other} is no page" in capsys.readouterr().err


# What is refused


REFUSED: dict[str, tuple[list[str], str]] = {
    "no table": ([], "--table: name the file of recorded trainings"),
    "no such table": (["--table", "none.csv"], "none.csv: there is no such file"),
    "no such sampler": (["--compare", "random,tpee"], "sampler.name: unknown sampler 'tpee' (did you mean 'tpe'?)"),
    "no such scheduler": (["--compare", "+ashaa"], "scheduler.name: unknown scheduler 'ashaa' (did you mean 'asha'?)"),
    "no such section": (["--set", "sampelr=tpe"], "unknown key 'sampelr'"),
    "no such objective": (["--set", "table.objectives={a: minimize, b: maximize}"], "table.objectives: unknown column"),
    "no such fidelity": (["--set", "scheduler.max_epochs=7"], "scheduler.max_epochs: epoch 7 is not in the table"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_in_one_line(case: str, given: list[str], capsys: Capture) -> None:
    options, said = REFUSED[case]
    command = [given[0], *options] if case == "no table" else [*given, *options]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {said}")
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_refused(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    assert main([str(tmp_path / "none.yaml"), *given[1:]]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/none.yaml: ")
    assert main([f"sqlite:///{tmp_path}/none.db"]) == 2
    assert capsys.readouterr().err == f"error: there is no study in sqlite:///{tmp_path}/none.db\n"


def test_trials_that_cannot_be_written_end_with_2(given: list[str], tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file" / "trials.csv", tmp_path / "file"):
        assert main([*given, "--out", str(path)]) == 2
        assert str(path) in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("option", ["--workers", "--seeds", "--trials", "--jobs"])
@pytest.mark.parametrize("number", ["0", "-1", "1.5", "x"])
def test_numbers_are_whole_and_at_least_1(given: list[str], option: str, number: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as left:
        main([*given, option, number])
    assert left.value.code == 2
    assert f"{option}: " in capsys.readouterr().err


def test_help_names_every_option() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "search.simulate", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in ("file", "--table", "--study", "--set", "--sampler", "--scheduler", "--compare", "--workers"):
        assert option in said
    for option in ("--seeds", "--trials", "--jobs", "--out", "--figure", "--json", "--debug"):
        assert option in said


# A study's own trials


@pytest.fixture
def trained(bench: Bench) -> Mapping[int, TrialRecord]:
    """Give the trials of the bench's study."""
    return train(bench, 1)


def train(bench: Bench, workers: int) -> Mapping[int, TrialRecord]:
    """Let so many workers train, whose epochs take equally long, and return the trials."""
    running = bench.open(budget={"trials": 20})
    busy: list[int] = []
    while True:
        while len(busy) < workers and isinstance(trial := running.hand_out(), TrialRecord):
            busy.append(trial.number)
        if not busy:
            bench.close()
            return dict(running.trials)
        number = busy.pop(0)
        if not running.measured(number, bench.learn(running.trials[number], running.trials[number].epochs + 1)).stop:
            busy.append(number)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_study_replayed_in_its_own_order_finds_its_own_front(
    workers: int, bench: Bench, tmp_path: Path, capsys: Capture
) -> None:
    trained, out = train(bench, workers), tmp_path / "trials.csv"
    command = [bench.url, "--jobs", "1", "--trials", "20", "--workers", str(workers), "--out", str(out)]
    found = told([*command, "--compare", "recorded+fifo"], capsys)
    assert found["runs"][0]["hypervolume"][-1] == 1.0
    full = [int(row["trial"]) for row in trials(out) if row["state"] == "complete"]
    assert full == [number for number, trial in sorted(trained.items()) if trial.state is State.COMPLETE]
    assert {trial.number for trial in front_trials(bench.record, list(trained.values()))} <= set(full)
    assert {row["reason"].partition(":")[0] for row in trials(out) if row["state"] == "failed"} == {"unrecorded"}


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("scheduler", ["asha", "pareto-asha"])
def test_a_study_replayed_under_its_own_rule_stops_the_same_trials(
    workers: int, scheduler: str, make_bench: Make, tmp_path: Path, capsys: Capture
) -> None:
    bench, out = make_bench(scheduler={**FILE["scheduler"], "name": scheduler}), tmp_path / "trials.csv"
    trained = train(bench, workers)
    command = [bench.url, "--jobs", "1", "--trials", "20", "--workers", str(workers), "--sampler", "recorded"]
    told([*command, "--out", str(out)], capsys)
    assert [(row["state"], row["epochs"], row["reason"]) for row in trials(out)] == [
        (str(trial.state), str(trial.epochs), trial.reason) for _, trial in sorted(trained.items())
    ]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_curves_that_a_study_wrote_are_replayed_as_the_study_is(
    bench: Bench, trained: Mapping[int, TrialRecord], ending: str, tmp_path: Path, capsys: Capture
) -> None:
    assert len(trained) == 20
    file, table = tmp_path / "space.yaml", tmp_path / f"curves.{ending}"
    file.write_text(yaml.safe_dump({**FILE, "table": {"classes": 10}}, sort_keys=False))
    assert front([bench.url, "--curves", str(table)]) == 0
    options = ["--jobs", "1", "--trials", "20", "--compare", "recorded+fifo,random,+asha"]
    from_file = told([str(file), "--table", str(table), *options], capsys)
    assert from_file == {**told([bench.url, *options], capsys), "table": table.name}


def test_a_study_without_a_full_trial_cannot_be_replayed(bench: Bench, capsys: Capture) -> None:
    running = bench.open()
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    bench.train(running, trial, until=3)
    bench.close()
    assert main([bench.url]) == 1
    assert capsys.readouterr().err == "error: no trial of bench has reached 9 epochs yet\n"


def test_the_address_may_come_from_the_environment(
    bench: Bench, trained: Mapping[int, TrialRecord], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("REPLAYED", bench.url)
    found = told(["${REPLAYED}", "--study", "bench", "--jobs", "1"], capsys)
    assert (found["table"], len(found["runs"][0]["epochs"]), len(trained)) == ("bench", 8, 20)
    assert main(["${REPLAYED}", "--study", "bnch"]) == 2
    assert capsys.readouterr().err.startswith("error: --study: unknown study 'bnch' (did you mean 'bench'?)")


def test_a_database_is_only_read(make_bench: Make, tmp_path: Path) -> None:
    bench = make_bench(budget={"trials": 4})
    bench.train_all(bench.open())
    bench.close()
    before = (tmp_path / "bench-0.db").read_bytes()
    assert main([bench.url, "--jobs", "1"]) == 0
    assert (tmp_path / "bench-0.db").read_bytes() == before
