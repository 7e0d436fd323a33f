"""Train one network from the command line: no Ray, no Optuna, no SQL.

python -m workers.train --data digits --set block=preact --set depths=2,2,2 --epochs 9
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spaces.architecture import Architecture
from spaces.counting import cost
from spaces.errors import InputError, TrialFailure, WidefrontError
from workers.datasets import load
from workers.dataspec import data_spec
from workers.device import choose_device
from workers.measurement import Measurement
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train

_RECIPE = Recipe()


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print a line per epoch, and return the exit code."""
    given = _parser().parse_args(argv)
    try:
        return _run(given)
    except (WidefrontError, OSError) as error:  # what cannot be written is said by the system
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, TrialFailure) else 2


def _run(given: argparse.Namespace) -> int:
    if given.threads < 1:
        raise InputError(f"{given.threads} is below 1", place="--threads")
    if not 0 <= given.seed < 2**63:
        raise InputError(f"{given.seed} is not a whole number from 0 to 2^63 - 1", place="--seed")
    torch.set_num_threads(given.threads)
    data = _data(given.data)
    recipe = Recipe(epochs=given.epochs, batch_size=given.batch_size, learning_rate=given.learning_rate)
    spec = TrialSpec(architecture=_architecture(given.set), recipe=recipe, data=data, seed=given.seed)
    device = choose_device(given.device)
    resident = load(data).to(device)
    counted = cost(spec.architecture, resident.image)
    if not given.json:
        print(f"{spec.architecture.digest}: {counted.params:,} params, {counted.macs:,} macs per image")
    for measurement in train(spec, resident, checkpoint_path=given.checkpoint):
        print(json.dumps(measurement.to_json()) if given.json else _line(measurement), flush=True)
    return 0


def _line(measurement: Measurement) -> str:
    return (
        f"epoch {measurement.epoch:3d}  accuracy {100 * measurement.accuracy:6.2f} %  loss {measurement.loss:.4f}"
        f"  train loss {measurement.train_loss:.4f}  {measurement.wall_s:.2f} s"
    )


def _data(text: str) -> DataSpec:
    try:
        return data_spec(json.loads(text) if text.startswith("{") else text)
    except json.JSONDecodeError as error:
        raise InputError(f"{text!r} is not JSON: {error}", place="--data") from error
    except InputError as error:
        raise error.at("--data") from error


def _architecture(settings: Sequence[str]) -> Architecture:
    described: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"{setting!r} is not of the form field=value", place="--set")
        value = _value(text)
        described[name] = (value,) if name in ("depths", "widths") and not isinstance(value, tuple) else value
    try:
        return Architecture.from_json(described)
    except InputError as error:
        raise error.at("--set") from error
    except TypeError as error:
        raise InputError(
            f"a value is of the wrong kind for its field ({', '.join(settings)})", place="--set"
        ) from error


def _value(text: str) -> Any:
    """Return a number, a tuple of numbers (`2,2,2`) or the text itself."""
    if "," in text:
        return tuple(_value(part) for part in text.split(","))
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.train", description="Train one network.")
    parser.add_argument("--data", default="digits", help='a data set, such as digits or {"npz": "images.npz"}')
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="a field of the architecture")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=_RECIPE.batch_size)
    parser.add_argument("--learning-rate", type=float, default=_RECIPE.learning_rate)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="for computing on a processor")
    parser.add_argument("--checkpoint", type=Path, help="a file to write progress to, and to go on from")
    parser.add_argument("--json", action="store_true", help="a JSON object per epoch instead of a line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
