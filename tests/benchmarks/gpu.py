"""Measure on this machine's GPU what a training costs there: steps, launches, waits, epochs, trials an hour.

python -m tests.benchmarks.gpu [--write docs/speed-gpu.md]

Images are noise, in the sizes of real ones: nothing here hangs on what they show. Needs torch and numpy alone.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from spaces import cli
from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost
from spaces.names import named
from workers.augment import Augment
from workers.datasets import Dataset
from workers.device import choose_device, fingerprint
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec, train

LIMIT_S = 540.0  # after which no further part is begun
TRAINING = 3  # times a forward pass's multiply-accumulates, forward and backward
WIDTHS = (0.5, 1, 2, 4)  # of the small networks, by turns
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything is done."""

    steps: int = 20
    product: int = 8192  # side of the matrices whose product is taken for the most that the device can
    images: int = 50_000
    networks: int = 64
    epochs: int = 9
    processes: int = 8
    network: str = "resnet-20"  # of which epochs, launches and waits are told
    compiles: tuple[str, ...] = ("never", "always")
    large: tuple[tuple[str, int], ...] = (("wrn-28-10", 128), ("resnet50", 128))  # network and batch


SMALL = Size(
    steps=2, product=64, images=16, networks=2, epochs=1, processes=2, network="resnet-8", compiles=("never",),
    large=(("resnet-8", 4),),
)  # fmt: skip


def noise(image: ImageSpec, count: int, device: torch.device, how: Augment) -> Dataset:
    """Return images that hold nothing to be learned, a tenth more of them to be measured on."""
    generator = torch.Generator(device).manual_seed(0)
    shape = (count + max(16, count // 10), image.channels, image.height, image.width)
    images = torch.randint(256, shape, dtype=torch.uint8, device=device, generator=generator)
    labels = torch.arange(len(images), device=device) % image.classes
    return Dataset(
        name="noise", train_images=images[:count], train_labels=labels[:count], val_images=images[count:],
        val_labels=labels[count:], mean=torch.full((image.channels,), 0.5, device=device),
        std=torch.full((image.channels,), 0.3, device=device), class_names=tuple(map(str, range(image.classes))),
        augment=how,
    )  # fmt: skip


def spec(architecture: Architecture, *, seed: int = 0, **recipe: object) -> TrialSpec:
    """Return a training of an architecture, compiled only where it is asked for."""
    made = Recipe(**{"compile": "never", **recipe})  # type: ignore[arg-type]
    return TrialSpec(architecture=architecture, recipe=made, data=DataSpec(name="digits"), seed=seed)


def step_s(trial: TrialSpec, data: Dataset) -> float:
    """Return the seconds of a step: the median of three epochs behind one that warms up."""
    made = Trainer(trial, data)
    made.run_epoch(measure=False)
    return statistics.median(made.run_epoch(measure=False).train_s for _ in range(3)) / made.steps


def most_flops(device: torch.device, side: int) -> float:
    """Return the operations a second of a large product in bfloat16: what it reaches, not what is said of it."""
    one = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    took = []
    for _ in range(10):
        _wait(device)
        began = time.perf_counter()
        one @ one
        _wait(device)
        took.append(time.perf_counter() - began)
    return 2 * side**3 / statistics.median(took[3:])


def large(device: torch.device, size: Size) -> Iterator[str]:
    """Yield how near large networks come to that."""
    most = most_flops(device, size.product)
    yield f"product of {size.product:,} x {size.product:,} in bfloat16: {most / 1e12:.1f} TFLOP/s (n = 7, median)"
    for name, batch in size.large:
        known = named(name)
        data = noise(known.image, size.steps * batch, device, Augment(crop=4, flip=True))
        took = step_s(spec(known.architecture, batch_size=batch, epochs=8), data)
        flops = TRAINING * 2 * cost(known.architecture, known.image).macs * batch / took
        yield (
            f"{name}, {batch} images of {known.image.height}x{known.image.width}: {1000 * took:.2f} ms a step, "
            f"{batch / took:,.0f} images/s, {flops / 1e12:.1f} TFLOP/s, {flops / most:.0%} of the product's"
        )


def cifar(device: torch.device, size: Size) -> Iterator[str]:
    """Yield what an epoch of CIFAR-10's size takes a resnet-20, as it is and compiled."""
    known = named(size.network)
    data = noise(known.image, size.images, device, Augment(crop=4, flip=True))
    for how in size.compiles:
        made = Trainer(spec(known.architecture, batch_size=min(128, size.images), epochs=8, compile=how), data)
        first, *others = (made.run_epoch() for _ in range(3))
        took = statistics.median(each.train_s for each in others)
        failed = f"; not compiled: {made.compiling.failed}" if made.compiling.failed else ""
        yield (
            f"{size.network}, {size.images:,} images, compile {how}: {took:.2f} s an epoch and "
            f"{others[-1].eval_s:.2f} s to measure (first epoch {first.wall_s:.1f} s; n = 2){failed}"
        )


def waits(device: torch.device, size: Size) -> Iterator[str]:
    """Yield how often the host waits in an epoch, and how many operations are launched a step."""
    known = named(size.network)
    batch = min(64, size.images)
    data = noise(known.image, size.steps * batch, device, Augment(crop=4, flip=True, cutout=8))
    made = Trainer(spec(known.architecture, batch_size=batch, epochs=8), data)
    made.run_epoch()
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        made.run_epoch()
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("default")
    count = sum("called a synchronizing" in str(each.message) for each in seen)
    yield f"{size.network}: the host waits {count} times in an epoch (aim: 1)"
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * (device.type == "cuda")]) as profiled:
        made.run_epoch(measure=False)
    launched = sum(each.count for each in profiled.key_averages() if each.key.startswith(LAUNCHES))
    each_step = f"{launched / made.steps:.0f} launches a step of {batch} images"
    yield f"{size.network}: {each_step}, augmentation and optimizer included"


