"""A front is a table in whatever room there is, and no number in it is cut."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from search.core.columns import CHOICES, shown_value
from search.core.labels import name_of
from search.core.records import StudyRecord, TrialRecord
from search.core.terminal import WIDE, front_table, make_console
from spaces.architecture import Architecture
from spaces.cost import NAMES, Cost
from workers.objectives import OBJECTIVES

MakeStudy = Callable[..., StudyRecord]
MakeTrial = Callable[..., TrialRecord]

RESNEXT = Architecture(block="resnext", depths=(2, 2, 2), cardinality=8, widening_factor=0.5)


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
MORE = {name: 12_345 for name, each in OBJECTIVES.items() if each.static and name not in NAMES}
AMOUNTS = Cost(params=987_654, macs=123_456_789, activations=45_678_901, weight_bytes=3_950_616, more=MORE)


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
        assert shown_value(OBJECTIVES[name], OBJECTIVES[name].value(trial.cost, trial.last)) in "".join(lines)
    first = next(line for line in lines if "resnext-" in line)
    pieces = [line[first.index("resnext-") :].split(" ")[0] for line in lines[lines.index(first) :]]
    assert "".join(pieces).startswith(name_of(architecture))


def test_where_room_is_short_name_and_objectives_stay_longest(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    trial = make_trial(12, accuracies=(0.875,), architecture=LONG)
    headings = [printed(make_study(), [trial], width)[0] for width in (140, 92, 80, 72, 66, 57)]
    assert headings == [
        ["trial", "name", *(choice.name for choice in CHOICES), "accuracy", "macs", "params", "epochs"],
        ["trial", "name", "dropout", "accuracy", "macs", "params", "epochs"],
        ["trial", "name", "accuracy", "macs", "params", "epochs"],
        ["trial", "name", "accuracy", "macs", "params"],
        ["trial", "name", "accuracy", "macs"],
        ["name", "accuracy", "macs"],
    ]


ACCURACIES = [0.5 + number / 1000 for number in range(30)]


def test_a_table_of_few_lines_leaves_out_its_end_and_says_how_many(
    make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    trials = [make_trial(number, accuracies=(accuracy,)) for number, accuracy in enumerate(ACCURACIES)]
    lines = text(make_study(), trials, 100, rows=10).splitlines()
    assert len(lines) == 10
    firsts = [line.split()[0] for line in lines if line.strip(" ─")]
    assert firsts == ["trial", "0", "1", "2", "3", "4", "…"]
    assert "… and 25 more" in "".join(lines)


@pytest.mark.parametrize("rows", range(1, 40))
def test_the_best_is_never_left_out(make_study: MakeStudy, make_trial: MakeTrial, rows: int) -> None:
    trials = [make_trial(number, accuracies=(accuracy,)) for number, accuracy in enumerate(reversed(ACCURACIES))]
    lines = text(make_study(), trials, 100, rows=rows).splitlines()
    assert "52.90 %" in "".join(lines)
    assert len(lines) <= max(rows, 6)
    assert ("more" in "".join(lines)) == (rows < 34)


def test_an_objective_has_one_column(make_study: MakeStudy, make_trial: MakeTrial) -> None:
    study = make_study(objectives=("loss", "params", "activations"))
    heading, _ = printed(study, [make_trial(1, accuracies=(0.5,))], WIDE)
    costs = ["loss", "params", "activations", "macs", "epochs"]
    assert [name for name in heading if name in costs] == costs


def test_what_is_no_terminal_gets_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    console = make_console()
    assert console.width == WIDE
    console.print("[bold]x[/]")
    assert capsys.readouterr().out == "x\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_table_that_nobody_reads_ends_the_command_like_any_output(terminal: bool) -> None:
    act = "make_console().print('x') or 0"
    script = "import argparse, sys; from spaces import cli; from search.core.terminal import make_console; "
    run_it = f"sys.exit(cli.run(argparse.ArgumentParser(), [], lambda _: {act}))"
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, **({"FORCE_COLOR": "1"} if terminal else {})}  # rich takes it for a terminal
    command = [sys.executable, "-c", script + run_it]
    done = subprocess.run(command, check=False, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
