"""Search with Ray Tune, as its documentation has it: a function, OptunaSearch, ASHA, two trials at once.

python -m tests.benchmarks.speed.ray_script digits --trials 60 --seed 0

OptunaSearch is given both objectives. ASHA takes one, so it stops by accuracy; its rungs are 1, 3 and 9 epochs.
"""

import argparse
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from spaces.errors import InfeasibleArchitecture
from tests.benchmarks.speed import plain

AT_ONCE = 2
WORST = {"accuracy": 0.0, "macs": 1e12}  # of what cannot be trained: Tune has no word for it


def train(config: dict[str, Any], what: plain.Task, images: plain.Images, seed: int) -> None:
    """Train one network and report every epoch."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // AT_ONCE))
    try:
        architecture, macs = plain.network_of(config, what, images)
    except InfeasibleArchitecture:
        tune.report({**WORST, "at": time.time()})
        return
    for network in plain.training(architecture, what, images, seed):
        tune.report({"accuracy": plain.accuracy(network, images), "macs": macs, "at": time.time()})


def main() -> None:
    """Run the search and print what was trained in full."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["digits", "fashion"])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", help="the folder of Fashion-MNIST's files")
    given = parser.parse_args()
    ray.init(num_cpus=AT_ONCE, include_dashboard=False)
    what = plain.task(given.task, given.root)
    space = partial(plain.suggest, what=what)
    searched = OptunaSearch(space, metric=["accuracy", "macs"], mode=["max", "min"], seed=given.seed)
    asha = ASHAScheduler(metric="accuracy", mode="max", max_t=what.epochs, grace_period=1, reduction_factor=3)
    trainable = tune.with_parameters(train, what=what, images=plain.read(what), seed=given.seed)
    found = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        tune_config=tune.TuneConfig(search_alg=searched, scheduler=asha, num_samples=given.trials),
        run_config=tune.RunConfig(name="search", storage_path=str(Path("ray").absolute())),
    ).fit()
    for result in found:
        if result.metrics["training_iteration"] == what.epochs:
            print(result.metrics["accuracy"], result.metrics["macs"], result.config)


if __name__ == "__main__":
    main()
