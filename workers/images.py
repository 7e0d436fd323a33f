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

VALIDATION = ("val", "valid", "validation")  # what the part to be measured on is called, where a person made one
OVERSHOOT = 1e-3  # of white, by which floats may be beyond it: arithmetic rounds
DEEP = 65_535  # white of 16 bits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Hold images `n c h w`, the class of each, and the classes' names.

    Raises:
        InputError: there is no image, or images, labels and classes do not fit together.
    """

    images: Pixels
    labels: Labels
    class_names: tuple[str, ...]
    validation: int = 0  # of the images, at their end, that the person set apart to be measured on
    notes: tuple[str, ...] = ()  # what was understood, such as the scale of floats
    warnings: tuple[str, ...] = ()  # what was not read

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


def read_npz(path: Path, *, train: bool, scale: float | None = None) -> Labelled:
    """Return `images` and `labels` of an archive, or its `test_images` and `test_labels`.

    Arrays named `val_images` and `val_labels` are the validation part. Labels number the classes from 0 without a gap.

    Args:
        path: of the archive.
        train: else the test part.
        scale: the value that stands for white; without it, it is told from the type and range of the training images.
    """
    try:
        with path.open("rb") as file:  # numpy leaves a broken archive open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, NpzFile):
                raise InputError("is a single array, not an npz archive")
            return _archived(archive, train, scale)
    except InputError as error:
        raise error.at(str(path)) from error
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise unreadable(path, error) from error


def _archived(archive: Mapping[str, NDArray[Any]], train: bool, asked: float | None) -> Labelled:
    images, labels = _entry(archive, "images"), _labels(archive, "labels")
    scale, names = asked or _scale(images), _numbered(labels)
    notes = () if images.dtype == np.uint8 else (f"{images.dtype} from 0 to {scale:g}",)
    if not train:
        tested, of = _beside(archive, "test", images, scale)
        return Labelled(images=tested, labels=of, class_names=names, notes=notes)
    own = _as_bytes(images, scale, "images")
    part = next((name for name in VALIDATION if f"{name}_images" in archive), None)
    if part is None:
        return Labelled(images=own, labels=labels, class_names=names, notes=notes)
    measured, of = _beside(archive, part, images, scale)
    return Labelled(images=np.concatenate([own, measured]), labels=np.concatenate([labels, of]), class_names=names,
                    validation=len(of), notes=notes)  # fmt: skip


def _beside(
    archive: Mapping[str, NDArray[Any]], part: str, images: NDArray[Any], scale: float
) -> tuple[Pixels, Labels]:
    """Return another part's images, of the same shape as the training images, and its labels."""
    found = _as_bytes(_entry(archive, f"{part}_images"), scale, f"{part}_images")
    if found.shape[1:] != as_nchw(images).shape[1:]:
        given, required = ("x".join(map(str, each.shape[1:])) for each in (found, as_nchw(images)))
        raise InputError(f"{part} images are {given}, not {required}", place=f"{part}_images")
    return found, _labels(archive, f"{part}_labels")


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


def _scale(images: NDArray[Any]) -> float:
    """Return the value that stands for white, where type and range tell it.

    Raises:
        InputError: they do not.
    """
    if images.dtype == np.uint8 or images.dtype.kind not in "fiub" or images.size == 0:
        return 255
    high = float(images.max())
    if not math.isfinite(high):
        return 255  # refused by what reads them
    if images.dtype.kind == "b" or (images.dtype.kind == "f" and high <= 1 + OVERSHOOT):
        return 1
    if high <= 255 * (1 + OVERSHOOT) and (high > 127 or bool((images == np.rint(images)).all())):
        return 255  # whole numbers are kept as they are, whatever their white is
    if images.dtype == np.uint16:
        return DEEP
    raise InputError(
        f"{images.dtype} up to {high:g} is on no scale that can be told; say which value is white, such as "
        f"`scale: {high:g}`", place="images",
    )  # fmt: skip


def _as_bytes(images: NDArray[Any], scale: float, key: str) -> Pixels:
    if images.dtype.kind not in "fiub":
        raise InputError(f"{images.dtype} is neither whole numbers nor floats", place=key)
    if not np.isfinite(images).all():
        raise InputError("a pixel is not a finite number", place=key)
    low, high = images.min(initial=0), images.max(initial=0)
    if low < -OVERSHOOT * scale or high > scale * (1 + OVERSHOOT):
        raise InputError(f"pixels run from {low} to {high}, beyond 0 to {scale:g}", place=key)
    if images.dtype != np.uint8 or scale != 255:
        images = np.clip(np.rint(images.astype(np.float64) * (255 / scale)), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(as_nchw(images))
