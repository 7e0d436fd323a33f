"""Train one network from the command line: no Ray, no Optuna, no SQL.

python -m workers.train wrn-16-1 --data digits --epochs 9
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from spaces import cli
from spaces.counting import cost
from spaces.errors import InputError
from workers.datasets import load
from workers.device import choose_device
from workers.measurement import Measurement
from workers.numerics import pick
from workers.objectives import TRAIN_LOSS
from workers.probe import verdict_of
from workers.recipe import Recipe
from workers.settings import add_arguments, architecture_of, read_data, set_threads
from workers.trainer import TrialSpec, train

_RECIPE = Recipe()


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print a line per epoch, and return the exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    set_threads(given.threads)
    if not 0 <= given.seed < 2**63:
        raise InputError(f"{given.seed} is not a whole number from 0 to 2^63 - 1", place="--seed")
    data = read_data(given.data)
    recipe = Recipe(epochs=given.epochs, batch_size=given.batch_size, learning_rate=given.learning_rate)
    spec = TrialSpec(architecture=architecture_of(given), recipe=recipe, data=data, seed=given.seed)
    device = choose_device(given.device)
    resident = load(data).to(device)
    spec = replace(spec, fingerprint=resident.fingerprint)  # else a checkpoint of other images would be taken up
    counted = cost(spec.architecture, resident.image)
    if not given.json:
        print(f"{spec.architecture.digest}: {counted.params:,} params, {counted.macs:,} macs per image")
    verdict = verdict_of(recipe, resident.image, device, threads=given.threads)
    picked = partial(pick, recipe, verdict.step_ms, verdict.wrong)
    for measurement in train(spec, resident, checkpoint_path=given.checkpoint, pick=picked):
        print(json.dumps(measurement.flat()) if given.json else _line(measurement), flush=True)
    return cli.DONE


def _line(measurement: Measurement) -> str:
    shown = measurement.metrics
    return (
        f"epoch {measurement.epoch:3d}  accuracy {100 * shown['accuracy']:6.2f} %  loss {shown['loss']:.4f}"
        f"  train loss {shown[TRAIN_LOSS]:.4f}  {measurement.wall_s:.2f} s"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.train", description="Train one network.")
    add_arguments(parser)
    parser.add_argument("--data", default="digits", help='a data set, such as digits or {"npz": "images.npz"}')
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=_RECIPE.batch_size)
    parser.add_argument("--learning-rate", type=float, default=_RECIPE.learning_rate)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", help="a file to write progress to, and to go on from, or its URL")
    parser.add_argument("--json", action="store_true", help="a JSON object per epoch instead of a line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