def small_trials(numbers: Sequence[int], device_name: str, epochs: int, count: int) -> None:
    """Train small networks one after the other, each on images as small as the digits."""
    device = choose_device(device_name)
    torch.set_num_threads(1)
    data = noise(ImageSpec(channels=1, height=8, width=8), count, device, Augment(crop=1))
    for number in numbers:
        architecture = Architecture(widening_factor=WIDTHS[number % len(WIDTHS)])
        for _ in train(spec(architecture, seed=number, epochs=epochs), data):
            pass


def throughput(device: torch.device, size: Size) -> Iterator[str]:
    """Yield how many trials of small networks an hour sees, one at a time and as processes."""
    numbers, count = range(size.networks), min(1200, size.images)
    run = partial(small_trials, device_name=str(device), epochs=size.epochs, count=count)
    run(numbers[:1])  # warms up
    began = time.perf_counter()
    run(numbers)
    alone_s = time.perf_counter() - began
    yield f"{size.networks} networks of {size.epochs} epochs, one at a time: {_an_hour(size, alone_s)}"
    parts = [numbers[place :: size.processes] for place in range(size.processes)]
    began = time.perf_counter()
    with get_context("spawn").Pool(size.processes) as pool:
        pool.map(run, parts, chunksize=1)
    took_s = time.perf_counter() - began
    yield f"the same by {size.processes} processes, their start included: {_an_hour(size, took_s)}"


def _an_hour(size: Size, took_s: float) -> str:
    return f"{took_s:.1f} s, {3600 * size.networks / took_s:,.0f} trials an hour (n = 1)"


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


PARTS: tuple[Callable[[torch.device, Size], Iterator[str]], ...] = (waits, large, cifar, throughput)


def lines(device: torch.device, size: Size, *, limit_s: float = LIMIT_S) -> Iterator[str]:
    """Yield what was found, part by part; of what there is no time for, that."""
    began = time.perf_counter()
    known = fingerprint(device)
    yield f"{known['device']}, torch {known['torch']}, Python {known['python']}, {known['cores']} cores"
    for part in PARTS:
        if time.perf_counter() - began > limit_s:
            yield f"{part.__name__}: left out, as {limit_s:.0f} s were over"
        else:
            yield from part(device, size)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 2 where there is no GPU."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    device = choose_device("cpu" if given.rehearse else "cuda")
    if given.rehearse:
        torch.set_num_threads(1)
    told = []
    for line in lines(device, SMALL if given.rehearse else replace(Size(), processes=given.processes)):
        print(line, flush=True)
        told.append(line)
    if given.write:
        head = ["# How fast a GPU trains", "", "`make benchmark-gpu` wrote this.", ""]
        text = "\n".join([*head, *(f"- {each}" for each in told)])
        given.write.write_text(text + "\n", encoding="utf-8")
    return cli.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description="Measure what a GPU takes.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="also as a page")
    parser.add_argument("--processes", type=int, default=Size.processes, help="that train small networks at a time")
    parser.add_argument("--rehearse", action="store_true", help="on the processor, of everything hardly any")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
