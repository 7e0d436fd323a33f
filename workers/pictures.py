"""Read a folder of pictures, one folder inside it for each class. Speaks Pillow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spaces.errors import InputError
from workers.images import VALIDATION, Labelled, Pixels

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif")
SIDE = 32  # pixels; of pictures that differ in size
_GREY = ("1", "L", "LA", "La")  # Pillow's modes
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # grey of 16 bits; the last is what older files of it are read as
_ORIENTATION = 0x0112  # of EXIF
_UPRIGHT = {  # what brings each orientation upright
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange height and width


@dataclass(slots=True)
class _Passed:
    """Count what is not read, and remember the first of each kind."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, Path] = field(default_factory=dict)

    def over(self, why: str, path: Path) -> None:
        self.counts[why] = self.counts.get(why, 0) + 1
        self.first.setdefault(why, path)

    def lines(self, root: Path) -> list[str]:
        return [
            f"{count:,} {'file is' if count == 1 else 'files are'} not read: {why} ({self.first[why].relative_to(root)}"
            f"{' and others' if count > 1 else ''})"
            for why, count in self.counts.items()
        ]


@dataclass(frozen=True, slots=True)
class _Picture:
    path: Path
    grey: bool
    size: tuple[int, int]  # h w


def read_folder(root: Path, size: tuple[int, int] | None, *, train: bool) -> Labelled:
    """Return the pictures of `root/class/`, or of `root/train/class/` and the like where those exist.

    Beside `train` a folder `val`, `valid` or `validation` is the validation part and `test` the test part. Pictures are
    stretched to `size` (h w); without it they keep the size they all share, or become 32x32. They have one channel
    where every training picture is grey, else three; transparency is dropped, and EXIF rotation followed. What is not
    read is counted, with the first of each kind.

    Raises:
        InputError: a folder is missing or empty, or a class has fewer than 2 pictures that can be read.
    """
    passed = _Passed()
    parted = (root / "train").is_dir() and any(_folders(root / "train"))
    pictures = _pictures(root / "train" if parted else root, passed, at_least=2)
    sizes = {picture.size for members in pictures.values() for picture in members}
    grey = all(picture.grey for members in pictures.values() for picture in members)
    shape = size or (next(iter(sizes)) if len(sizes) == 1 else (SIDE, SIDE))
    names = tuple(pictures)
    if not train:
        tested = _part(root, ("test",), names, passed) if parted else None
        if tested is None:
            raise InputError("has no test split; it takes the folders train and test", place=str(root))
        return _labelled([tested], names, grey, shape, passed, root)
    validation = _part(root, VALIDATION, names, passed) if parted else None
    return _labelled([pictures, *([validation] if validation else [])], names, grey, shape, passed, root)


def _labelled(
    parts: Sequence[Mapping[str, Sequence[_Picture]]],
    names: tuple[str, ...],
    grey: bool,
    shape: tuple[int, int],
    passed: _Passed,
    root: Path,
) -> Labelled:
    most = sum(len(members) for part in parts for members in part.values())
    images = np.empty((most, 1 if grey else 3, *shape), dtype=np.uint8)
    labels = np.empty(most, dtype=np.int64)
    read, ends = 0, []
    for part in parts:
        for name, members in part.items():
            before = read
            for picture in members:
                pixels = _pixels(picture.path, grey, shape, passed)
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
        warnings=tuple(passed.lines(root)),
    )


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(root: Path, passed: _Passed, *, at_least: int) -> dict[str, Sequence[_Picture]]:
    """Return each class's pictures, both in the order of their names."""
    if not root.is_dir():
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


def _candidates(folder: Path, passed: _Passed) -> list[Path]:
    """Return the files of a class that may be pictures, and count what else lies there, deeper folders included."""
    files = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file():
                    passed.over("they lie in a folder inside a class's", inner)
        elif path.suffix.lower() in SUFFIXES:
            files.append(path)
        else:
            passed.over(f"{path.suffix or 'no suffix'} is none of {', '.join(SUFFIXES)}", path)
    return files


def _part(
    root: Path, called: Iterable[str], names: Sequence[str], passed: _Passed
) -> dict[str, Sequence[_Picture]] | None:
    """Return the pictures of the part that has one of some names, or None where there is none."""
    folder = next((root / name for name in called if (root / name).is_dir()), None)
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


def _look(path: Path, passed: _Passed) -> _Picture | None:
    """Return whether a picture is grey, and its size, from its header alone; what is none is counted."""
    try:
        with Image.open(path) as picture:
            w, h = picture.size
            if picture.mode == "F":
                passed.over("their pixels are floats, whose scale nobody knows", path)
                return None
            grey = picture.mode in (*_GREY, *_DEEP)
            return _Picture(path, grey, (w, h) if _orientation(picture) in _SIDEWAYS else (h, w))
    except Exception:  # whatever Pillow raises for a broken file, of which it has no one kind
        passed.over("they cannot be read as pictures", path)
        return None


def _pixels(path: Path, grey: bool, size: tuple[int, int], passed: _Passed) -> Pixels | None:
    """Return `c h w`, or None where the picture turns out broken, which is counted."""
    try:
        with Image.open(path) as picture:
            upright = _eight_bits(picture)
            if (turn := _UPRIGHT.get(_orientation(picture))) is not None:
                upright = upright.transpose(turn)
            upright = upright.convert("L" if grey else "RGB")
            pixels: Any = np.asarray(upright.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    except Exception:  # as in `_look`
        passed.over("they cannot be read as pictures", path)
        return None
    shaped: Pixels = pixels[None] if grey else pixels.transpose(2, 0, 1)
    return shaped


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture of at most 8 bits a channel: Pillow would clip deeper greys to white."""
    if picture.mode not in _DEEP:
        return picture.convert("RGB") if picture.mode in ("P", "PA") else picture
    deep = np.asarray(picture).astype(np.float64)
    return Image.fromarray(np.clip(np.rint(deep / 257), 0, 255).astype(np.uint8))
