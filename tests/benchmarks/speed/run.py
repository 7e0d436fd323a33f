"""Measure the seconds from the command to the front, beside an earlier version and what people write today.

    python -m tests.benchmarks.speed.run [--seeds 5] [--base REVISION] [--only here,base] [--page docs/speed.md]

Systems take turns, each run is a whole process in a folder of its own, and each that has ended is a line of
`runs.jsonl`: broken off, the same command goes on. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.speed import found, plain
from tests.benchmarks.speed.growth import Trained
from tests.benchmarks.speed.lines import SCRIPTS, SEARCH, TREES, Job, Line, add, chosen, jobs, read
from tests.benchmarks.speed.page import page
from tests.benchmarks.speed.processes import Finished, run
from tests.benchmarks.speed.trees import ROOT, commit_of, tree
from workers.device import choose_device, fingerprint
from workers.sources import DEBIAN_FASHION

HERE = Path(__file__).parent
FILES = {"digits": ROOT / "space.yaml", "fashion": HERE / "fashion.yaml"}
STUDIES = {"digits": "digits-front", "fashion": "fashion-front"}
TRIALS = {"digits": 60, "fashion": 30}
DATABASE = "sqlite:///widefront.db"
AT_ONCE, CONFIRMED, CONFIRMED_BY = 2, 4, 5


@dataclass(frozen=True)
class Setting:
    """Where everything is."""

    folder: Path
    trees: dict[str, tuple[Path, str]]  # folder and commit by system
    trials: int | None
    images: Path
    machine: dict[str, str]

    def of(self, job: Job) -> tuple[Path, str]:
        """Return the folder of the version that a run is of, and its commit; scripts are of this one."""
        return self.trees.get(job.system, self.trees["here"])

    @property
    def study(self) -> Path:
        """Return the database of the study whose networks are confirmed, the same by both versions."""
        return self.folder / f"digits-{'base' if 'base' in self.trees else 'here'}.db"


def command(job: Job, setting: Setting, folder: Path) -> list[str]:
    """Return the command of a run."""
    trials = setting.trials or TRIALS[job.task]
    if job.system in SCRIPTS:
        given = ["--trials", str(trials), "--seed", str(job.seed), "--root", str(setting.images)]
        return [sys.executable, "-m", f"tests.benchmarks.speed.{job.system}_script", job.task, *given]
    if job.what == "epochs":
        return [sys.executable, str(HERE / "epochs.py")]
    if job.what == "confirm":
        chosen_trials = ",".join(map(str, _spread(folder)))
        given = ["--study", STUDIES[job.task], "--trials", chosen_trials, "--seeds", str(CONFIRMED_BY)]
        return [sys.executable, "-m", "search.confirm", DATABASE, *given]
    leaves = {"sampler.seed": job.seed, "budget.trials": trials}
    if (os.cpu_count() or 1) > AT_ONCE:
        leaves["resources.concurrent_trials"] = AT_ONCE
    if job.task == "fashion":
        leaves["data.root"] = str(setting.images)
    sets = [word for name, value in leaves.items() for word in ("--set", f"{name}={value}")]
    dry = ["--dry-run"] if job.what == "dry-run" else []
    return [sys.executable, "-m", "search.launch", "space.yaml", *sets, *dry]


def _spread(folder: Path) -> list[int]:
    """Return the numbers of trials in full from the cheapest to the dearest."""
    with closing(sqlite3.connect(folder / "widefront.db")) as database:
        asked = "SELECT number FROM nas_trial WHERE state = 'complete' ORDER BY macs, number"
        numbers = [number for (number,) in database.execute(asked)]
    return sorted({numbers[index * (len(numbers) - 1) // (CONFIRMED - 1)] for index in range(CONFIRMED)})


def measure(job: Job, setting: Setting) -> Line | None:
    """Run one and return its line; nothing where the study that it needs is not there yet."""
    if job.what == "confirm" and not setting.study.exists():
        print(f"{job}: left out until the search of {setting.study.stem} with seed 0 is there", flush=True)
        return None
    source, commit = setting.of(job)
    load = os.getloadavg()[0]
    with TemporaryDirectory(prefix="widefront-speed-") as scratch:
        folder = Path(scratch)
        shutil.copy(FILES[job.task], folder / "space.yaml")
        if job.what == "confirm":
            shutil.copy(setting.study, folder / "widefront.db")
        asked = command(job, setting, folder)
        ended = run(asked, folder=folder, env={**os.environ, "PYTHONPATH": str(source)})
        if ended.code:
            tail = ended.output.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise SystemExit(f"{tail}\n{' '.join(asked)}: exit code {ended.code}")
        trained, more = _found(job, setting, folder, ended)
    return Line(
        job=job, commit=commit, machine=setting.machine, began=ended.began, load=load, wall_s=ended.wall_s,
        cpu_s=ended.cpu_s, cpu_by_kind=ended.cpu_by_kind, trained=tuple(trained), more=more,
    )  # fmt: skip


def _found(job: Job, setting: Setting, folder: Path, ended: Finished) -> tuple[list[Trained], dict[str, Any]]:
    """Return what a run has left."""
    if job.what == "epochs":
        return [], json.loads(ended.output.read_text(encoding="utf-8").splitlines()[-1])
    if job.what == "confirm":
        with closing(sqlite3.connect(folder / "widefront.db")) as database:
            return [], {"trainings": database.execute("SELECT COUNT(*) FROM nas_replicate").fetchone()[0]}
    if job.what != SEARCH:
        return [], {}
    if job.system in TREES and job.seed == 0:
        _keep(folder / "widefront.db", setting.folder / f"{job.task}-{job.system}.db")
    epochs = plain.task(job.task).epochs
    trained, more = found.READERS.get(job.system, found.of_widefront)(folder, ended.began, epochs)
    return trained, {"trials": setting.trials or TRIALS[job.task], **more}


def _keep(database: Path, place: Path) -> None:
    """Keep a study, whose networks are confirmed."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(place)) as target:
        source.backup(target)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is not there yet, write the page, and return the exit code."""
    given = _parser().parse_args(argv)
    setting = _setting(given)
    path, tasks = setting.folder / "runs.jsonl", ["digits"]
    if (setting.images / "train-images-idx3-ubyte.gz").exists():
        tasks.append("fashion")
    else:
        print(f"no Fashion-MNIST in {setting.images} (apt-get install dataset-fashion-mnist): digits alone")
    done = {(line.job, line.commit) for line in read(path)}
    systems = [name for name in (*TREES, *SCRIPTS) if name in (*setting.trees, *SCRIPTS)]
    wanted = [job for job in jobs(tasks, systems, given.seeds) if chosen(job, given.only)]
    for job in wanted:
        if (job, setting.of(job)[1]) not in done and (line := measure(job, setting)) is not None:
            add(path, line)
            print(f"{job}: {line.wall_s:.1f} s, {line.cpu_s:.1f} s of processors", flush=True)
    told = page(read(path))
    print(f"\n{told}\n{path}")
    if given.page:
        given.page.write_text(told, encoding="utf-8")
    return 0


def _setting(given: argparse.Namespace) -> Setting:
    commit = commit_of(ROOT)
    few = f"-{given.trials}-trials" if given.trials else ""
    folder = (given.folder or ROOT / "build" / "speed" / f"{commit}{few}").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    trees = {"here": (ROOT, commit)}
    if given.base:
        trees["base"] = tree(given.base, folder)
    versions = {name: version(name) for name in ("ray", "optuna")}
    machine = {**fingerprint(choose_device("cpu")), **versions}
    return Setting(folder=folder, trees=trees, trials=given.trials, images=given.images.resolve(), machine=machine)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speed.run", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="runs of each, with seeds from 0 (5)")
    parser.add_argument("--base", metavar="VERSION", help="another version: a revision, or a folder with its files")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="A,B",
                        help="of here,base,optuna,ray, digits,fashion, search,dry-run,epochs,confirm")  # fmt: skip
    parser.add_argument("--trials", type=int, help="of each search, in place of its task's: to try the benchmark")
    parser.add_argument("--images", type=Path, default=DEBIAN_FASHION, help="Fashion-MNIST's four files")
    parser.add_argument("--folder", type=Path, help="where runs.jsonl is (build/speed/COMMIT)")
    parser.add_argument("--page", type=Path, help="write the page there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
