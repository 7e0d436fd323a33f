"""Measure trained weights on the test split, once everything is chosen."""

from dataclasses import replace
from functools import lru_cache

import torch

from spaces.errors import StudyError
from workers.checkpoint import Checkpoint
from workers.datasets import Dataset, load, load_test
from workers.device import choose_device, use_threads
from workers.numerics import usual
from workers.packages import require
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec, is_of


@lru_cache(maxsize=1)
def _tested(spec: DataSpec, device: torch.device) -> Dataset:
    """Return the data with the test split in the place of validation images, read once for all weights of a process."""
    images, labels = load_test(spec)
    return replace(load(spec), val_images=images, val_labels=labels).to(device)


def measure_test(spec: TrialSpec, address: str, *, gpus: float = 0.0, threads: int = 1) -> dict[str, float]:
    """Return what fully trained weights come to on the test split, by the names of objectives.

    Args:
        spec: what they were trained as.
        address: the checkpoint's path or URL.
        gpus: measure on a GPU where any.
        threads: else on so many.

    Raises:
        StudyError: there are no such weights, or they are not trained in full.
        InputError: a package is not here, the data have no test split, or it cannot be read.
        OSError: the checkpoint cannot be reached.
    """
    require(spec.packages)
    use_threads(threads)
    device = choose_device("cuda" if gpus else "cpu")
    state = Checkpoint(address).load()
    if state is None or not is_of(spec, state) or len(state["history"]) < spec.recipe.epochs:
        raise StudyError(f"{address} does not hold the weights of this training")
    trainer = Trainer(spec, _tested(spec.data, device), numerics=usual(spec.recipe, device, state.get("numerics")))
    trainer.resume(state)
    return trainer.evaluated()
