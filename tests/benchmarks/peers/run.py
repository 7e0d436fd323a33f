r"""Put peers side by side with this search, on recorded trainings and by the yardstick of `search.simulate`.

    python -m tests.benchmarks.peers.run tests/benchmarks/digits.yaml --table tests/benchmarks/digits.csv.gz \
        --peers optuna-tpe,ray-optuna-asha3,auto+fifo --seeds 20 --trials 100

A name with a plus is this project's own sampler and scheduler, replayed by its own simulator.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console
from threadpoolctl import threadpool_limits

from search.config.replay import ReplayForm, load_replay
from search.core.budget import Budget
from search.simulation.comparison import Comparison, Yardstick, dump
from search.simulation.recordings import Recordings
from search.simulation.simulator import Course, policy, simulate
from search.simulation.tables import read_table
from tests.benchmarks.peers.loop import Loop, Setting
from tests.benchmarks.peers.rows import Rows

MODULES = {name: f"tests.benchmarks.peers.{name}_peers" for name in ("optuna", "ray", "syne_tune", "botorch", "neps")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = _parser().parse_args(argv)
    form = load_replay(Path(given.file), given.set)
    recordings = read_table(given.table, form)
    with threadpool_limits(1):
        compared = _compare(given, form, recordings)
    if given.out:
        _write(compared, given.out)
    if given.json:
        print(dump(compared))
    else:
        console = Console(width=160)
        for axis in ("trials", "epochs") if recordings.epochs[-1] > 1 else ("trials",):
            console.print(compared.table(axis))
    return 0


def _compare(given: argparse.Namespace, form: ReplayForm, recordings: Recordings) -> Comparison:
    names = tuple(given.peers.split(","))
    courses: dict[tuple[str, int], list[Course]] = {}
    for name in names:
        for seed in range(given.seeds):
            courses[name, seed] = _courses(name, form, recordings, given, seed)
            print(f"{name} seed {seed}", file=sys.stderr)
    yardstick = Yardstick(recordings)
    return Comparison(
        name=recordings.name,
        policies=names,
        objectives=tuple(objective.name for objective in recordings.objectives),
        workers=given.workers,
        seeds=given.seeds,
        trajectories=tuple(yardstick.trajectory(*run, found) for run, found in courses.items()),
        courses=courses,
    )


def _courses(name: str, form: ReplayForm, recordings: Recordings, given: argparse.Namespace, seed: int) -> list[Course]:
    if "+" in name:
        own = policy(form, recordings, *name.split("+"))
        return simulate(
            recordings, own, Budget(trials=given.trials, epochs=given.epochs), workers=given.workers, seed=seed
        )
    setting = Setting(recordings=recordings, rows=Rows(recordings, spill=not given.nearest), seed=seed)
    module = next(path for start, path in MODULES.items() if name.startswith(start.replace("_", "-")))
    peer = import_module(module).PEERS[name](setting)
    return Loop(setting=setting, peer=peer, trials=given.trials, epochs=given.epochs, free=given.workers).run()


def _write(compared: Comparison, path: Path) -> None:
    rows = list(compared.csv_rows())
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers.run", description=__doc__.splitlines()[0])
    parser.add_argument("file", help="what describes the study")
    parser.add_argument("--table", type=Path, required=True, help="recorded trainings, .parquet or .csv(.gz)")
    parser.add_argument(
        "--peers", required=True, metavar="A,B", help="peers, or own samplers and schedulers (auto+fifo)"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replace one leaf of the file")
    parser.add_argument("--seeds", type=int, default=1, help="studies of each (1)")
    parser.add_argument("--trials", type=int, default=100, help="of each study (100)")
    parser.add_argument("--epochs", type=int, help="trained in each study from which no further trial begins")
    parser.add_argument("--workers", type=int, default=1, help="that train at the same time (1)")
    parser.add_argument("--nearest", action="store_true", help="any proposal is its nearest row, taken or not")
    parser.add_argument("--out", type=Path, metavar="CSV", help="write every trial there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
