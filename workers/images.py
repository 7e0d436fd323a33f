"""Read labelled images from files of arrays: IDX and npz. Speaks numpy; never torch.

Axes: `n` images, `c h w`; pixels are uint8. Every error names the file.
"""

import gzip
import math
import stat
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from spaces.errors import InputError, visible
from workers import labels as classes_of
from workers.memory import available
from workers.splits import Labels

Pixels = NDArray[np.uint8]

VALIDATION = ("val", "valid", "validation")  # what the part to be measured on is called, where a person made one
OVERSHOOT = 1e-3  # of white, by which floats may be beyond it: arithmetic rounds
DEEP = 65_535  # white of 16 bits
DEPTHS = (10, 12, 14, 15, 16)  # bits in which cameras and scanners count; int16 has 15 above 0
EXPANSION = 1_032  # times its file that deflate can hold at most: what says more is a lie
MOST_PIXELS = 100_000_000  # of one image and all its channels: what holds more is no picture
_BLOCK = 2**22  # pixels widened to 8 bytes at once, or those of one image
_MOST_BYTES = 2**62  # that can be addressed
_MOST_WORDS = 160  # characters of a library's own
MOST_CHANNELS = 64  # that are taken for channels where nobody says which axis holds them
ORDERS = ("first", "last")  # where channels stand: n c h w, n h w c
_SHOWN = 10  # names of an archive, or axes of an array
_MOST_AXES = 32  # that every numpy can hold
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # as numpy writes; others unpack in steps that have no bound
_NUMBERS = "fiub"  # numpy's kinds
_WORDED = ("labels", "label_names")  # how the names of arrays end that may hold words
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}  # a third is only for records
_ENCRYPTED = 1  # a zip's flag


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Images `n c h w`, the class of each, and the classes' names.

    Raises:
        InputError: there is no image, or images, labels and classes do not fit together.
    """

    images: Pixels
    labels: Labels
    class_names: tuple[str, ...]
    validation: int = 0  # of the images, at their end, that the person set apart to be measured on
    notes: tuple[str, ...] = ()  # what was understood, such as the scale of floats
    warnings: tuple[str, ...] = ()  # what was not read
    white: float | None = None  # the value that stands for it in grey of 16 bits, where there is such a picture
    scale: float | None = None  # the value that stands for white in arrays, where it is not 255

    def __post_init__(self) -> None:
        if len(self.images) == 0:
            raise InputError("there is no image")
        if 0 in self.images.shape:
            raise InputError(f"images of {'x'.join(map(str, self.images.shape[1:]))} have no pixel")
        if self.labels.ndim != 1:
            raise InputError(f"labels of shape {_by(self.labels.shape)} are not one for each image")
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
    why = visible(why)
    why = why if len(why) <= _MOST_WORDS else f"{why[:_MOST_WORDS]} ..."  # zipfile quotes what it should not
    return InputError(f"cannot be read: {why}", place=str(path))


def blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield the images of an array a few at a time: widened to 8 bytes all of them may be too many."""
    step = max(1, _BLOCK // max(1, math.prod(shape[1:])))
    yield from (slice(start, start + step) for start in range(0, shape[0], step))


def check_room(count: int, itemsize: int, what: str) -> None:
    """Refuse images that this machine has not the memory for, before they are read.

    Args:
        count: of their pixels.
        itemsize: the bytes of each as it is read; one more is taken by what is trained on.
        what: said of them.

    Raises:
        InputError: a line about what they would take and what there is.
    """
    size, left = count * (itemsize + 1), available()
    if size > left:
        raise InputError(f"not enough memory: {what} would take {size:,} bytes, and {left:,} are left")


def _check_packed(size: int, on_disk: int, what: str) -> None:
    """Refuse what no file of so many bytes can hold, before memory is taken for it."""
    if size > EXPANSION * on_disk:
        raise InputError(f"{what} is said to have {size:,} bytes, which {on_disk:,} bytes of file cannot hold")


def _ordinary(path: Path) -> int:
    """Return the bytes of a file; to open a pipe would be to wait for ever, and a device may have no end.

    Raises:
        InputError: it is no ordinary file.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # a name that cannot be
        raise unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"cannot be read: is {'a folder' if stat.S_ISDIR(found.st_mode) else 'no ordinary file'}",
                         place=str(path))  # fmt: skip
    return found.st_size


def as_nchw(images: NDArray[Any], order: str | None = None) -> NDArray[Any]:
    """Return `n h w`, `n h w c` or `n c h w` as `n c h w`.

    Args:
        images: to be returned so.
        order: `first` or `last`, of the channels; without it, as `_told_order` tells.

    Raises:
        InputError: they have other axes, or nothing tells which of them holds the channels.
    """
    if images.ndim == 3 and order is None:
        return images[:, None]
    if images.ndim == 4 and (found := order or _told_order(images.shape)):
        return images if found == "first" else images.transpose(0, 3, 1, 2)
    what = f"images of shape {_by(images.shape)}"
    if images.ndim == 3:
        raise InputError(f"{what} have no axis of channels: `channels: {order}` is not for them")
    asked = "; say `channels: first` or `channels: last`" if images.ndim == 4 else ""
    raise InputError(f"{what} are not clearly n h w, n h w c or n c h w{asked}")


def _told_order(shape: tuple[int, ...]) -> str | None:
    """Return which of the second and the last axis holds the channels, or None where nothing tells it.

    The only one of 1 or 3 does. Else it is the one that is shorter than two others of one length, as most images are
    square; or the only one of at most `MOST_CHANNELS`, where no square speaks against it.
    """
    sides = {"first": shape[1], "last": shape[3]}
    usual = [order for order, length in sides.items() if length in (1, 3)]
    if usual:
        return usual[0] if len(usual) == 1 else None
    square = {"first": shape[2] == shape[3], "last": shape[1] == shape[2]}
    few = [order for order, length in sides.items() if length <= MOST_CHANNELS]
    told = [order for order in few if square[order] and sides[order] < shape[2]]
    told = told or [order for order in few if len(few) == 1 and not any(square.values())]
    return told[0] if len(told) == 1 else None


def read_idx(path: Path) -> Pixels:
    """Return the bytes of an IDX file, gzipped or not, in the shape its header gives.

    The format: two zero bytes, the type (8: unsigned bytes), the number of axes, each axis's length as a big-endian
    32-bit number, the values.
    """
    on_disk = _ordinary(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _idx(file, on_disk)
    except InputError as error:
        raise error.at(str(path)) from error
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def _idx(file: gzip.GzipFile | IO[bytes], on_disk: int) -> Pixels:
    """Read no more than the header says, and that in steps."""
    start = file.read(4)
    lengths = file.read(4 * start[3]) if start[:3] == b"\0\0\x08" and len(start) == 4 else b""
    if len(start) < 4 or start[:3] != b"\0\0\x08" or len(lengths) < 4 * start[3] or start[3] > _MOST_AXES:
        raise InputError("is not an IDX file of bytes")
    shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
    count = math.prod(shape)
    _check_packed(count, on_disk, f"the array of shape {_by(shape)}")
    check_room(count, 1, f"the array of shape {_by(shape)}")
    data = file.read(count + 1)
    if len(data) != count:
        held = f"{len(data):,}" if len(data) < count else f"more than {count:,}"
        raise InputError(f"holds {held} values where its header says {count:,}")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def read_npz(path: Path, *, train: bool, scale: float | None = None, order: str | None = None) -> Labelled:
    """Return `images` and `labels` of an archive, or its `test_images` and `test_labels`.

    Arrays named `val_images` and `val_labels` are the validation part. Labels number the classes from 0 without a gap,
    and `label_names` may name them; or they are words, whose sorted order numbers them.

    Args:
        path: of the archive.
        train: else the test part.
        scale: the value that stands for white; without it, it is told from the type and range of the training images.
        order: `first` or `last`, of the channels; without it, it is told from the shape, or asked for.
    """
    on_disk = _ordinary(path)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of headers that an old one wrote
            return _archived(_Archive(file, on_disk), train, scale, order)
    except InputError as error:
        raise error.at(str(path)) from error
    except Exception as error:  # a broken archive raises errors of many kinds: zipfile's, zlib's, struct's, Unicode's
        raise unreadable(path, error) from error


class _Archive(Mapping[str, NDArray[Any]]):
    """Read an npz archive, whose every array says its type and size before it is unpacked.

    Raises:
        InputError: it is none, or holds what numbers of known size are not.
    """

    def __init__(self, file: IO[bytes], on_disk: int) -> None:
        if file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
            raise InputError("is a single array, not an npz archive")
        if not zipfile.is_zipfile(file):
            raise InputError("cannot be read: is not an npz archive")
        self._zip, self._on_disk = zipfile.ZipFile(file), on_disk
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            name = member.filename.removesuffix(".npy")
            if name in self._members:
                raise InputError("stands twice in the archive", place=name)
            self._members[name] = member

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def __getitem__(self, key: str) -> NDArray[Any]:
        member = self._members[key]
        try:
            self._check_member(member)
            with self._zip.open(member) as file:
                shape, dtype = _header(file)
                _check_header(shape, dtype, member.file_size - file.tell(), words=key.endswith(_WORDED))
                what, on_disk = f"{dtype} of shape {_by(shape)}", min(member.compress_size, self._on_disk)
                _check_packed(math.prod(shape) * dtype.itemsize, on_disk, what)
                check_room(math.prod(shape), dtype.itemsize, what)
            with self._zip.open(member) as file:
                array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        except InputError as error:
            raise error.at(key) from error
        return array.astype(dtype.newbyteorder("="), copy=False)

    def _check_member(self, member: zipfile.ZipInfo) -> None:
        if member.flag_bits & _ENCRYPTED:
            raise InputError("is encrypted")
        if member.compress_type not in _PACKED:
            raise InputError(f"is packed by method {member.compress_type}; np.savez and np.savez_compressed are read")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return what the beginning of an array says of its shape and type; nothing else of it is read."""
    try:
        version = npy.read_magic(file)
        shape, _, dtype = _READERS[version](file)
    except Exception as error:  # numpy evaluates it, and what it says may be wrong in any way
        raise InputError("is not an array that numpy wrote") from error
    return tuple(map(int, shape)), dtype


def _check_header(shape: tuple[int, ...], dtype: np.dtype[Any], held: int, *, words: bool) -> None:
    if dtype.hasobject:
        required = "whole numbers or text (`astype(str)`)" if words else "numbers"
        raise InputError(f"is an array of Python objects, of which none is read; {required} are required")
    if dtype.kind not in _NUMBERS + (classes_of.WORDS if words else ""):
        required = "whole numbers nor words" if words else "whole numbers nor floats"
        raise InputError(f"{_named(dtype)} is neither {required}")
    room = math.prod(max(length, 1) for length in shape) * dtype.itemsize  # of axes that are empty too
    if min(shape, default=0) < 0 or len(shape) > _MOST_AXES or room > _MOST_BYTES:
        raise InputError(f"has no possible shape: {_by(shape)}")
    size = math.prod(shape) * dtype.itemsize
    if size != held:
        raise InputError(f"its header says {size:,} bytes ({dtype} of shape {_by(shape)}), and the archive {held:,}")
    if (pixels := math.prod(shape[1:])) > MOST_PIXELS:
        raise InputError(f"has images of {pixels:,} numbers each ({_by(shape)}); at most {MOST_PIXELS:,} are read")


def _named(dtype: np.dtype[Any]) -> str:
    """Return a type in a few words, however many fields it has."""
    return "a record of fields" if dtype.names or dtype.subdtype else str(dtype)


def _by(shape: tuple[int, ...]) -> str:
    more = f" and {len(shape) - _SHOWN} more" if len(shape) > _SHOWN else ""
    return " x ".join(map(str, shape[:_SHOWN])) + more or "a single number"


def _archived(archive: Mapping[str, NDArray[Any]], train: bool, asked: float | None, order: str | None) -> Labelled:
    images, given = _entry(archive, "images"), _entry(archive, "labels")
    labels, names = classes_of.classes(given, archive.get("label_names"))
    words = names if classes_of.are_words(given) or "label_names" in archive else ()
    scale = asked or _told_scale(images)
    about: dict[str, Any] = {
        "class_names": names,
        "notes": _understood(images, scale, order),
        "warnings": (*classes_of.alike(words), *classes_of.missing(words)),
        "scale": None if scale == 255 else scale,
    }
    beside = _Beside(archive, _ordered(images, order, "images").shape[1:], scale, order, words)
    if not train:
        tested, of = beside.read("test")
        return Labelled(images=tested, labels=of, **about)
    own = _as_bytes(images, scale, "images", order)
    part = next((name for name in VALIDATION if f"{name}_images" in archive), None)
    if part is None:
        return Labelled(images=own, labels=labels, **about)
    measured, of = beside.read(part)
    return Labelled(images=np.concatenate([own, measured]), labels=np.concatenate([labels, of]), validation=len(of),
                    **about)  # fmt: skip


def _understood(images: NDArray[Any], scale: float, order: str | None) -> tuple[str, ...]:
    """Return what was told from the training images' type, range and shape."""
    told = [] if images.dtype == np.uint8 else [f"{images.dtype} from 0 to {scale:g}"]
    channels = _ordered(images, order, "images").shape[1]
    if channels not in (1, 3):
        axis = order or _told_order(images.shape)
        told.append(f"{channels} channels, on the {'second' if axis == 'first' else 'last'} of 4 axes")
    return tuple(told)


@dataclass(frozen=True, slots=True)
class _Beside:
    """Read what stands beside the training images, and is like them."""

    archive: Mapping[str, NDArray[Any]]
    shape: tuple[int, ...]  # c h w of the training images
    scale: float
    order: str | None
    words: tuple[str, ...]  # the classes' names, where they are words

    def read(self, part: str) -> tuple[Pixels, Labels]:
        """Return a part's images, of the same shape as the training images, and the numbers of its labels."""
        found = _as_bytes(_entry(self.archive, f"{part}_images"), self.scale, f"{part}_images", self.order)
        if found.shape[1:] != self.shape:
            given, required = ("x".join(map(str, each)) for each in (found.shape[1:], self.shape))
            raise InputError(f"{part} images are {given}, not {required}", place=f"{part}_images")
        labels = _entry(self.archive, f"{part}_labels")
        return found, classes_of.among(labels, self.words, place=f"{part}_labels")


def _entry(archive: Mapping[str, NDArray[Any]], key: str) -> NDArray[Any]:
    if key not in archive:
        raise InputError(f"has no array {key!r}; it holds {_listed(sorted(archive))}")
    return archive[key]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} others" if len(names) > _SHOWN else ""
    return (", ".join(name[:100] for name in names[:_SHOWN]) + more) or "nothing"


