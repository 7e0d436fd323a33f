"""Record what 300 random residual networks show at every epoch of a full training, as a table to replay.

    python -m tests.benchmarks.record digits --out digits.csv
    python -m tests.benchmarks.record digits --networks 24 --seeds 12 --epochs 9 --out seeds.csv
    python -m tests.benchmarks.record fashion --out fashion.csv --device cuda --processes 16

Goes on where it was stopped. Needs neither Ray nor Optuna nor SQL, so it runs on a bare machine with a GPU.
"""

import argparse
import csv
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from spaces.architecture import Architecture
from spaces.counting import cost
from spaces.domains import Choice, Float, Int, Parameter, Scalar, When
from spaces.errors import InfeasibleArchitecture
from spaces.space import RandomTrial, SearchSpace
from workers.datasets import Dataset, load
from workers.device import choose_device, use_threads
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train

NETWORKS = 300
SPACE = SearchSpace(
    parameters=(
        Parameter(name="block", domain=Choice(options=("basic", "bottleneck", "resnext", "preact"))),
        Parameter(name="depth", domain=Int(low=1, high=4)),
        Parameter(name="widening_factor", domain=Choice(options=(0.125, 0.25, 0.5, 1, 2))),
        Parameter(
            name="cardinality", domain=Choice(options=(2, 4, 8)), when=(When(parameter="block", values=("resnext",)),)
        ),
        Parameter(name="dropout", domain=Choice(options=("none", "between", "after", "shortcut", "head"))),
        Parameter(
            name="dropout_rate",
            domain=Float(low=0.05, high=0.5, step=0.05),
            when=(When(parameter="dropout", values=("between", "after", "shortcut", "head")),),
        ),
    )
)
COSTS = ("params", "macs", "activations", "training_bytes")
MEASURED = ("epoch", "accuracy", "loss", "train_loss", "seconds")
HEADER = ("seed", "digest", *(parameter.name for parameter in SPACE.parameters), *COSTS, *MEASURED)
Job = tuple[dict[str, Scalar], int]


def data_of(name: str, root: str | None) -> tuple[DataSpec, Recipe]:
    """Return what is trained on, and for how long: 27 epochs of digits, or 16 of 10,000 images of Fashion-MNIST."""
    if name == "digits":
        return DataSpec(name="digits", validation=0.3), Recipe(epochs=27)
    return DataSpec(name="fashion-mnist", limit=10_000, root=root), Recipe(epochs=16, batch_size=128)


def networks() -> list[dict[str, Scalar]]:
    """Return the parameters of as many distinct networks as are recorded, always the same."""
    rng = RandomTrial(random.Random(0))
    found: dict[str, dict[str, Scalar]] = {}
    while len(found) < NETWORKS:
        params = SPACE.suggest(rng)
        try:
            found.setdefault(SPACE.architecture(params).digest, params)
        except InfeasibleArchitecture:
            continue
    return list(found.values())


@cache
def _data(spec: DataSpec, device: str) -> Dataset:
    return load(spec).to(choose_device(device))


def rows(job: Job, spec: DataSpec, recipe: Recipe, device: str) -> list[dict[str, Any]]:
    """Train one network in full and return its rows of the table."""
    use_threads(1)
    params, seed = job
    data, architecture = _data(spec, device), SPACE.architecture(params)
    counted = cost(architecture, data.image, batch=recipe.batch_size).to_json()
    given = {"seed": seed, "digest": architecture.digest, **params, **{name: counted[name] for name in COSTS}}
    return [{**given, **measured} for measured in _epochs(architecture, seed, spec, recipe, data)]


def _epochs(
    architecture: Architecture, seed: int, spec: DataSpec, recipe: Recipe, data: Dataset
) -> Iterator[dict[str, float]]:
    seconds = 0.0
    for measured in train(TrialSpec(architecture=architecture, recipe=recipe, data=spec, seed=seed), data):
        seconds += measured.wall_s
        shown = {"epoch": measured.epoch, "accuracy": measured.metrics["accuracy"], "seconds": round(seconds, 4)}
        yield {
            **shown,
            "loss": round(measured.metrics["loss"], 5),
            "train_loss": round(measured.metrics["train_loss"], 5),
        }


def _done(path: Path) -> set[tuple[str, int]]:
    if not path.exists():
        return set()
    with path.open(newline="") as file:
        return {(row["digest"], int(row["seed"])) for row in csv.DictReader(file)}


def record(given: argparse.Namespace) -> None:
    """Train what is not in the file yet, every network with the first seed before any with the second."""
    began = time.monotonic()
    spec, recipe = data_of(given.data, given.root)
    recipe = replace(recipe, epochs=given.epochs or recipe.epochs)
    done = _done(given.out)
    jobs = [
        (params, seed)
        for seed in range(given.seeds)
        for params in networks()[: given.networks]
        if (SPACE.architecture(params).digest, seed) not in done
    ]
    with (
        given.out.open("a", newline="") as file,
        ProcessPoolExecutor(given.processes, mp_context=get_context("spawn")) as pool,
    ):
        table = csv.DictWriter(file, HEADER)
        if not done:
            table.writeheader()
        futures = [pool.submit(rows, job, spec, recipe, given.device) for job in jobs]
        for count, future in enumerate(as_completed(futures), 1):
            table.writerows(future.result())
            file.flush()
            if count % 50 == 0:
                print(f"{count} of {len(jobs)} trained in {time.monotonic() - began:.0f} s", flush=True)
            if given.minutes and time.monotonic() - began > 60 * given.minutes:
                pool.shutdown(cancel_futures=True)
                print(f"time is up after {count} of {len(jobs)}", flush=True)
                return


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.record", description=__doc__)
    parser.add_argument("data", choices=["digits", "fashion"])
    parser.add_argument("--out", type=Path, required=True, help="a CSV file to add to")
    parser.add_argument("--root", help="the folder of Fashion-MNIST's files, where it is not Debian's")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--networks", type=int, default=NETWORKS, help="the first so many")
    parser.add_argument("--epochs", type=int, help="of each, where not as many as suit the data")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, help="stop after so long")
    record(parser.parse_args())


if __name__ == "__main__":
    main()
