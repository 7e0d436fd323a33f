"""Read the data sets of torchvision that hold their images as one array: TORCHVISION names them."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.augment import Augment
from workers.images import Labelled, as_nchw


def read_torchvision(dataset: str, root: Path, *, train: bool) -> Labelled:
    """Return the training or the test part; a data set that is missing is downloaded to the root.

    Raises:
        InputError: it is neither there nor can it be downloaded.
    """
    from torchvision import datasets  # here, since it takes seconds and most studies do without

    return held(getattr(datasets, dataset), root, train=train)


def held(kind: Callable[..., Any], root: Path, *, train: bool) -> Labelled:
    """Return what a class of torchvision's kind holds: `data`, and `targets` or `labels`."""
    split: dict[str, Any] = {"split": "train" if train else "test"}
    split = {"train": train} if "train" in inspect.signature(kind).parameters else split
    try:
        root.mkdir(parents=True, exist_ok=True)
        opened = _opened(kind, root, split)
    except Exception as error:  # of a damaged file torchvision raises whatever comes of it
        why = (str(error).partition("\n")[0] or type(error).__name__).rstrip(" .:")
        raise InputError(
            f"cannot be read from {root} nor downloaded to it ({why}); where there is a network, "
            f"run torchvision.datasets.{kind.__name__}('data', download=True), and copy the folder data"
        ) from error
    labels = np.asarray(opened.targets if hasattr(opened, "targets") else opened.labels, dtype=np.int64)
    names = getattr(opened, "classes", None) or range(int(labels.max()) + 1)
    images: NDArray[np.uint8] = np.asarray(opened.data)
    return Labelled(images=np.ascontiguousarray(as_nchw(images)), labels=labels, class_names=tuple(map(str, names)))


def _opened(kind: Callable[..., Any], root: Path, split: dict[str, Any]) -> Any:
    if not os.access(root, os.W_OK):
        return kind(root, download=False, **split)
    with FileLock(root / ".widefront.lock"):  # or the workers of a new node would write the same file at once
        return kind(root, download=True, **split)


# Shifts of up to an eighth of the side, as is usual for CIFAR; mirrored only where a mirrored thing stays that thing.
TORCHVISION: dict[str, Augment] = {
    "CIFAR10": Augment(crop=4, flip=True),
    "CIFAR100": Augment(crop=4, flip=True),
    "FashionMNIST": Augment(crop=2, flip=True),
    "KMNIST": Augment(crop=2),
    "MNIST": Augment(crop=2),
    "STL10": Augment(crop=12, flip=True),
    "SVHN": Augment(crop=4),
    "USPS": Augment(crop=1),
}

IMAGES: dict[str, ImageSpec] = {  # what they hold, known before they are here
    "CIFAR10": ImageSpec(channels=3, height=32, width=32, classes=10),
    "CIFAR100": ImageSpec(channels=3, height=32, width=32, classes=100),
    "FashionMNIST": ImageSpec(channels=1, height=28, width=28, classes=10),
    "KMNIST": ImageSpec(channels=1, height=28, width=28, classes=10),
    "MNIST": ImageSpec(channels=1, height=28, width=28, classes=10),
    "STL10": ImageSpec(channels=3, height=96, width=96, classes=10),
    "SVHN": ImageSpec(channels=3, height=32, width=32, classes=10),
    "USPS": ImageSpec(channels=1, height=16, width=16, classes=10),
}