def _told_scale(images: NDArray[Any]) -> float:
    """Return the value that stands for white, where type and range tell it.

    Raises:
        InputError: they do not.
    """
    try:
        return _scale(images)
    except InputError as error:
        raise error.at("images") from error


def _scale(images: NDArray[Any]) -> float:
    if images.dtype == np.uint8 or images.dtype.kind not in _NUMBERS or images.size == 0:
        return 255
    if images.dtype.kind == "b":
        return 1
    if images.dtype.kind == "f":
        return _float_scale(images)
    return whole_scale(int(images.min()), int(images.max()), str(images.dtype))


def _float_scale(images: NDArray[Any]) -> float:
    high = float(images.max())
    if not math.isfinite(high):
        return 255  # refused by what reads them
    if high <= 1 + OVERSHOOT:
        return 1
    if high <= 255 * (1 + OVERSHOOT) and (high > 127 or _whole(images)):
        return 255
    raise _no_scale(str(images.dtype), high)


def whole_scale(low: int, high: int, what: str) -> float:
    """Return the value that stands for white among whole numbers: of 8 bits, or of 16 where they use more than half.

    Between the two lies what is of 10 to 15 bits, and what is dim in 16: nothing tells which.

    Args:
        low: the least of them.
        high: the greatest.
        what: said of them.

    Raises:
        InputError: their range does not tell it, or some are below 0.
    """
    if low < 0:
        raise InputError(f"{what} from {low} to {high} has pixels below 0, the value of black: add {-low} to all")
    if high <= 255:
        return 255  # kept as they are, whatever their white is
    if DEEP // 2 < high <= DEEP:
        return DEEP
    raise _no_scale(what, high)


