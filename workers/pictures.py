"""Read a folder of pictures, one folder inside it for each class. Speaks Pillow."""

import ctypes
import logging
import math
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError, _imaging

from spaces.errors import InputError, first_line, visible
from workers.images import DEEP, VALIDATION, Labelled, Pixels, as_bytes, check_room, whole_scale
from workers.labels import alike

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")  # Pillow's names; of others, one starts a program to read it
MOST_PIXELS = 2**26  # of a picture: 8192 x 8192, of which a WebP takes 1.4 GB while it is read, and others half of that
MOST_SCANS = 200  # of a progressive JPEG; 10 are usual
MOST_LINES = 10  # of what is not read: a folder of `.1`, `.2` and so on has as many suffixes as files
SIDE = 32  # pixels; of pictures that differ in size
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, of as many channels
_GREY = ("1", "L", "LA", "La")  # Pillow's modes
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # grey of 16 bits; the last is what older files of it are read as
_SIXTEEN = ";16"  # in the name of how Pillow unpacks 16 bits a channel
_ORIENTATION = 0x0112  # of EXIF
_UPRIGHT = {  # what brings each orientation upright
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange height and width
_SAMPLES = 277  # TIFF's tag of how many bands a picture has
_TILE = (322, 323)  # TIFF's tags of the width and height of a tile, which is read as a whole
_SCAN = b"\xff\xda"  # begins a scan of a JPEG, and stands nowhere inside one
_NO_PICTURE = "they cannot be read as pictures"
_TOO_LARGE = f"they have more than {MOST_PIXELS:,} pixels"

# What is odd about a picture is counted here, so nothing of it is printed: not by Pillow's log, nor by libtiff.
logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
with suppress(OSError, AttributeError):  # where it is linked so that it cannot be reached, it prints
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(ctypes.c_void_p(None))


@dataclass(slots=True)
class _Seen:
    """Count what is not read, and remember the first of each kind; of 16 bits, count also what is read."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, Path] = field(default_factory=dict)
    deep: int = 0
    wide: int = 0
    brightest: int = 0  # of 255, in what is wide
    partly: dict[str, list[Path]] = field(default_factory=dict)  # what is read of pictures, and of which

    def read(self, picture: "_Picture", pixels: Pixels) -> None:
        self.deep += picture.deep
        if picture.part:
            self.partly.setdefault(picture.part, []).append(picture.path)
        if picture.wide:
            self.wide, self.brightest = self.wide + 1, max(self.brightest, int(pixels.max()))

    def dim(self) -> list[str]:
        """Return a line where all there is may lie in the lower 8 of 16 bits a colour, which Pillow does not read."""
        if not self.wide or self.brightest > 127:
            return []
        return [
            f"colours of 16 bits (in {self.wide:,} of the pictures) reach {self.brightest} of 255, as only their upper "
            "8 bits are read; where white is below 65535, save them in 8 bits"
        ]

    def parts(self, root: Path) -> list[str]:
        """Return a line for pictures of which only a part is read."""
        return [
            visible(f"{len(paths):,} of the pictures are read in part: {part} ({paths[0].relative_to(root)}); an npz "
                    "archive holds any number of channels")
            for part, paths in list(self.partly.items())[:MOST_LINES]
        ]  # fmt: skip

    def over(self, why: str, path: Path) -> None:
        if why not in self.counts and len(self.counts) >= MOST_LINES - 1:
            why = "for other reasons"
        self.counts[why] = self.counts.get(why, 0) + 1
        self.first.setdefault(why, path)

    def lines(self, root: Path) -> list[str]:
        return [
            visible(
                f"{count:,} {'file is' if count == 1 else 'files are'} not read: {why} "
                f"({self.first[why].relative_to(root)}{' and others' if count > 1 else ''})"
            )
            for why, count in self.counts.items()
        ]


@dataclass(frozen=True, slots=True)
class _Picture:
    path: Path
    grey: bool
    deep: bool  # of 16 bits, and grey
    wide: bool  # of 16 bits, and in colour
    size: tuple[int, int]  # h w
    part: str = ""  # what is read of it, where that is not all


@dataclass(frozen=True, slots=True)
class _Form:
    """What all pictures are brought to."""

    channels: int  # a key of MODES
    size: tuple[int, int]  # h w
    white: float  # the value that stands for it in what is deep

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return c h w."""
        return (self.channels, *self.size)


def read_folder(
    root: Path,
    size: tuple[int, int] | None,
    *,
    train: bool,
    scale: float | None = None,
    channels: int | None = None,
) -> Labelled:
    """Return the pictures of `root/class/`, or of `root/train/class/` and the like where those exist.

    Beside `train` a folder `val`, `valid` or `validation` is the validation part and `test` the test part. Pictures are
    stretched to `size` (h w); without it they keep the size they all share, or become 32x32. They have one channel
    where every training picture is grey, else three, unless `channels` says 1, 3 or 4; transparency is the fourth, and
    else dropped; EXIF rotation is followed. What is not read is counted, with the first of each kind. In grey of 16
    bits `scale` is white; without it, that is told from the training pictures.

    Raises:
        InputError: a folder is missing or empty, a class has fewer than 2 pictures that can be read, or the scale of 16
            bits cannot be told.
    """
    passed = _Seen()
    parted = _is_folder(root / "train") and any(_folders(root / "train"))
    pictures = _pictures(root / "train" if parted else root, passed, at_least=2)
    names = tuple(pictures)
    other = _part(root, VALIDATION if train else ("test",), names, passed) if parted else None
    if not train and other is None:
        raise InputError("has no test split; it takes the folders train and test", place=str(root))
    form = _form([_every(pictures), _every(other or {})], size, scale, channels, root)
    parts = [part for part in (pictures if train else None, other) if part is not None]
    _room(parts, form.shape, root)
    return _labelled(parts, names, form, passed, root)


def _every(part: Mapping[str, Sequence[_Picture]]) -> list[_Picture]:
    return [picture for members in part.values() for picture in members]


def _form(
    parts: Sequence[Sequence[_Picture]],
    size: tuple[int, int] | None,
    scale: float | None,
    channels: int | None,
    root: Path,
) -> _Form:
    """Return what the training pictures, which are the first part, ask for."""
    white = _white(parts, scale, root)
    if channels is None:
        channels = 3 if any(not picture.grey and _can_be_read(picture, white) for picture in parts[0]) else 1
    return _Form(channels, size or _shared_size(parts[0], white), white)


def _white(parts: Sequence[Sequence[_Picture]], scale: float | None, root: Path) -> float:
    """Return the value that stands for white in grey of 16 bits, told by the first part that has such pictures.

    Raises:
        InputError: it cannot be told, or was given where there is no such picture.
    """
    deep = next((found for part in parts if (found := [picture for picture in part if picture.deep])), [])
    if scale is not None:
        if not deep:
            raise InputError("scale is that of grey of 16 bits, and no picture is of that kind", place=str(root))
        return scale
    try:
        return whole_scale(*_range(deep), "grey of 16 bits")
    except InputError as error:
        raise error.at(str(root)) from error


def _range(deep: Iterable[_Picture]) -> tuple[int, int]:
    """Return the least and the greatest value of pictures; those of 32 bits alone that 16 do not hold have no say."""
    within: list[tuple[int, int]] = [(0, 0)]
    beyond: list[tuple[int, int]] = []
    for ends in filter(None, (_ends(picture.path) for picture in deep)):
        (within if ends[0] >= 0 and ends[1] <= DEEP else beyond).append(ends)
        if within[-1][1] > DEEP // 2:  # one of them tells it
            break
    every = within if len(within) > 1 or not beyond else beyond
    return min(low for low, _ in every), max(high for _, high in every)


def _ends(path: Path) -> tuple[int, int] | None:
    """Return the least and the greatest value of a picture, or None where it is broken."""
    try:
        with _opened(path) as picture:
            values = np.asarray(picture)
            return int(values.min()), int(values.max())
    except Exception:  # as `_opened` says; counted by what reads it
        return None


def _labelled(
    parts: Sequence[Mapping[str, Sequence[_Picture]]],
    names: tuple[str, ...],
    form: _Form,
    passed: _Seen,
    root: Path,
) -> Labelled:
    most = sum(len(members) for part in parts for members in part.values())
    images = np.empty((most, *form.shape), dtype=np.uint8)
    labels = np.empty(most, dtype=np.int64)
    read, ends = 0, []
    for part in parts:
        for name, members in part.items():
            before = read
            for picture in members:
                pixels = _pixels(picture, form, passed)
                if pixels is not None:
                    images[read], labels[read] = pixels, names.index(name)
                    read += 1
            if read == before:
                raise InputError(f"none of its {len(members)} pictures can be read", place=str(members[0].path.parent))
        ends.append(read)
    return Labelled(
        images=images[:read],
        labels=labels[:read],
        class_names=names,
        validation=ends[1] - ends[0] if len(ends) > 1 else 0,
        notes=(f"grey of 16 bits from 0 to {form.white:.10g}",) if passed.deep else (),
        warnings=(*passed.lines(root), *passed.dim(), *passed.parts(root), *alike(names)),
        white=form.white if passed.deep else None,
    )


def _can_be_read(picture: _Picture, white: float) -> bool:
    return _pixels(picture, _Form(3, (1, 1), white), _Seen()) is not None


def _shared_size(pictures: Sequence[_Picture], white: float) -> tuple[int, int]:
    """Return the size of all pictures where they share one; a broken one, whose header says anything, has no say."""
    first = next((picture.size for picture in pictures if _can_be_read(picture, white)), (SIDE, SIDE))
    return (SIDE, SIDE) if any(each.size != first and _can_be_read(each, white) for each in pictures) else first


def _room(parts: Sequence[Mapping[str, Sequence[_Picture]]], shape: tuple[int, ...], root: Path) -> None:
    """Refuse pictures that would take more memory than there is."""
    count = sum(len(_every(part)) for part in parts)
    try:
        check_room(count * math.prod(shape), 1, f"{count:,} images of {'x'.join(map(str, shape))}")
    except InputError as error:
        raise InputError(f"{error.message}; a smaller `size` is required", place=str(root)) from error


def _folders(root: Path) -> list[Path]:
    return [path for path in _inside(root) if _is_folder(path) and not path.name.startswith(".")]


def _pictures(root: Path, passed: _Seen, *, at_least: int) -> dict[str, Sequence[_Picture]]:
    """Return each class's pictures, both in the order of their names."""
    if not _is_folder(root):
        raise InputError("is not a folder; a folder of one folder for each class is required", place=str(root))
    found: dict[str, Sequence[_Picture]] = {}
    for folder in _folders(root):
        looked = [_look(path, passed) for path in _candidates(folder, passed)]
        files = [picture for picture in looked if picture is not None]
        if len(files) < at_least:
            raise InputError(f"holds {len(files)} pictures ({', '.join(SUFFIXES)}), not {at_least}", place=str(folder))
        found[folder.name] = files
    if not found:
        raise InputError("holds no folder; one for each class is required", place=str(root))
    return found


def _candidates(folder: Path, passed: _Seen) -> list[Path]:
    """Return the files of a class that may be pictures, and count what else lies there, deeper folders included."""
    files = []
    for path in _inside(folder):
        if path.name.startswith("."):
            continue
        if _is_folder(path):
            for inner in sorted(_below(path)):
                passed.over("they lie in a folder inside a class's", inner)
        elif path.suffix.lower() not in SUFFIXES:
            passed.over(f"{path.suffix or 'no suffix'} is none of {', '.join(SUFFIXES)}", path)
        elif not _is_file(path):
            passed.over("they are no files", path)
        else:
            files.append(path)
    return files


def _inside(folder: Path) -> list[Path]:
    """Return what lies in a folder, in the order of the names.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or first_line(error)}", place=str(folder)) from error


def _below(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder however deep; links to folders are not followed, as they may lead in a circle."""
    rest = [folder]
    while rest:
        with suppress(OSError), os.scandir(rest.pop()) as inside:
            for each in inside:
                if each.is_dir(follow_symlinks=False):
                    rest.append(Path(each.path))
                elif _is_file(path := Path(each.path)):
                    yield path


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder; os.path says no where nothing can be known, and pathlib may raise."""
    return os.path.isdir(path)  # noqa: PTH112


def _is_file(path: Path) -> bool:
    """Whether a path is an ordinary file: to open a pipe would be to wait for ever."""
    return os.path.isfile(path)  # noqa: PTH113


def _part(
    root: Path, called: Iterable[str], names: Sequence[str], passed: _Seen
) -> dict[str, Sequence[_Picture]] | None:
    """Return the pictures of the part that has one of some names, or None where there is none."""
    folder = next((root / name for name in called if _is_folder(root / name)), None)
    if folder is None:
        return None
    files = _pictures(folder, passed, at_least=1)
    unknown = sorted(set(files) - set(names))
    if unknown:
        raise InputError(f"class {unknown[0]!r} is not among the training pictures", place=str(folder))
    return files


def _orientation(picture: Image.Image) -> int:
    """Return a picture's EXIF orientation; tags that nobody can read say nothing."""
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow has no one error for a damaged tag: struct.error, TypeError and others are seen
        return 1


class _TooLarge(Exception):
    """Raised where a picture's header asks for more memory than one picture is given."""


class _Beyond(Exception):
    """Raised where a picture holds numbers of 32 bits that are no greys."""


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture without decoding it.

    Raises:
        _TooLarge: as its header says.
        Exception: whatever Pillow raises for a broken file, of which it has no one kind.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=FORMATS) as picture:
            tags = getattr(picture, "tag_v2", {})
            tile = [side for tag in _TILE if isinstance(side := tags.get(tag, 1), int)]
            if max(picture.width * picture.height, math.prod(tile)) > MOST_PIXELS:
                raise _TooLarge
            if picture.info.get("progressive") and path.read_bytes().count(_SCAN) > MOST_SCANS:
                raise UnidentifiedImageError  # each of them goes over the whole picture again
            yield picture


