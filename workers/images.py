"""Read labelled images from files of arrays: IDX and npz. Speaks numpy; never torch.

Axes: `n` images, `c h w`; pixels are uint8. Every error names the file.
"""

import gzip
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from spaces.errors import InputError
from workers.splits import Labels

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Hold images `n c h w`, the class of each, and the classes' names.

    Raises:
        InputError: there is no image, or images, labels and classes do not fit together.
    """

    images: Pixels
    labels: Labels
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.images) == 0:
            raise InputError("there is no image")
        if len(self.images) != len(self.labels):
            raise InputError(f"{len(self.images)} images do not go with {len(self.labels)} labels")
        if self.labels.min() < 0 or self.labels.max() >= len(self.class_names):
            raise InputError(
                f"labels run from {self.labels.min()} to {self.labels.max()}; {len(self.class_names)} classes are "
                f"numbered 0 to {len(self.class_names) - 1}"
            )


def unreadable(path: Path, error: Exception) -> InputError:
    """Return the error that says in one line why a file cannot be read."""
    why = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
    return InputError(f"cannot be read: {why}", place=str(path))


def as_nchw(images: NDArray[Any]) -> NDArray[Any]:
    """Return `n h w`, `n h w c` or `n c h w` as `n c h w`; c is the only axis of 1 or 3 among the second and last."""
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4:
        second, last = (images.shape[axis] in (1, 3) for axis in (1, 3))
        if second != last:
            return images if second else images.transpose(0, 3, 1, 2)
    shape = " x ".join(map(str, images.shape))
    raise InputError(f"images of shape {shape} are not clearly n h w, n h w c or n c h w with 1 or 3 channels")


def read_idx(path: Path) -> Pixels:
    """Return the bytes of an IDX file, gzipped or not, in the shape its header gives.

    The format: two zero bytes, the type (8: unsigned bytes), the number of axes, each axis's length as a big-endian
    32-bit number, the values.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error
    if data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise InputError("is not an IDX file of bytes", place=str(path))
    start = 4 + 4 * data[3]
    shape = tuple(int(length) for length in np.frombuffer(data[4:start], dtype=">u4"))
    values = np.frombuffer(data, dtype=np.uint8, offset=start)
    if len(values) != math.prod(shape):
        raise InputError(f"holds {len(values)} values where its header says {math.prod(shape)}", place=str(path))
    return values.reshape(shape)


def read_npz(path: Path, *, train: bool) -> Labelled:
    """Return `images` and `labels` of an archive, or its `test_images` and `test_labels`.

    Whole numbers and floats are read on a scale of 0 to 255; floats on a scale of 0 to 1 where no training image goes
    above 1. Labels number the classes from 0 without a gap.
    """
    try:
        with path.open("rb") as file:  # numpy leaves a broken archive open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, NpzFile):
                raise InputError("is a single array, not an npz archive")
            return _archived(archive, train)
    except InputError as error:
        raise error.at(str(path)) from error
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise unreadable(path, error) from error


def _archived(archive: Mapping[str, NDArray[Any]], train: bool) -> Labelled:
    images, labels = _entry(archive, "images"), _labels(archive, "labels")
    scale, names = _scale(images), _numbered(labels)
    if train:
        return Labelled(images=_as_bytes(images, scale, "images"), labels=labels, class_names=names)
    tested = _as_bytes(_entry(archive, "test_images"), scale, "test_images")
    if tested.shape[1:] != as_nchw(images).shape[1:]:
        given, required = ("x".join(map(str, part.shape[1:])) for part in (tested, as_nchw(images)))
        raise InputError(f"test images are {given}, not {required}", place="test_images")
    return Labelled(images=tested, labels=_labels(archive, "test_labels"), class_names=names)


def _entry(archive: Mapping[str, NDArray[Any]], key: str) -> NDArray[Any]:
    if key not in archive:
        raise InputError(f"has no array {key!r}; it holds {', '.join(sorted(archive)) or 'nothing'}")
    return archive[key]


def _labels(archive: Mapping[str, NDArray[Any]], key: str) -> Labels:
    labels = _entry(archive, key)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(f"{labels.dtype} of {labels.ndim} axes is not one whole number for each image", place=key)
    return labels.astype(np.int64)


def _numbered(labels: Labels) -> tuple[str, ...]:
    """Return the classes' names, which are their numbers."""
    present = np.unique(labels)
    highest = int(present.max(initial=0))
    missing = np.setdiff1d(np.arange(min(highest, len(present) + 3)), present)  # a few of them; a label may be huge
    if len(missing):
        raise InputError(f"class {', '.join(map(str, missing))} of 0 to {highest} has no image", place="labels")
    return tuple(str(number) for number in range(highest + 1))


def _scale(images: NDArray[Any]) -> int:
    """Return the value that stands for white."""
    return 1 if images.dtype.kind == "f" and images.max(initial=0) <= 1 else 255


def _as_bytes(images: NDArray[Any], scale: int, key: str) -> Pixels:
    if images.dtype.kind not in "fiu":
        raise InputError(f"{images.dtype} is neither whole numbers nor floats", place=key)
    if not np.isfinite(images).all():
        raise InputError("a pixel is not a finite number", place=key)
    low, high = images.min(initial=0), images.max(initial=0)
    if low < 0 or high > scale:
        raise InputError(f"pixels run from {low} to {high}, beyond 0 to {scale}", place=key)
    if images.dtype != np.uint8:
        images = np.rint(images.astype(np.float64) * (255 / scale)).astype(np.uint8)
    return np.ascontiguousarray(as_nchw(images))
