"""Train one network from the command line: no Ray, no Optuna, no SQL.

python -m workers.train wrn-16-1 --data digits --epochs 9
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from spaces import cli
from spaces.counting import cost
from spaces.errors import InputError
from workers.checkpoint import before
from workers.datasets import Dataset, load
from workers.device import choose_device
from workers.job import Job
from workers.measurement import TRAIN_LOSS, Measurement
from workers.numerics import pick
from workers.probe import verdict_of
from workers.recipe import OPTIMIZERS, SCHEDULES, Recipe
from workers.settings import add_arguments, architecture_of, read_data, set_threads
from workers.trainer import TrialSpec, train

_RECIPE = Recipe()


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print a line per epoch, and return the exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    set_threads(given.threads)
    if given.job:
        return _run_job(given)
    if not 0 <= given.seed < 2**63:
        raise InputError(f"{given.seed} is not a whole number from 0 to 2^63 - 1", place="--seed")
    data = read_data(given.data)
    recipe = Recipe(
        epochs=given.epochs, batch_size=given.batch_size, learning_rate=given.learning_rate,
        optimizer=given.optimizer, schedule=given.schedule,
    )  # fmt: skip
    spec = TrialSpec(architecture=architecture_of(given), recipe=recipe, data=data, seed=given.seed)
    resident = load(data).to(choose_device(given.device))
    spec = replace(spec, fingerprint=resident.fingerprint)  # else a checkpoint of other images would be taken up
    _train(given, spec, resident, given.checkpoint)
    return cli.DONE


def _run_job(given: argparse.Namespace) -> int:
    """Train every seed of a job; those that are done are told again, and the one that was broken off goes on."""
    try:
        job = Job.read(Path(given.job))
        start = job.start()
        resident = load(job.data).to(choose_device(given.device))
    except InputError as error:
        raise error.at("--job") from error
    for seed, spec, path in job.trainings(resident.fingerprint):
        if not given.json:
            print(f"{path.name}, seed {seed}")
        _train(given, spec, resident, path, start)
        path.with_name(before(path.name)).unlink(missing_ok=True)  # nobody goes on with it
    return cli.DONE


def _train(
    given: argparse.Namespace,
    spec: TrialSpec,
    data: Dataset,
    checkpoint: str | Path | None,
    start: Mapping[str, Tensor] | None = None,
) -> None:
    counted = cost(spec.architecture, data.image)
    if not given.json:
        print(f"{spec.architecture.digest}: {counted.params:,} params, {counted.macs:,} macs per image")
    verdict = verdict_of(spec.recipe, data.image, data.train_images.device, threads=given.threads)
    picked = partial(pick, spec.recipe, verdict.step_ms, verdict.wrong)
    for measurement in train(spec, data, checkpoint_path=checkpoint, pick=picked, start=start):
        print(json.dumps(measurement.flat()) if given.json else _line(measurement), flush=True)


def _line(measurement: Measurement) -> str:
    shown = measurement.metrics
    found = f"  accuracy {100 * shown['accuracy']:6.2f} %  loss {shown['loss']:.4f}" if "accuracy" in shown else ""
    return f"epoch {measurement.epoch:3d}{found}  train loss {shown[TRAIN_LOSS]:.4f}  {measurement.wall_s:.2f} s"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.train", description="Train one network.")
    add_arguments(parser)
    parser.add_argument("--data", default="digits", help='a data set, such as digits or {"npz": "images.npz"}')
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=_RECIPE.batch_size)
    parser.add_argument("--learning-rate", type=float, default=_RECIPE.learning_rate)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default=_RECIPE.optimizer)
    parser.add_argument("--schedule", choices=SCHEDULES, default=_RECIPE.schedule, help="of the learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", help="a file to write progress to, and to go on from, or its URL")
    parser.add_argument("--job", help="a JSON file that search.retrain has written, in the place of all of these")
    parser.add_argument("--json", action="store_true", help="a JSON object per epoch instead of a line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
