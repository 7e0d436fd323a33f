"""Make small trained networks as a checkpoint holds them, and what a folder is told of them."""

from dataclasses import replace
from typing import Any

import torch

from spaces.architecture import Architecture
from spaces.counting import cost
from workers.card import Card
from workers.datasets import Dataset, load
from workers.handover import versions
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec

SMALL = Architecture(depths=(1, 1), widths=(8, 16), stem_width=8)
DIGITS = DataSpec(name="digits", limit=200)


def trained(architecture: Architecture = SMALL, *, data: DataSpec = DIGITS, **recipe: Any) -> Trainer:
    """Return a network that was trained for an epoch on digits."""
    usual = {"epochs": 1, "batch_size": 32, "precision": "float32"}
    held = load(data)
    spec = TrialSpec(
        architecture=architecture, recipe=Recipe(**{**usual, **recipe}), data=data, seed=3, fingerprint=held.fingerprint
    )
    made = Trainer(spec, held)
    made.run_epoch()
    return made


def renamed(made: Trainer, *names: str) -> Trainer:
    """Return it with other names for its first classes."""
    data: Dataset = replace(made.data, class_names=(*names, *made.data.class_names[len(names) :]))
    made.data = data
    return made


def card(made: Trainer, **changes: Any) -> Card:
    """Return what is told of a network."""
    usual: dict[str, Any] = {
        "study": "digits-front",
        "trial": 18,
        "state": "complete",
        "epochs": made.epoch,
        "full_epochs": made.spec.recipe.epochs,
        "network": {"digest": made.spec.architecture.digest},
        "costs": cost(made.spec.architecture, made.data.image).to_json(),
        "recipe": made.spec.recipe.to_json(),
        "numerics": made.numerics.name,
        "seed": made.spec.seed,
        "data": {"title": "digits", "fingerprint": made.spec.fingerprint},
        "measured": made.history[-1].metrics,
        "machines": [{"device": "a processor", "torch": torch.__version__}],
        "versions": versions(),
    }
    return Card(**{**usual, **changes})
