"""A trial reads the same in a table, in a line, as JSON and as CSV."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from search.core.labels import (
    CHOICES,
    WIDE,
    choices_of,
    failures_line,
    front_table,
    make_console,
    name_of,
    row_of,
    shown_value,
    trial_line,
)
from search.core.records import State, StudyRecord, TrialRecord
from spaces.architecture import Architecture
from spaces.cost import Cost
from workers.objectives import OBJECTIVES

MakeStudy = Callable[..., StudyRecord]
MakeTrial = Callable[..., TrialRecord]

RESNEXT = Architecture(block="resnext", depths=(2, 2, 2), cardinality=8, widening_factor=0.5)


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        (Architecture(), "basic-1x1"),
        (Architecture(block="preact", depths=(4, 4, 4), widening_factor=0.25), "preact-4x0.25"),
        (Architecture(depths=(3, 4, 6, 3), widths=(64, 128, 256, 512)), "basic-3.4.6.3x1"),
        (RESNEXT, "resnext-2x0.5-C8"),
        (
            Architecture(block="resnext", depths=(3, 3, 3), widths=(64, 128, 256), cardinality=8, base_width=64),
            "resnext-3x1-C8-d64",
        ),
        (Architecture(widening_factor=10.0, depths=(4, 4, 4)), "basic-4x10"),
    ],
)
def test_a_name_tells_block_depth_width_and_groups(architecture: Architecture, name: str) -> None:
    assert name_of(architecture) == name


@pytest.mark.parametrize(
    ("architecture", "choices"),
    [
        (Architecture(), {"block": "basic", "depth": "1", "k": "1", "C": "-", "dropout": "none"}),
        (RESNEXT, {"block": "resnext", "depth": "2", "k": "0.5", "C": "8", "dropout": "none"}),
        (
            Architecture(depths=(1, 2, 1), dropout="between", dropout_rate=0.333),
            {"block": "basic", "depth": "1-2-1", "k": "1", "C": "-", "dropout": "between 0.33"},
        ),
    ],
)
def test_the_five_choices_are_told_with_a_dash_where_one_does_not_apply(
    make_trial: MakeTrial, architecture: Architecture, choices: dict[str, str]
) -> None:
    assert choices_of(make_trial(architecture=architecture)) == choices


def test_a_row_holds_everything_as_plain_values(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    params = {"block": "resnext", "depth": 2, "cardinality": 8}
    trial = make_trial(7, accuracies=(0.5, 0.75), architecture=RESNEXT, params=params, state=State.STOPPED)
    row = row_of(make_study(), trial)
    assert json.loads(json.dumps(row)) == {
        "trial": 7,
        "name": "resnext-2x0.5-C8",
        "state": "stopped",
        "epochs": 2,
        "accuracy": 0.75,
        "macs": 10_007,
        "params": 1_007,
        "activations": 507,
        "weight_bytes": 4_007,
        "training_bytes": 0,
        "choice_block": "resnext",
        "choice_depth": 2,
        "choice_cardinality": 8,
        "digest": RESNEXT.digest,
        "architecture": RESNEXT.to_json(),
    }
    assert Architecture.from_json(row["architecture"]) == RESNEXT


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.98617, "98.62 %"),
        ("loss", 0.12345, "0.1235"),
        ("macs", 763_520.0, "764k"),
        ("params", 77_562.0, "77.6k"),
    ],
)
def test_a_value_is_shown_in_its_own_manner(name: str, value: float, text: str) -> None:
    assert shown_value(name, value) == text


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_shown_so_that_three_digits_can_be_read_back(name: str) -> None:
    scales = {"%": 0.01, "k": 1e3, "M": 1e6, "G": 1e9}
    for value in (0.123, 0.5, 0.987) if OBJECTIVES[name].unit == "fraction" else (0.5, 7.25, 1234.0, 5.67e6, 8.9e9):
        digits, unit = re.fullmatch(r"([\d.]+) ?(\D?)", shown_value(name, value)).groups()  # type: ignore[union-attr]
        assert float(digits) * scales.get(unit, 1.0) == pytest.approx(value, rel=5e-3)
        assert (unit == "%") == (OBJECTIVES[name].unit == "fraction")


def text(study: StudyRecord, trials: list[TrialRecord], width: int, rows: int | None = None) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(front_table(study, trials, width=width, rows=rows))
    return capture.get()


def printed(study: StudyRecord, trials: list[TrialRecord], width: int) -> list[list[str]]:
    return [line.split() for line in text(study, trials, width).splitlines() if line.strip(" ─")]


def test_a_table_has_a_line_for_every_trial_with_everything_that_is_asked_for(
    make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    trials = [make_trial(3, accuracies=(0.5,)), make_trial(12, accuracies=(0.875,), architecture=RESNEXT)]
    assert printed(make_study(), trials, WIDE) == [
        ["trial", "name", "block", "depth", "k", "C", "dropout", "accuracy", "macs", "params", "epochs"],
        ["3", "basic-4x1", "basic", "4", "1", "-", "none", "50.00", "%", "10.0k", "1.00k", "1"],
        ["12", "resnext-2x0.5-C8", "resnext", "2", "0.5", "8", "none", "87.50", "%", "10.0k", "1.01k", "1"],
    ]


def test_a_narrow_table_leaves_out_what_the_name_tells(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    heading, line = printed(make_study(), [make_trial(12, accuracies=(0.875,), architecture=RESNEXT)], 80)
    assert heading == ["trial", "name", "dropout", "accuracy", "macs", "params", "epochs"]
    assert line == ["12", "resnext-2x0.5-C8", "none", "87.50", "%", "10.0k", "1.01k", "1"]


LONG = Architecture(
    block="resnext",
    depths=(13, 14, 16),
    widths=(256, 512, 1024),
    cardinality=32,
    base_width=16,
    widening_factor=0.125,
    order="bn_after_addition",
)
AMOUNTS = Cost(params=987_654, macs=123_456_789, activations=45_678_901, weight_bytes=3_950_616)


@pytest.mark.parametrize("width", range(60, 141, 8))
@pytest.mark.parametrize("objectives", [("accuracy", "macs"), ("macs", "loss", "params"), tuple(OBJECTIVES)])
@pytest.mark.parametrize("architecture", [RESNEXT, LONG])
def test_no_width_cuts_a_number_or_a_name(
    make_study: MakeStudy,
    make_trial: MakeTrial,
    architecture: Architecture,
    objectives: tuple[str, ...],
    width: int,
) -> None:
    study = make_study(objectives=objectives)
    trial = make_trial(120, accuracies=(0.9987,), architecture=architecture, cost=AMOUNTS)
    lines = text(study, [trial], width).splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    for name in objectives:
        assert shown_value(name, OBJECTIVES[name].value(trial.cost, trial.last)) in "".join(lines)
    first = next(line for line in lines if "resnext-" in line)
    pieces = [line[first.index("resnext-") :].split(" ")[0] for line in lines[lines.index(first) :]]
    assert "".join(pieces).startswith(name_of(architecture))


def test_where_room_is_short_name_and_objectives_stay_longest(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    trial = make_trial(12, accuracies=(0.875,), architecture=LONG)
    headings = [printed(make_study(), [trial], width)[0] for width in (140, 92, 80, 72, 66, 57)]
    assert headings == [
        ["trial", "name", *CHOICES, "accuracy", "macs", "params", "epochs"],
        ["trial", "name", "dropout", "accuracy", "macs", "params", "epochs"],
        ["trial", "name", "accuracy", "macs", "params", "epochs"],
        ["trial", "name", "accuracy", "macs", "params"],
        ["trial", "name", "accuracy", "macs"],
        ["name", "accuracy", "macs"],
    ]


ACCURACIES = [0.5 + number / 1000 for number in range(30)]


def test_a_table_of_few_lines_leaves_out_its_middle_and_says_how_many(
    make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    trials = [make_trial(number, accuracies=(accuracy,)) for number, accuracy in enumerate(ACCURACIES)]
    lines = text(make_study(), trials, 100, rows=10).splitlines()
    assert len(lines) == 10
    firsts = [line.split()[0] for line in lines if line.strip(" ─")]
    assert firsts == ["trial", "0", "1", "…", "27", "28", "29"]
    assert "… and 25 more" in "".join(lines)


@pytest.mark.parametrize("rows", range(1, 40))
def test_the_best_is_never_left_out(make_study: MakeStudy, make_trial: MakeTrial, rows: int) -> None:
    trials = [make_trial(number, accuracies=(accuracy,)) for number, accuracy in enumerate(ACCURACIES)]
    lines = text(make_study(), trials, 100, rows=rows).splitlines()
    assert "52.90 %" in lines[-2]
    assert len(lines) <= max(rows, 6)
    assert ("more" in "".join(lines)) == (rows < 34)


def test_an_objective_has_one_column(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    study = make_study(objectives=("loss", "params", "activations"))
    heading, _ = printed(study, [make_trial(1, accuracies=(0.5,))], WIDE)
    assert heading[-5:] == ["loss", "params", "activations", "macs", "epochs"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"state": State.COMPLETE, "accuracies": (0.5, 0.75)},
            "complete in epoch 2 at 75.00 %, 10.0k macs, 1.00k params",
        ),
        (
            {"state": State.STOPPED, "accuracies": (0.5,), "reason": "epoch 1: place 3 of 4"},
            "stopped in epoch 1 at 50.00 %, 10.0k macs, 1.00k params (epoch 1: place 3 of 4)",
        ),
        (
            {"state": State.FAILED, "reason": "out-of-memory: CUDA out of memory"},
            "failed in epoch 0, 10.0k macs, 1.00k params (out-of-memory: CUDA out of memory)",
        ),
    ],
)
def test_a_trial_that_has_ended_is_one_line(make_trial: MakeTrial, changes: dict[str, object], line: str) -> None:
    assert trial_line(make_trial(4, **changes)) == f"trial 4 basic-1x1 {line}"


def test_what_is_no_terminal_gets_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console()
    assert console.width == WIDE
    console.print("[bold]x[/]")
    assert capsys.readouterr().out == "x\n"


def failed(make_trial: MakeTrial, *reasons: str) -> list[TrialRecord]:
    """Return a failed trial for each reason, which begins with its kind."""
    return [
        make_trial(number, state=State.FAILED, reason=reason, failure_kind=reason.partition(":")[0])
        for number, reason in enumerate(reasons)
    ]


def test_failures_are_counted_by_kind_the_commonest_first_with_what_helps(make_trial: MakeTrial) -> None:
    trials = failed(make_trial, "lost: gone", "not-finite: the loss is nan in epoch 1", "not-finite: the loss is inf")
    assert failures_line([*trials, make_trial(9, state=State.COMPLETE)]) == (
        "failures: 2 not-finite (the loss is nan in epoch 1; a smaller recipe.learning_rate helps), 1 lost (gone)"
    )


def test_reasons_that_differ_in_their_numbers_are_one(make_trial: MakeTrial) -> None:
    trials = failed(make_trial, "lost: of 1", "lost: node 10.0.0.7 died", "lost: node 10.0.0.8 died")
    assert failures_line(trials) == "failures: 3 lost (node 10.0.0.7 died)"


def test_a_long_reason_is_shortened(make_trial: MakeTrial) -> None:
    line = failures_line(failed(make_trial, "data: " + "word " * 100))
    assert len(line) < 150
    assert line.endswith("word [...])")


def test_a_study_without_failures_says_nothing_of_them(make_trial: MakeTrial) -> None:
    assert failures_line([make_trial(0), make_trial(1, state=State.STOPPED, reason="low")]) == ""


def test_a_failure_of_no_kind_or_reason_is_counted(make_trial: MakeTrial) -> None:
    assert failures_line([make_trial(0, state=State.FAILED)]) == "failures: 1 of no known kind"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_table_that_nobody_reads_ends_the_command_like_any_output(terminal: bool) -> None:
    act = "make_console().print('x') or 0"
    script = "import argparse, sys; from spaces import cli; from search.core.labels import make_console; "
    run_it = f"sys.exit(cli.run(argparse.ArgumentParser(), [], lambda _: {act}))"
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, **({"FORCE_COLOR": "1"} if terminal else {})}  # rich takes it for a terminal
    command = [sys.executable, "-c", script + run_it]
    done = subprocess.run(command, check=False, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
