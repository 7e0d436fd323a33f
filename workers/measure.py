"""Measure what one network costs on the device at hand: no Ray, no Optuna, no SQL.

python -m workers.measure wrn-16-2 --data digits --batch 128
python -m workers.measure folder --runtime onnxruntime     # what search.export has written
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from spaces import cli
from spaces.architecture import ImageSpec
from spaces.counting import BATCH, cost
from spaces.errors import InputError
from spaces.network import build
from spaces.settings import read_image
from workers import runtimes
from workers.augment import Augment
from workers.datasets import Dataset, load
from workers.device import choose_device, fingerprint
from workers.failures import classify
from workers.kinds import FailureKind
from workers.latency import Latency, measure_latency
from workers.numerics import pick, recipe_with, usual
from workers.probe import verdict_of
from workers.recipe import PRECISIONS, Recipe
from workers.runtimes import is_export
from workers.settings import add_arguments, architecture_of, read_data, say, set_threads
from workers.sources import DataSpec
from workers.timing import epoch_s, part, second_epoch
from workers.trainer import TrialSpec

_IMAGE = ImageSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a network costs on one device, batches being of `batch` images where nothing else is said."""

    digest: str
    device: str  # the hardware
    precision: str  # float32 or bfloat16
    batch: int
    latency_ms_batch1: float  # median for one image
    latency_p90_ms_batch1: float
    latency_ms_batch: float  # median
    latency_p90_ms_batch: float
    images_per_s: float
    training_peak_bytes: int  # while training on one batch (CUDA), or of the process so far (CPU)
    training_bytes_estimate: int  # what `spaces.counting` expects at most
    epoch_s: float | None  # training and validation; None where no data are given
    params: int
    macs: int  # for one image
    activations: int  # for one image


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    return cli.run(_parser(), argv, _run)


def _run(given: argparse.Namespace) -> int:
    given.threads, given.busy = set_threads(given.threads)
    if given.batch < 2:
        raise InputError(f"{given.batch} is below 2", place="--batch")  # normalisations need two images to tell apart
    if given.network and is_export(Path(given.network)):
        return _run_folder(given)
    if given.runtime:
        raise InputError("is of a folder that search.export has written: name one", place="--runtime")
    device = choose_device(given.device)
    # Without a learning rate nothing diverges, and what is computed takes as long.
    recipe = Recipe(batch_size=given.batch, precision=given.precision, learning_rate=0.0)
    architecture = architecture_of(given)
    try:
        spec, data = _data(given)
        say(given.busy)
        verdict = verdict_of(recipe, data.image, device, threads=given.threads)
        recipe = recipe_with(recipe, pick(recipe, verdict.step_ms, verdict.wrong))
        trial = TrialSpec(architecture=architecture, recipe=recipe, data=spec, seed=0)
        measured = measure(trial, data, device, epoch=given.data is not None)
    except (RuntimeError, MemoryError) as error:
        failure = classify(error)
        raise failure if failure.kind == FailureKind.OUT_OF_MEMORY else error from None
    print(json.dumps(asdict(measured)) if given.json else table(measured, device))
    return cli.DONE


def _run_folder(given: argparse.Namespace) -> int:
    """Time what was handed over, as it is."""
    for name, usual_value in (("data", None), ("image", None), ("classes", None), ("set", []), ("precision", "auto")):
        if getattr(given, name) != usual_value:
            raise InputError("is what the folder says it is: give it without the folder", place=f"--{name}")
    folder = Path(given.network)
    runtime = given.runtime or runtimes.usual(folder)
    device = choose_device("cpu" if runtime == "onnxruntime" and given.device == "auto" else given.device)
    say(given.busy)
    found = runtimes.measure(folder, runtime, batch=given.batch, device=device, threads=given.threads)
    print(json.dumps(found.to_json()) if given.json else runtimes.table(found))
    return cli.DONE


def _data(given: argparse.Namespace) -> tuple[DataSpec, Dataset]:
    """Return the images that are asked for, or noise like them."""
    if given.data is None:
        image = read_image(given.image or "3x32x32", _IMAGE.classes if given.classes is None else given.classes)
        return DataSpec(name="digits"), noise(image, given.batch)  # a trainer asks the images, not their name
    for name in ("image", "classes"):
        if getattr(given, name) is not None:
            raise InputError("is what the data say it is: give it without --data", place=f"--{name}")
    spec = read_data(given.data)
    data = load(spec)
    if given.batch > len(data.train_labels):
        raise InputError(f"{given.batch} is above the {len(data.train_labels)} training images", place="--batch")
    return spec, data


