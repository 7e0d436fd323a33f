"""Train one network from the command line: no Ray, no Optuna, no SQL.

python -m workers.train wrn-16-1 --data digits --epochs 9
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from spaces import cli
from spaces.counting import cost
from spaces.errors import InputError, TrialFailure
from workers.checkpoint import before
from workers.datasets import Dataset, load
from workers.device import choose_device
from workers.job import Job
from workers.measurement import TRAIN_LOSS, Flow, Measurement
from workers.numerics import Numerics, pick
from workers.packs import train_pack
from workers.probe import verdict_of
from workers.recipe import OPTIMIZERS, SCHEDULES, Recipe
from workers.settings import add_arguments, architecture_of, read_data, say, set_threads
from workers.trainer import TrialSpec, train

_RECIPE = Recipe()
MOST_SEEDS = 64  # that are trained together


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print a line per epoch, and return the exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    given.threads, given.busy = set_threads(given.threads)
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
    say(given.busy)
    spec = replace(spec, fingerprint=resident.fingerprint)  # else a checkpoint of other images would be taken up
    if given.seeds:
        _train_together(given, [replace(spec, seed=seed) for seed in given.seeds], resident)
    else:
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
    say(given.busy)
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
    _tell_cost(given, spec, data)
    picked, flow = _picker(given, spec, data), given.record == "flow"
    for measurement in train(spec, data, checkpoint_path=checkpoint, pick=picked, start=start, flow=flow):
        print(json.dumps(_told(measurement)) if given.json else _line(measurement), flush=True)


def _tell_cost(given: argparse.Namespace, spec: TrialSpec, data: Dataset) -> None:
    counted = cost(spec.architecture, data.image)
    if not given.json:
        print(f"{spec.architecture.digest}: {counted.params:,} params, {counted.macs:,} macs per image")


def _picker(given: argparse.Namespace, spec: TrialSpec, data: Dataset) -> Callable[[str | None], Numerics]:
    """Return what picks precision and layout, by what is right and fast on this machine."""
    verdict = verdict_of(spec.recipe, data.image, data.train_images.device, threads=given.threads)
    return partial(pick, spec.recipe, verdict.step_ms, verdict.wrong)


def _train_together(given: argparse.Namespace, specs: list[TrialSpec], data: Dataset) -> None:
    """Train seeds of one network as one network; each has a checkpoint of its own."""
    _tell_cost(given, specs[0], data)
    paths = [_of_seed(given.checkpoint, each.seed) if given.checkpoint else None for each in specs]
    failed: list[TrialFailure] = []
    picked, flow = _picker(given, specs[0], data), given.record == "flow"
    for place, found in train_pack(specs, data, checkpoint_paths=paths, pick=picked, flow=flow):
        seed = specs[place].seed
        if isinstance(found, TrialFailure):
            failed.append(TrialFailure(found.kind, f"seed {seed}: {found.message}", found.details))
            continue
        line = json.dumps({"seed": seed, **_told(found)}) if given.json else f"seed {seed:3d}  {_line(found)}"
        print(line, flush=True)
    if failed:  # of which the others know nothing
        raise failed[0]


def _of_seed(checkpoint: str, seed: int) -> str:
    """Return the file of a seed: `wide.3.pt` of `wide.pt`."""
    stem, dot, ending = checkpoint.rpartition(".")
    return f"{stem}.{seed}.{ending}" if dot and "/" not in ending else f"{checkpoint}.{seed}"


def _told(measurement: Measurement) -> dict[str, object]:
    through = [asdict(each) for each in measurement.flow]
    return {**measurement.flat(), **({"blocks": through} if through else {})}


def _line(measurement: Measurement) -> str:
    shown = measurement.metrics
    found = f"  accuracy {100 * shown['accuracy']:6.2f} %  loss {shown['loss']:.4f}" if "accuracy" in shown else ""
    line = f"epoch {measurement.epoch:3d}{found}  train loss {shown[TRAIN_LOSS]:.4f}  {measurement.wall_s:.2f} s"
    return "\n".join((line, *map(_through, measurement.flow)))


def _through(flow: Flow) -> str:
    gradient = "not known" if flow.gradient is None else f"{flow.gradient:.3g}"
    branch = "" if flow.branch is None else f"  branch {flow.branch:.3g} of its shortcut"
    return f"  block {flow.block}: gradient {gradient}{branch}"


def _seeds(text: str) -> list[int]:
    """Read `3`, `0-4` or `0,2,7-9`."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or len(part) > 40:
            raise argparse.ArgumentTypeError(f"{part!r} is neither a seed nor a range such as 0-4")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or len(numbers) + len(found) > MOST_SEEDS or numbers[-1] >= 2**63:
            raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {MOST_SEEDS} seeds below 2^63 in rising order")
        found += numbers
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.train", description="Train one network.")
    add_arguments(parser)
    parser.add_argument("--data", default="digits", help='a data set, such as digits or {"npz": "images.npz"}')
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch-size", type=int, default=_RECIPE.batch_size)
    parser.add_argument("--learning-rate", type=float, default=_RECIPE.learning_rate)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default=_RECIPE.optimizer)
    parser.add_argument("--schedule", choices=SCHEDULES, default=_RECIPE.schedule, help="of the learning rate")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, default=0)
    seeds.add_argument("--seeds", type=_seeds, metavar="0-4", help="train each of them, together as one network")
    parser.add_argument(
        "--record", choices=("none", "flow"), default="none", help="flow: also tell what comes through each block"
    )
    parser.add_argument("--checkpoint", help="a file to write progress to, and to go on from, or its URL")
    parser.add_argument("--job", help="a JSON file that search.retrain has written, in the place of all of these")
    parser.add_argument("--json", action="store_true", help="a JSON object per epoch instead of a line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
