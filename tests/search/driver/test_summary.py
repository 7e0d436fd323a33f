"""A study ends with its front, where its time went, and where to look next."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from rich.console import Console

from search.config.study import StudyConfig, load, parse
from search.core.fronts import front_hypervolume, front_trials
from search.core.labels import name_of
from search.core.records import Spent, TrialRecord
from search.core.units import format_number_of
from search.driver import summary
from search.driver.summary import show_found, show_further, time_split
from search.study.running import RunningStudy
from spaces.errors import TrialFailure
from tests.search.bench import FILE, Bench
from workers.measurement import Measurement

SECRET = "s3cr3t"
STORAGE = f"postgresql+psycopg://me:{SECRET}@example.org/db"


@pytest.fixture
def ended(bench: Bench) -> RunningStudy:
    """Give a study that is over: four trials, the last of them failed."""
    running = bench.open(budget={"trials": 4})
    for _ in range(3):
        trial = running.hand_out()
        assert isinstance(trial, TrialRecord)
        bench.train(running, trial)
    last = running.hand_out()
    assert isinstance(last, TrialRecord)
    running.failed(last.number, TrialFailure("crash", "no"))
    assert running.over
    return running


def shown(running: RunningStudy, report: Path | None = None, config: StudyConfig | None = None) -> list[str]:
    file, config = io.StringIO(), config or parse({**FILE, "storage": STORAGE})
    console, trials = Console(file=file, width=150), list(running.trials.values())
    show_found(running, config, console, trials)
    show_further(running, config, console, trials, report)
    return file.getvalue().splitlines()


def test_the_front_is_shown_as_a_table(ended: RunningStudy) -> None:
    front = front_trials(ended.record, list(ended.trials.values()))
    lines = shown(ended)
    assert lines[0] == f"bench: Pareto front of {len(front)} networks, fully trained (9 epochs)"
    rows = [line.split()[:2] for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    assert rows[: len(front)] == [[str(trial.number), name_of(trial.architecture)] for trial in front]


def test_the_counts_are_those_of_the_trials(ended: RunningStudy) -> None:
    trials = list(ended.trials.values())
    complete = sum(trial.epochs == 9 for trial in trials)
    epochs = sum(trial.epochs for trial in trials)
    assert (
        f"4 trials: {complete} complete, {3 - complete} stopped early, 1 failed; "
        f"{format_number_of('proposal', len(ended.rejections))} rejected before training; "
        f"{epochs} of 36 epochs trained; hypervolume {front_hypervolume(ended.record, trials):.3f}"
    ) in shown(ended)


def test_the_failures_are_told_by_kind(ended: RunningStudy) -> None:
    assert "failures: 1 crash (no; nas_trial.failure_details holds the traceback)" in shown(ended)


@pytest.mark.parametrize(
    ("storage", "typed"),
    [
        (STORAGE, f"'{STORAGE.replace(SECRET, '***')}'"),
        ("sqlite:///widefront.db", "sqlite:///widefront.db"),
        ("sqlite:///my study.db", "'sqlite:///my study.db'"),
        ("${BENCH_DB}", '"${BENCH_DB}"'),  # which the shell looks up
        ("postgresql+psycopg://me:${BENCH_PW}@example.org/db", '"postgresql+psycopg://me:${BENCH_PW}@example.org/db"'),
    ],
)
def test_the_commands_to_look_further_work_but_for_the_password(
    ended: RunningStudy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, storage: str, typed: str
) -> None:
    monkeypatch.setenv("BENCH_DB", STORAGE)
    monkeypatch.setenv("BENCH_PW", SECRET)
    monkeypatch.setattr(sys, "orig_argv", [".venv/bin/python", "-m", "search.launch"])
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**FILE, "storage": storage}), encoding="utf-8")
    lines = shown(ended, config=load(tmp_path / "space.yaml"))
    best = front_trials(ended.record, list(ended.trials.values()))[-1].number
    assert lines[-4:] == [
        f"take one with you: .venv/bin/python -m search.export {typed} --study bench --trial {best} -o folder",
        f"again: .venv/bin/python -m search.front {typed} --study bench",
        f"on a page: .venv/bin/python -m dashboards.live {typed} --study bench",
        f"more: .venv/bin/optuna-dashboard {typed}",
    ]  # fmt: skip


def test_a_password_is_never_shown(ended: RunningStudy) -> None:
    ended.account.spent.startup_s = 1.0
    assert SECRET not in "\n".join(shown(ended, Path("report.html")))


def test_what_checkpoints_take_is_shown_and_whose_weights_went(
    ended: RunningStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "bench-20260102T120000"
    assert f"checkpoints 0 B of 20 GB in {folder}" in shown(ended)
    folder.mkdir(parents=True)
    (folder / "3.pt").write_bytes(bytes(1500))
    best = front_trials(ended.record, list(ended.trials.values()))[0]
    (folder / f"{best.number}.over-limit").touch()
    said = f"checkpoints 1.5 kB of 1 MB in {folder}; 1 network of the front without weights, for that limit"
    assert said in shown(ended, config=parse({**FILE, "storage": STORAGE, "checkpoints": {"limit": "1M"}}))


def test_checkpoints_that_cannot_be_looked_at_do_not_spoil_the_end(ended: RunningStudy) -> None:
    config = parse({**FILE, "storage": STORAGE, "checkpoints": "nosuch://here"})
    (line,) = (line for line in shown(ended, config=config) if line.startswith("checkpoints"))
    assert line.startswith("checkpoints cannot be looked at: checkpoints: nosuch://here/bench-")


def test_a_report_is_named_by_its_whole_path(ended: RunningStudy, tmp_path: Path) -> None:
    assert f"report: {tmp_path / 'report.html'}" in shown(ended, tmp_path / "report.html")
    assert f"report: {Path.cwd() / 'report.html'}" in shown(ended, Path("report.html"))
    assert not any(line.startswith("report") for line in shown(ended))


def test_the_split_of_the_time_is_shown_where_this_launch_did_something(bench: Bench, ended: RunningStudy) -> None:
    assert not any("this launch" in line for line in shown(ended))
    bench.clock.advance(100)
    ended.account.spent = Spent(startup_s=2.5, proposing_s=0.5, recording_s=1.25, training_s=150.0)
    ended.account.running_s = 100.0
    assert time_split(ended) == (
        "this launch: start-up 2.5 s, then 1 min 40 s for proposing 0.50 s, recording 1.2 s, "
        "training 2 min 30 s summed over workers"
    )
    assert time_split(ended) in shown(ended)


def test_a_study_without_a_complete_trial_shows_no_table(bench: Bench) -> None:
    running = bench.open()
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    running.failed(trial.number, TrialFailure("data", "none"))
    lines = shown(running)
    assert lines[0] == "bench: Pareto front of 0 networks, fully trained (9 epochs)"
    assert lines[1].startswith("1 trial: 0 complete, 0 stopped early, 1 failed; ")
    assert lines[1].endswith("0 of 9 epochs trained")


def test_a_front_is_told_whose_latencies_were_not_measured_alone() -> None:
    def network(**metrics: float) -> SimpleNamespace:
        return SimpleNamespace(found=Measurement(epoch=1, metrics=metrics, train_s=1.0, eval_s=1.0))

    front: list[Any] = [network(latency_ms=1.0, latency_alone=alone) for alone in (1.0, 0.0, 0.5)]  # a mean of seeds
    front.append(network(latency_ms=1.0))  # of an earlier version
    running: Any = SimpleNamespace(record=SimpleNamespace(objectives=("accuracy", "latency_ms")))
    line = "warning: the latency of 3 of the front's 4 networks was not measured with the device alone"
    assert summary._beside(running, front) == line
    assert summary._beside(running, front[:1]) == ""
    running.record.objectives = ("accuracy", "macs")
    assert summary._beside(running, front) == ""