def noise(image: ImageSpec, count: int) -> Dataset:
    """Return images that hold nothing to be learned, one of them to be measured on."""
    size = (count, image.channels, image.height, image.width)
    images = torch.randint(256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % image.classes
    return Dataset(
        name="noise",
        train_images=images,
        train_labels=labels,
        val_images=images[:1],
        val_labels=labels[:1],
        mean=torch.full((image.channels,), 0.5),
        std=torch.full((image.channels,), 0.3),
        class_names=tuple(map(str, range(image.classes))),
        augment=Augment(),
    )


def measure(trial: TrialSpec, data: Dataset, device: torch.device, *, epoch: bool) -> Measured:
    """Measure a network on images that need not be on the device; with `epoch`, also how long an epoch of them takes.

    Raises:
        InfeasibleArchitecture: the network cannot read such images.
    """
    batch = trial.recipe.batch_size
    counted = cost(trial.architecture, data.image, batch=batch)
    one, many = _latencies(trial, data.image, device)
    trained = second_epoch(trial, part(data, batch), device)
    return Measured(
        digest=trial.architecture.digest,
        device=fingerprint(device)["device"],
        precision="bfloat16" if usual(trial.recipe, device).bfloat16 else "float32",
        batch=batch,
        latency_ms_batch1=one.median_ms,
        latency_p90_ms_batch1=one.p90_ms,
        latency_ms_batch=many.median_ms,
        latency_p90_ms_batch=many.p90_ms,
        images_per_s=many.images_per_s,
        training_peak_bytes=int(trained.metrics["peak_bytes"]),
        training_bytes_estimate=counted.training_bytes,
        epoch_s=epoch_s(trial, data, device, trained) if epoch else None,
        params=counted.params,
        macs=counted.macs,
        activations=counted.activations,
    )


def _latencies(trial: TrialSpec, image: ImageSpec, device: torch.device) -> tuple[Latency, Latency]:
    """Return the latency of one image and of a batch; the network is let go of before the memory is measured."""
    network = build(trial.architecture, image, generator=torch.Generator().manual_seed(trial.seed))
    chosen = usual(trial.recipe, device)
    one = measure_latency(network, image, batch=1, device=device, numerics=chosen)
    return one, measure_latency(network, image, batch=trial.recipe.batch_size, device=device, numerics=chosen)


def table(found: Measured, device: torch.device) -> str:
    """Return it for people."""
    on_cuda = device.type == "cuda"
    whose = "while training on one batch" if on_cuda else "of the whole process so far, as a processor tells no other"
    where = f"{device}" if on_cuda else f"cpu, threads: {torch.get_num_threads()}"
    rows = [
        ("network", found.digest),
        ("params", f"{found.params:,}"),
        ("macs", f"{found.macs:,} per image"),
        ("activations", f"{found.activations:,} per image"),
        ("device", f"{found.device} ({where}), {found.precision}"),
        ("latency", f"{found.latency_ms_batch1:.3f} ms for 1 image, 90 % within {found.latency_p90_ms_batch1:.3f} ms"),
        (
            "",
            f"{found.latency_ms_batch:.3f} ms for {found.batch} images, "
            f"90 % within {found.latency_p90_ms_batch:.3f} ms",
        ),
        ("images", f"{found.images_per_s:,.0f} per second, {found.batch} at once"),
        ("peak memory", f"{found.training_peak_bytes / 2**20:,.1f} MiB {whose}"),
        ("estimate", f"{found.training_bytes_estimate / 2**20:,.1f} MiB at most to train on {found.batch} images"),
        ("epoch", "not measured: give --data" if found.epoch_s is None else f"{found.epoch_s:,.2f} s"),
    ]
    return "\n".join(f"{label:<13}{text}" for label, text in rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.measure", description="Measure what one network costs.")
    add_arguments(parser, "a name such as wrn-16-2, a JSON file of an architecture, or a folder that was exported")
    parser.add_argument("--data", help='time an epoch of a data set, such as digits or {"npz": "images.npz"}')
    parser.add_argument("--image", metavar="CxHxW", help="what it reads where no data are given; else 3x32x32")
    parser.add_argument("--classes", type=int, metavar="N", help="where no data are given; else 10")
    parser.add_argument("--batch", type=int, default=BATCH, help="images at once")
    parser.add_argument("--precision", default="auto", help=", ".join(PRECISIONS))
    parser.add_argument("--runtime", help=f"of a folder: {', '.join(runtimes.RUNTIMES)}")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
