"""Measure what training together saves: processor seconds of a training alone over those of a member of a pack.

    python -m tests.benchmarks.packs [--sides 8 16 32] [--widths 4 8 16 32] [--members 2 4 8] [--blocks basic]

One thread, float32, channels_last; medians of epochs that take turns, so that a busy machine slows all of them alike.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import torch

from spaces.architecture import Architecture, plan
from spaces.counting import cost
from workers.augment import Augment
from workers.datasets import Dataset
from workers.packs import PackTrainer
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec

EPOCHS = 5  # of which the first only warms up
RECIPE = Recipe(epochs=100, precision="float32", memory_format="channels_last")


def noise(side: int, count: int = 192) -> Dataset:
    """Return images without a pattern: what they are does not change how long a step takes."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(255, (count + 64, 3, side, side), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (count + 64,), generator=generator)
    return Dataset(
        name="noise", train_images=images[:count], train_labels=labels[:count], val_images=images[count:],
        val_labels=labels[count:], mean=torch.full((3,), 0.5), std=torch.full((3,), 0.3),
        class_names=tuple("abcdefghij"), augment=Augment(crop=1, flip=True),
    )  # fmt: skip


def gains(architecture: Architecture, data: Dataset, members: list[int]) -> dict[int, float]:
    """Return how much less a member costs, by how many train together."""
    spec = TrialSpec(architecture=architecture, recipe=RECIPE, data=DataSpec(name="digits"), seed=0)
    alone = Trainer(spec, data)
    packs = {k: PackTrainer([Trainer(replace(spec, seed=seed), data) for seed in range(k)]) for k in members}
    spent: dict[int, list[float]] = {k: [] for k in (1, *members)}
    for _ in range(EPOCHS):
        for k, seconds in spent.items():
            began = time.thread_time()
            packs.get(k, alone).run_epoch()
            seconds.append(time.thread_time() - began)
    own = median(spent[1][1:])
    return {k: k * own / median(spent[k][1:]) for k in members}


def lines(given: argparse.Namespace) -> Iterator[str]:
    """Yield a row of the table for each network and size of images."""
    yield (
        "| block | side | width | depth | macs per convolution | "
        + " | ".join(f"K = {k}" for k in given.members)
        + " |"
    )
    yield "|---" * (5 + len(given.members)) + "|"
    for block in given.blocks:
        for side in given.sides:
            for width in given.widths:
                architecture = Architecture(
                    block=block, depths=(given.depth,) * 3, widths=(width, 2 * width, 4 * width), stem_width=width
                )  # fmt: skip
                data = noise(side)
                convolutions = sum(len(spec.branch) for spec in plan(architecture).blocks)
                each = cost(architecture, data.image).macs / convolutions
                found = " | ".join(f"{gain:.2f}" for gain in gains(architecture, data, given.members).values())
                yield f"| {block} | {side} | {width} | {given.depth} | {each / 1000:.0f}k | {found} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--widths", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--members", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--blocks", nargs="+", default=["basic"])
    parser.add_argument("--depth", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for line in lines(given):
        print(line, flush=True)


if __name__ == "__main__":
    main()