def _look(path: Path, passed: _Seen) -> _Picture | None:
    """Return whether a picture is grey, and its size, from its header; what is none is counted."""
    try:
        with _opened(path) as picture:
            (w, h), tiles = picture.size, getattr(picture, "tile", "")  # of which none is left once EXIF is read
            if picture.mode == "F":
                passed.over("their pixels are floats, whose scale nobody knows", path)
                return None
            deep = picture.mode in _DEEP
            wide = not deep and _SIXTEEN in str(tiles)
            size = (w, h) if _orientation(picture) in _SIDEWAYS else (h, w)
            return _Picture(path, deep or picture.mode in _GREY, deep, wide, size, _part_read(picture))
    except (_TooLarge, Image.DecompressionBombError):
        passed.over(_TOO_LARGE, path)
    except Exception:  # as `_opened` says
        passed.over(_NO_PICTURE, path)
    return None


def _part_read(picture: Image.Image) -> str:
    """Return what is read of a TIFF that has more bands than Pillow reads, or more pages than one."""
    tags = getattr(picture, "tag_v2", None)
    bands, samples = len(picture.getbands()), tags.get(_SAMPLES, 1) if tags else 1
    if isinstance(samples, int) and samples > bands:
        return f"{bands} of {samples} bands"
    return "the first page" if getattr(tags, "next", 0) else ""