def _no_scale(what: str, high: float) -> InputError:
    """Return the error that asks for the scale and names the likely ones."""
    bits = [each for each in DEPTHS if high <= 2**each - 1] if high > 255 and high == int(high) else []
    white = 2 ** bits[0] - 1 if bits else high
    kinds = [f" of {bits[0]} bits", *(f", {2**each - 1} of {each}" for each in bits[1:])] if bits else []
    return InputError(
        f"{what} up to {high:.10g} is on no scale that can be told; say which value is white, such as "
        f"`scale: {white:.10g}`{''.join(kinds)}"
    )


def _whole(images: NDArray[Any]) -> bool:
    rows = np.atleast_1d(images)
    return all(bool((rows[block] == np.rint(rows[block])).all()) for block in blocks(rows.shape))


def _ordered(images: NDArray[Any], order: str | None, key: str) -> NDArray[Any]:
    try:
        return as_nchw(images, order)
    except InputError as error:
        raise error.at(key) from error


def _as_bytes(images: NDArray[Any], scale: float, key: str, order: str | None) -> Pixels:
    if images.dtype.kind not in _NUMBERS:
        raise InputError(f"{images.dtype} is neither whole numbers nor floats", place=key)
    images = _ordered(images, order, key)
    try:
        return as_bytes(images, scale)
    except InputError as error:
        raise error.at(key) from error


def as_bytes(values: NDArray[Any], scale: float) -> Pixels:
    """Return numbers of any shape, from 0 to the scale, as bytes; a few rows at a time, as they are widened.

    Raises:
        InputError: one is not finite, or lies beyond.
    """
    made = np.empty(values.shape, dtype=np.uint8)
    for block in blocks(values.shape):
        made[block] = _scaled(values[block], scale)
    return made


def _scaled(values: NDArray[Any], scale: float) -> NDArray[Any]:
    if not np.isfinite(values).all():
        raise InputError("a pixel is not a finite number")
    low, high = values.min(initial=0), values.max(initial=0)
    if low < -OVERSHOOT * scale or high > scale * (1 + OVERSHOOT):
        raise InputError(f"pixels run from {low} to {high}, beyond 0 to {scale:g}")
    if values.dtype == np.uint8 and scale == 255:
        return values
    scaled = values.astype(np.float64)
    scaled *= 255 / scale
    return np.clip(np.rint(scaled, out=scaled), 0, 255, out=scaled)
