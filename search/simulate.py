"""Replay recorded trainings: say what other samplers and schedulers would have found, and at what price.

python -m search.simulate space.yaml --table T.parquet --compare random,tpe,auto
python -m search.simulate sqlite:///widefront.db --study S --compare recorded+fifo,recorded+asha
"""

import argparse
import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from search import cli
from search.config import unread
from search.config.replay import ReplayForm, load_replay
from search.core.budget import Budget
from search.core.environment import expand
from search.core.files import begins_with, replacing
from search.core.terminal import make_console
from search.core.units import format_number_of
from search.samplers.registry import check_sampler
from search.simulation.comparison import Comparison, compare, dump
from search.simulation.curves import compared, curves, form_of
from search.simulation.recordings import Recordings
from search.simulation.simulator import RECORDED, Policy, policy
from search.simulation.tables import read_table, recordings_of
from search.storage.finding import find
from search.storage.store import Store
from spaces.errors import InputError, StudyError, WidefrontError
from workers.cores import cores

TRIALS = 200  # where neither the file nor the command says how many


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    console = make_console()
    form, recordings = _study(given) if "://" in given.file or given.file.startswith("$") else _table(given)
    policies = _policies(given, form, recordings)
    budget = _budget(form, given.trials)
    workers = given.workers or form.resources.concurrent_trials or 1
    shown = Console(stderr=True)
    with Progress(console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task("simulating", total=given.seeds * len(policies))
        compared = compare(
            recordings, policies, budget, workers=workers, seeds=given.seeds, jobs=given.jobs,
            each=lambda: progress.advance(task),
        )  # fmt: skip
    if given.out:
        _write_trials(compared, given.out)
    if given.json:
        print(dump(compared))
    else:
        _show(compared, recordings, console)
    if given.figure:
        _draw(compared, given.figure)
    return cli.DONE


def _table(given: argparse.Namespace) -> tuple[ReplayForm, Recordings]:
    if given.table is None:
        raise InputError("name the file of recorded trainings", place="--table")
    form = load_replay(Path(given.file), given.set)
    return form, read_table(given.table, form)


def _study(given: argparse.Namespace) -> tuple[ReplayForm, Recordings]:
    """Return what a study of one's own has recorded, and how it went about it."""
    with Store.reading(expand(given.file, os.environ), cli.warn) as store:
        study = find(store, given.study)
        trials = store.trials(study.name)
    if not any(trial.epochs == study.max_epochs for trial in trials):
        raise StudyError(f"no trial of {study.name} has reached {format_number_of('epoch', study.max_epochs)} yet")
    form = form_of(study, given.set)
    return form, recordings_of(study.name, compared(curves(trials, study.measures)), form)


def _policies(given: argparse.Namespace, form: ReplayForm, recordings: Recordings) -> list[Policy]:
    """Return what is compared: each `sampler`, `+scheduler` or both, what is left out being the file's."""
    sampler, scheduler = given.sampler or form.sampler.name, given.scheduler or form.scheduler.name
    if not (given.compare or given.scheduler):  # else the file's keys are for any of them
        unread.refuse(form.scheduler)
    found: dict[str, Policy] = {}
    for text in given.compare.split(",") if given.compare else [""]:
        name, _, rule = text.strip().partition("+")
        if (name or sampler) != RECORDED:
            check_sampler(name or sampler, recordings.parameters)
        each = policy(form, recordings, name or sampler, rule or scheduler)
        found[each.name] = each
    return list(found.values())


def _budget(form: ReplayForm, trials: int | None) -> Budget:
    given = Budget(**(form.budget.model_dump() | ({"trials": trials} if trials else {})))
    return Budget(trials=TRIALS) if given == Budget() else given


def _write_trials(compared: Comparison, path: Path) -> None:
    rows = list(compared.csv_rows())
    names = list(dict.fromkeys(name for row in rows for name in row))
    last = ["training", "epochs", "start_s", "end_s", "state", "reason"]
    columns = [*(name for name in names if name not in last), *last]
    with replacing(path, "list of trials", begins_with(",".join(columns[:2]))) as beside, beside.open("w") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _show(compared: Comparison, recordings: Recordings, console: Console) -> None:
    networks = format_number_of("network", len(recordings.networks))
    epochs = format_number_of("epoch", recordings.epochs[-1])
    left_out = f", {recordings.left_out:,} rows outside the space" if recordings.left_out else ""
    seeds = int(recordings.seeds.max())
    console.print(
        f"{recordings.name}: {networks} trained {f'up to {seeds} times ' if seeds > 1 else ''}for {epochs}{left_out}; "
        f"{' against '.join(compared.objectives)}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    console.print(
        "Share of the hypervolume under the table's true front, of the networks trained in full: mean "
        f"{'± standard deviation ' if compared.seeds > 1 else ''}of {format_number_of('seed', compared.seeds)}, "
        f"{format_number_of('worker', compared.workers)}.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    for axis in ("trials", "epochs", "hours") if recordings.epochs[-1] > 1 else ("trials",):
        console.print(compared.table(axis, console.width))


def _draw(compared: Comparison, path: Path) -> None:
    """Let the dashboards draw; a process of its own, since they stand above search."""
    command = [sys.executable, "-m", "dashboards.replays", "-", "-o", str(path)]
    done = subprocess.run(command, input=dump(compared), check=False, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no error message"]
        raise WidefrontError(f"the figure was not drawn: {lines[-1].removeprefix('error: ')}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.simulate", description="Replay recorded trainings under other samplers and schedulers."
    )
    parser.add_argument("file", help="what describes the study, such as space.yaml, or the database of one")
    parser.add_argument("--table", type=Path, help="recorded trainings, .parquet or .csv(.gz)")
    parser.add_argument("--study", help="in the database; may be left out where there is only one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replace one leaf of the file")
    parser.add_argument("--sampler", help="in place of the file's; recorded takes networks in the table's order")
    parser.add_argument("--scheduler", help="in place of the file's")
    parser.add_argument("--compare", metavar="A,B", help="samplers, schedulers (+asha) or both (auto+fifo)")
    parser.add_argument("--workers", type=_count, help="that train at the same time (else the file's, or 1)")
    parser.add_argument("--seeds", type=_count, default=1, help="studies of each (1)")
    parser.add_argument("--trials", type=_count, help=f"of each study (else the file's budget, or {TRIALS})")
    parser.add_argument("--jobs", type=_count, default=cores(), help="processes (as many as cores)")
    parser.add_argument("--out", type=Path, metavar="CSV", help="write every trial there")
    parser.add_argument("--figure", type=Path, metavar="HTML", help="draw how the studies grew")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
