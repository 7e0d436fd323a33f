"""Measure on a processor what widths, settings of the allocator and threads that write checkpoints change.

    python -m tests.benchmarks.processor widths [--side 16] [--widths 8 9 10 12 14 16 20 24]
    python -m tests.benchmarks.processor memory [--turns 5]
    python -m tests.benchmarks.processor saving [--turns 5]

One thread, float32, channels_last, images of noise in batches of 64. What is compared takes turns, so that a busy
machine slows all of it alike; medians, and in brackets the least and the most.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from spaces.architecture import Architecture
from spaces.counting import cost
from tests.benchmarks.packs import RECIPE, noise
from workers import saving
from workers.datasets import Dataset
from workers.device import peak_bytes
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec, train

NEVER = str(2**25)  # bytes, the most that glibc takes for a bound to ask the kernel for a block of its own
SETTINGS: dict[str, Mapping[str, str]] = {
    "as it is": {},
    "MALLOC_ARENA_MAX=1": {"MALLOC_ARENA_MAX": "1"},
    "trim 256 MB, mmap 32 MB": {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": NEVER},
    "trim 1 GB, mmap 32 MB": {"MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_THRESHOLD_": NEVER},
    "the same, top pad 64 MB": {
        "MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_MMAP_THRESHOLD_": NEVER, "MALLOC_TOP_PAD_": str(2**26)
    },
}  # fmt: skip
PRELOADED = {"jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4"}
# Side of the images and width of the first stage: of digits' size, and of photographs made small.
KINDS = {"small": (8, 8), "large": (32, 16)}
EPOCHS = 5  # of a training whose checkpoints are written


def network(width: int, depth: int = 1, stages: Sequence[int] = (1, 2, 4)) -> Architecture:
    """Return a residual network."""
    return Architecture(
        depths=(depth,) * len(stages), widths=tuple(width * each for each in stages), stem_width=width
    )  # fmt: skip


def trial(architecture: Architecture, epochs: int = 100) -> TrialSpec:
    """Return a training of it."""
    recipe = Recipe(epochs=epochs, precision=RECIPE.precision, memory_format=RECIPE.memory_format)
    return TrialSpec(architecture=architecture, recipe=recipe, data=DataSpec(name="digits"), seed=0)


def turns(calls: Mapping[str, Callable[[], float]], count: int) -> dict[str, list[float]]:
    """Return what calls tell in turn, so many times, after one that only warms up."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(count + 1):
        for name, call in calls.items():
            told = call()
            found[name] += [told] if turn else []
    return found


def shown(values: Sequence[float], unit: float = 1.0) -> str:
    """Return a median, the least and the most."""
    return f"{median(values) * unit:.3g} ({min(values) * unit:.3g} to {max(values) * unit:.3g})"


def widths(given: argparse.Namespace) -> Iterator[str]:
    """Yield a row for each width of a network that has it everywhere."""
    data = noise(given.side)
    made = {str(width): Trainer(trial(network(width, stages=(1, 1, 1))), data) for width in given.widths}
    spent = turns({width: partial(_epoch, each) for width, each in made.items()}, given.turns)
    yield "| width | ms of an epoch | ns for 1,000 macs of an image |"
    yield "|---|---|---|"
    for width, each in made.items():
        macs = cost(each.spec.architecture, data.image).macs * len(data.train_labels)
        yield f"| {width} | {shown(spent[width], 1e3)} | {median(spent[width]) / macs * 1e12:.3g} |"


def _epoch(made: Trainer) -> float:
    began = time.thread_time()
    made.run_epoch()
    return time.thread_time() - began


def memory(given: argparse.Namespace) -> Iterator[str]:
    """Yield a row for each setting of the allocator and kind of network, each training in a process of its own."""
    there = {name: given.libraries / file for name, file in PRELOADED.items() if (given.libraries / file).exists()}
    settings = SETTINGS | {name: {"LD_PRELOAD": str(path)} for name, path in there.items()}
    settings = {name: settings[name] for name in given.settings or settings}
    yield "| side, width | setting | processor seconds | of the kernel | page faults | peak MB |"
    yield "|---|---|---|---|---|---|"
    for side, width in map(KINDS.__getitem__, given.kinds):
        found: dict[str, list[Mapping[str, float]]] = {name: [] for name in settings}
        for _ in range(given.turns):
            for name, variables in settings.items():
                found[name].append(_child(side, width, variables))
        for name, told in found.items():
            columns = " | ".join(shown([each[key] for each in told]) for key in told[0])
            yield f"| {side}, {width} | {name} | {columns} |"


def _child(side: int, width: int, variables: Mapping[str, str]) -> Mapping[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.processor", "one", f"--side={side}", f"--widths={width}"]
    told = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    return dict(json.loads(told.stdout))


def one(given: argparse.Namespace) -> Iterator[str]:
    """Yield what epochs of one training take of this process, after one that warms up."""
    made = Trainer(trial(network(given.widths[0])), noise(given.side))
    made.run_epoch()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(3):
        made.run_epoch()
    after = resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    yield json.dumps(
        {
            "all": after.ru_utime - before.ru_utime + system, "kernel": system,
            "faults": after.ru_minflt - before.ru_minflt, "peak": peak_bytes(made.device) / 1e6,
        }
    )  # fmt: skip


def checkpoints(given: argparse.Namespace) -> Iterator[str]:
    """Yield what an epoch takes by the clock where checkpoints are written at once, in a thread and not at all."""
    yield "| side, width | at once: ms, processor ms | in a thread | none |"
    yield "|---|---|---|---|"
    for side, width in map(KINDS.__getitem__, given.kinds):
        data, ways = noise(side), ("at once", "thread", "none")
        spent: dict[str, list[float]] = {how: [] for how in ways}
        with TemporaryDirectory(dir=given.folder) as folder:
            calls = {how: partial(_training, how, width, data, Path(folder), spent[how]) for how in ways}
            clock = turns(calls, given.turns)
        cells = " | ".join(f"{shown(clock[how], 1e3)}, {shown(spent[how][1:], 1e3)}" for how in ways)
        yield f"| {side}, {width} | {cells} |"


def _training(how: str, width: int, data: Dataset, folder: Path, spent: list[float]) -> float:
    """Return the seconds of an epoch of a training by the clock, and note those of the processor."""
    saving.pays = lambda _device: how == "thread"
    path = None if how == "none" else folder / f"{how} {len(spent)}.pt"
    clock, began = time.monotonic(), time.process_time()
    list(train(trial(network(width), EPOCHS), data, checkpoint_path=path, decided=[]))
    spent.append((time.process_time() - began) / EPOCHS)
    return (time.monotonic() - clock) / EPOCHS


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("widths", "memory", "saving", "one"))
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 9, 10, 12, 14, 16, 20, 24])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS], default=[*KINDS])
    parser.add_argument("--settings", nargs="+", choices=[*SETTINGS, *PRELOADED], help="of the allocator; none: all")
    parser.add_argument("--libraries", type=Path, default="/usr/lib/x86_64-linux-gnu", help="of other allocators")
    parser.add_argument("--folder", default=".", help="on the disk that checkpoints are written to")
    given = parser.parse_args()
    torch.set_num_threads(1)
    tables = {"widths": widths, "memory": memory, "saving": checkpoints, "one": one}
    for line in tables[given.what](given):
        print(line, flush=True)


if __name__ == "__main__":
    main()