def _pixels(read: _Picture, form: _Form, passed: _Seen) -> Pixels | None:
    """Return `c h w`, or None where the picture turns out broken, which is counted.

    Raises:
        InputError: a grey of 16 bits is beyond white.
    """
    mode, (h, w) = MODES[form.channels], form.size
    try:
        with _opened(read.path) as picture:
            upright = _eight_bits(picture, form.white, mode)
            if (turn := _UPRIGHT.get(_orientation(picture))) is not None:
                upright = upright.transpose(turn)
            upright = upright if upright.mode == mode else upright.convert(mode)
            pixels = np.stack([_stretched(band, w, h) for band in upright.split()])
    except _Beyond:
        passed.over(f"their greys are of 32 bits and beyond 0 to {form.white:.10g}", read.path)
        return None
    except InputError as error:
        raise error.at(str(read.path)) from error
    except Exception:  # as `_opened` says
        passed.over(_NO_PICTURE, read.path)
        return None
    passed.read(read, pixels)
    return pixels


def _stretched(band: Image.Image, w: int, h: int) -> Pixels:
    """Return one band `h w`, alone: with transparency as a fourth, Pillow would darken colours by it."""
    return np.asarray(band.resize((w, h), Image.Resampling.BILINEAR))


def _eight_bits(picture: Image.Image, white: float, mode: str) -> Image.Image:
    """Return a picture of at most 8 bits a channel: Pillow would clip deeper greys to white."""
    if picture.mode in _DEEP:
        values = np.asarray(picture)
        if picture.mode == "I" and (values.min() < 0 or values.max() > white):  # a damaged one may hold anything
            raise _Beyond
        return Image.fromarray(as_bytes(values, white))
    return picture.convert("RGB" if mode == "L" else mode) if picture.mode in ("P", "PA") else picture
