"""Train a network by hand, in plain PyTorch: what both scripts have in common.

Networks are built by `spaces`; images, their split and their augmentation come from `workers`: so costs and accuracies
mean the same everywhere. How they are trained is Widefront's default recipe, as one writes it with torch alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spaces.architecture import Architecture
from spaces.counting import cost
from spaces.errors import InfeasibleArchitecture
from spaces.network import build
from spaces.space import SearchSpace
from workers.augment import Augment, augment
from workers.datasets import Dataset, load
from workers.sources import DataSpec


@dataclass(frozen=True)
class Task:
    """What space.yaml, or fashion.yaml beside this file, says of images and training."""

    data: DataSpec
    epochs: int = 9
    batch_size: int = 64
    widths: tuple[float, ...] = (0.125, 0.25, 0.5, 1, 2)
    deepest: int = 4
    most_params: int = 1_000_000


@dataclass(frozen=True)
class Images:
    """A data set in memory: normalised images `n c h w`, and labels `n`."""

    read: Dataset
    train: Tensor
    val: Tensor


def task(name: str, root: str | None = None) -> Task:
    """Return a task by its name: digits, or fashion."""
    if name == "digits":
        return Task(data=DataSpec(name="digits", validation=0.3))
    data = DataSpec(name="fashion-mnist", limit=5_000, validation=0.05, root=root)
    return Task(data=data, batch_size=128, widths=(0.125, 0.25, 0.5, 1), deepest=2)


def suggest(trial: Any, what: Task) -> dict[str, Any]:
    """Let an Optuna trial choose a network."""
    params = {
        "block": trial.suggest_categorical("block", ["basic", "bottleneck", "resnext", "preact"]),
        "depth": trial.suggest_int("depth", 1, what.deepest),
        "widening_factor": trial.suggest_categorical("widening_factor", what.widths),
    }
    if params["block"] == "resnext":
        params["cardinality"] = trial.suggest_categorical("cardinality", [2, 4, 8])
    params["dropout"] = trial.suggest_categorical("dropout", ["none", "between", "after", "shortcut", "head"])
    if params["dropout"] != "none":
        params["dropout_rate"] = trial.suggest_float("dropout_rate", 0.05, 0.5)
    return params


def network_of(params: dict[str, Any], what: Task, images: Images) -> tuple[Architecture, int]:
    """Return the network of chosen values and its multiply-accumulates.

    Raises:
        InfeasibleArchitecture: there is none, or it is too large.
    """
    architecture = SearchSpace(parameters=()).architecture(params)
    counted = cost(architecture, images.read.image)
    if counted.params > what.most_params:
        raise InfeasibleArchitecture(f"{counted.params} params are more than {what.most_params}")
    return architecture, counted.macs


def read(what: Task) -> Images:
    """Read the images and normalise them once."""
    data = load(what.data)
    mean, std = data.mean.view(1, -1, 1, 1), data.std.view(1, -1, 1, 1)
    train, val = (images.float().div(255).sub(mean).div(std) for images in (data.train_images, data.val_images))
    return Images(read=data, train=train, val=val)


def training(architecture: Architecture, what: Task, images: Images, seed: int) -> Iterator[nn.Module]:
    """Train a network and yield it after every epoch."""
    torch.manual_seed(seed)
    network = build(architecture, images.read.image, generator=torch.Generator().manual_seed(seed))
    steps = len(images.train) // what.batch_size
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=what.epochs * steps, pct_start=1 / what.epochs, cycle_momentum=False
    )
    generator, changes = torch.Generator().manual_seed(seed), images.read.augment != Augment()
    for _ in range(what.epochs):
        network.train()
        for chosen in torch.randperm(len(images.train), generator=generator).split(what.batch_size)[:steps]:
            batch = images.train[chosen]
            seen = augment(batch, images.read.augment, generator) if changes else batch
            loss = cross_entropy(network(seen), images.read.train_labels[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        yield network


@torch.inference_mode()
def accuracy(network: nn.Module, images: Images) -> float:
    """Return the share of the validation images that the network tells right."""
    network.eval()
    told = torch.cat([network(batch).argmax(dim=1) for batch in images.val.split(512)])
    return float((told == images.read.val_labels).double().mean())
