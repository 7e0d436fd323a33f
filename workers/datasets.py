"""A data set whole on one device, split into what trials train on and what they are measured on.

The test split is read by `load_test` and by nothing else.
"""

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.augment import Augment
from workers.images import Labelled, Pixels, blocks
from workers.preprocess import Preprocess
from workers.sources import DATASETS, DataSpec
from workers.splits import Indices, fold, sample, split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Images as uint8 `n c h w` and labels as int64 `n`, and what is needed to normalise and change them."""

    name: str
    train_images: Tensor
    train_labels: Tensor
    val_images: Tensor
    val_labels: Tensor
    mean: Tensor  # c; of the training images on a scale of 0 to 1
    std: Tensor  # c; 1 where a channel is constant
    class_names: tuple[str, ...]
    augment: Augment
    notes: tuple[str, ...] = ()  # what was understood, such as the scale of floats
    warnings: tuple[str, ...] = ()  # what was not read
    white: float | None = None  # in pictures of grey of 16 bits
    scale: float | None = None  # the value that is white in arrays, where it is not 255

    @property
    def classes(self) -> int:
        """Return how many classes there are."""
        return len(self.class_names)

    @property
    def image(self) -> ImageSpec:
        """Return what a network for this data reads and tells apart."""
        _, c, h, w = self.train_images.shape
        return ImageSpec(channels=c, height=h, width=w, classes=self.classes)

    @property
    def preprocess(self) -> Preprocess:
        """Return what a picture goes through before a network for this data reads it."""
        return Preprocess(
            channels=self.image.channels,
            height=self.image.height,
            width=self.image.width,
            mean=tuple(self.mean.tolist()),
            deviation=tuple(self.std.tolist()),
            class_names=self.class_names,
            white=self.white,
            scale=self.scale,
        )

    @property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change with any image or label that trials train on or are measured on."""
        digest = hashlib.sha256()
        for part in (self.train_images, self.train_labels, self.val_images, self.val_labels):
            digest.update(f"{tuple(part.shape)}".encode())
            digest.update(part.cpu().numpy().data)
        return digest.hexdigest()[:16]

    def to(self, device: torch.device | str) -> "Dataset":
        """Return the same data on the device."""
        held = {item.name: getattr(self, item.name) for item in fields(self)}
        moved: dict[str, Any] = {name: part.to(device) for name, part in held.items() if isinstance(part, Tensor)}
        return replace(self, **moved)


def load(spec: DataSpec) -> Dataset:
    """Read the training images and split them; the test split is not looked at.

    Raises:
        InputError: the data cannot be read, or are too few or too small for what the specification asks.
    """
    pool = _pool(spec)
    train, val = _parts(spec, pool)
    _check_augment(spec, pool.images)
    mean, std = _moments(pool.images[train])
    return Dataset(
        name=spec.title,
        train_images=torch.from_numpy(pool.images[train]),
        train_labels=torch.from_numpy(pool.labels[train]),
        val_images=torch.from_numpy(pool.images[val]),
        val_labels=torch.from_numpy(pool.labels[val]),
        mean=torch.from_numpy(mean),
        std=torch.from_numpy(std),
        class_names=pool.class_names,
        augment=spec.augmentation,
        notes=(*pool.notes, *([f"{pool.validation:,} images set apart for validation"] if pool.validation else [])),
        warnings=pool.warnings,
        white=pool.white,
        scale=pool.scale,
    )


def load_test(spec: DataSpec) -> tuple[Tensor, Tensor]:
    """Return the test split: images as uint8 `n c h w`, labels as int64 `n`.

    Raises:
        InputError: the data have none, or it cannot be read.
    """
    if spec.test is None:
        part = _read(spec, False)
        return torch.tensor(part.images), torch.tensor(part.labels)
    pool = _read(spec, True)
    _, aside = _apart(spec, pool)
    return torch.tensor(pool.images[aside]), torch.tensor(pool.labels[aside])


def _pool(spec: DataSpec) -> Labelled:
    """Return the images that are not set apart for a test."""
    if spec.test is None:
        return _read(spec, True)
    _refuse_second_test(spec)
    pool = _read(spec, True)
    kept, _ = _apart(spec, pool)
    return replace(pool, images=pool.images[kept], labels=pool.labels[kept])


def _apart(spec: DataSpec, pool: Labelled) -> tuple[Indices, Indices]:
    """Return the images that stay and those of the test split; a person's own validation part, at the end, stays."""
    free = len(pool.labels) - pool.validation
    kept, aside = split(pool.labels[:free], spec.test or 0.0, spec.split_seed)
    if len(aside) == 0:
        raise InputError("no class has the 2 images that a test split needs", place=spec.title)
    return np.concatenate([kept, np.arange(free, len(pool.labels))]), aside


def _refuse_second_test(spec: DataSpec) -> None:
    """Refuse to set a test split apart where there is one: nobody would know which is meant."""
    if DATASETS[spec.name].has_test(spec):
        raise InputError(f"{spec.title} has a test split of its own: nothing need be set apart", place="test")


def _read(spec: DataSpec, train: bool) -> Labelled:
    try:
        return DATASETS[spec.name].read(spec, train)
    except InputError as error:
        if error.place:
            raise
        raise error.at(spec.title) from error


def _check_augment(spec: DataSpec, images: Pixels) -> None:
    try:
        spec.augmentation.check(*images.shape[2:])
    except InputError as error:
        raise error.at("augment") from error


def _parts(spec: DataSpec, pool: Labelled) -> tuple[Indices, Indices]:
    """Return the images to train on and those to be measured on: a person's own part, or one that is split off."""
    if spec.whole:
        return np.arange(len(pool.labels)), np.arange(0)
    if spec.fold is not None:
        train, val = fold(pool.labels, *spec.fold, spec.split_seed)
    elif pool.validation:
        every = np.arange(len(pool.labels))
        train, val = every[: -pool.validation], every[-pool.validation :]
    else:
        train, val = split(pool.labels, spec.validation, spec.split_seed)
    if len(val) == 0:
        raise InputError("no class has the 2 images that a validation split needs", place=spec.title)
    if spec.limit is None:
        return train, val
    try:
        return train[sample(pool.labels[train], spec.limit, spec.split_seed)], val
    except InputError as error:
        raise error.at("limit") from error


def _moments(images: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each channel's mean and standard deviation on a scale of 0 to 1, from exact counts of the 256 values."""
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for block in blocks(images.shape):  # bincount widens bytes eightfold
        for channel in range(images.shape[1]):
            counts[channel] += np.bincount(images[block, channel].ravel(), minlength=256)
    levels, shares = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    std = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))
    return mean.astype(np.float32), np.where(std > 0, std, 1).astype(np.float32)
