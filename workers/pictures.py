"""Read a folder of pictures, one folder inside it for each class. Speaks Pillow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from spaces.errors import InputError
from workers.images import Labelled, Pixels, unreadable

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
SIDE = 32  # pixels; of pictures that differ in size
_GREY = ("1", "L", "LA", "La")  # Pillow's modes
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange height and width
_FAULTS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises for a broken file


def read_folder(root: Path, size: tuple[int, int] | None, *, train: bool) -> Labelled:
    """Return the pictures of `root/class/`, or of `root/train/class/` and `root/test/class/` where those exist.

    Pictures are stretched to `size` (h w); without it they keep the size they all share, or become 32x32. They have one
    channel where every training picture is grey, else three; transparency is dropped, and EXIF rotation followed.

    Raises:
        InputError: a folder is missing or empty, a class has fewer than 2 pictures, a picture cannot be read.
    """
    parted = (root / "train").is_dir() and any(_folders(root / "train"))
    files = _pictures(root / "train" if parted else root, at_least=2)
    looks = [_look(path) for paths in files.values() for path in paths]
    grey, sizes = all(look[0] for look in looks), {look[1] for look in looks}
    h, w = size or (sizes.pop() if len(sizes) == 1 else (SIDE, SIDE))
    names = tuple(files)
    if not train:
        files = _tested(root, names, parted)
    paths = [(path, names.index(name)) for name, members in files.items() for path in members]
    images = np.empty((len(paths), 1 if grey else 3, h, w), dtype=np.uint8)
    for index, (path, _) in enumerate(paths):
        images[index] = _pixels(path, grey, (h, w))
    return Labelled(images=images, labels=np.array([label for _, label in paths]), class_names=names)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(root: Path, *, at_least: int) -> dict[str, Sequence[Path]]:
    """Return each class's files, both in the order of their names."""
    if not root.is_dir():
        raise InputError("is not a folder; a folder of one folder for each class is required", place=str(root))
    found: dict[str, Sequence[Path]] = {}
    for folder in _folders(root):
        files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
        if len(files) < at_least:
            raise InputError(f"holds {len(files)} pictures ({', '.join(SUFFIXES)}), not {at_least}", place=str(folder))
        found[folder.name] = sorted(files)
    if not found:
        raise InputError("holds no folder; one for each class is required", place=str(root))
    return found


def _tested(root: Path, names: Sequence[str], parted: bool) -> dict[str, Sequence[Path]]:
    if not parted or not (root / "test").is_dir():
        raise InputError("has no test split; it takes the folders train and test", place=str(root))
    files = _pictures(root / "test", at_least=1)
    unknown = sorted(set(files) - set(names))
    if unknown:
        raise InputError(f"class {unknown[0]!r} is not among the training pictures", place=str(root / "test"))
    return files


def _look(path: Path) -> tuple[bool, tuple[int, int]]:
    """Say whether a picture is grey, and its size `h w`, from its header alone."""
    try:
        with Image.open(path) as picture:
            w, h = picture.size
            sideways = picture.getexif().get(0x0112) in _SIDEWAYS
            return picture.mode in _GREY, (w, h) if sideways else (h, w)
    except _FAULTS as error:
        raise unreadable(path, error) from error


def _pixels(path: Path, grey: bool, size: tuple[int, int]) -> Pixels:
    try:
        with Image.open(path) as picture:
            if picture.mode[0] in "IF":  # Pillow would clip them to white
                raise InputError(f"has pixels of more than 8 bits (mode {picture.mode})", place=str(path))
            upright = ImageOps.exif_transpose(picture).convert("L" if grey else "RGB")
            pixels = np.asarray(upright.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    except _FAULTS as error:
        raise unreadable(path, error) from error
    return pixels[None] if grey else pixels.transpose(2, 0, 1)
