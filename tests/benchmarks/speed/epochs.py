"""Print how long full trainings on digits take, measured at rungs and after every epoch, as JSON.

python tests/benchmarks/speed/epochs.py

It is run by its path, so that it imports whatever version of the project comes first on PYTHONPATH.
"""

import inspect
import json
import time

from spaces.architecture import Architecture
from spaces.space import SearchSpace
from workers.datasets import Dataset, load
from workers.device import use_threads
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train

DATA = DataSpec(name="digits", validation=0.3)
RUNGS = (1, 3)
NETWORKS = [
    {"block": "resnext", "depth": 1, "widening_factor": 0.125, "cardinality": 2},
    {"block": "basic", "depth": 2, "widening_factor": 0.5},
    {"block": "bottleneck", "depth": 1, "widening_factor": 1},
]
REPEATS = 3


def seconds(architecture: Architecture, images: Dataset, **how: object) -> float:
    """Return the seconds of an epoch of a full training."""
    spec = TrialSpec(architecture=architecture, recipe=Recipe(), data=DATA, seed=0)
    began = time.perf_counter()
    epochs = sum(1 for _ in train(spec, images, **how))
    return (time.perf_counter() - began) / epochs


def main() -> None:
    """Train every network both ways in turn, and take the least of each: the rest is the machine's."""
    use_threads(1)
    images = load(DATA)
    ways: dict[str, dict[str, object]] = {"every": {}}
    if "measured" in inspect.signature(train).parameters:
        ways["rungs"] = {"measured": RUNGS}
    took: dict[str, list[float]] = {way: [] for way in ways}
    for architecture in map(SearchSpace(parameters=()).architecture, NETWORKS):
        tries = [{way: seconds(architecture, images, **how) for way, how in ways.items()} for _ in range(REPEATS)]
        for way, each in took.items():
            each.append(min(one[way] for one in tries))
    print(json.dumps({f"epoch_{way}_s": sum(each) / len(each) for way, each in took.items()}))


if __name__ == "__main__":
    main()
