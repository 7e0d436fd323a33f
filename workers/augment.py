"""Change images at random, a whole batch at a time, on the device that holds them.

Meant for normalised images `n c h w`: there 0 is the training images' mean, so what padding and cutout blank carries
no signal. On raw uint8 images the same 0 is black. Every draw comes from the generator that is passed in, which lives
on the images' device; the same generator state gives the same images.

Sources: He et al. 2015, section 4.2 (pad, crop, flip); DeVries & Taylor 2017 (cutout).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.errors import InputError, unknown

PADS = ("zeros", "reflect")
# Of packages that were loaded, by name: take images `n c h w`, normalised, and a generator; return as many of the same
# shape and type.
OWN: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """How training images are changed; by default they are not.

    Raises:
        InputError: a field alone is wrong.
    """

    crop: int = 0  # pixels padded on every side before a window of the old size is cut out at random
    flip: bool = False  # mirror left to right, one image in two
    cutout: int = 0  # side of the square that is blanked; centred on any pixel, so the edges may cut it
    pad: str = "zeros"  # what crop pads with: zeros or reflect
    own: str = ""  # what follows, of a package: a key of OWN

    def __post_init__(self) -> None:
        for name in ("crop", "cutout"):
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, int) or given < 0:
                raise InputError(f"{given!r} is not a whole number of pixels, 0 or more", place=name)
        if not isinstance(self.flip, bool):
            raise InputError(f"{self.flip!r} is neither true nor false", place="flip")
        if self.pad not in PADS:
            raise InputError(f"unknown padding {self.pad!r}; known are {', '.join(PADS)}", place="pad")
        if self.own and self.own not in OWN:
            raise InputError(unknown("augmentation", str(self.own), OWN), place="own")

    def check(self, height: int, width: int) -> None:
        """Raise InputError where images of this size are too small for it."""
        smaller = min(height, width)
        if self.crop >= smaller:
            raise InputError(f"{self.crop} is not below the side of {height}x{width} images", place="crop")
        if self.cutout > smaller:
            raise InputError(f"{self.cutout} is above the side of {height}x{width} images", place="cutout")


def augment(images: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    """Return new images of the same shape, type, device and memory format."""
    how.check(images.shape[2], images.shape[3])
    # One channel is contiguous both ways; only where the two differ is there a format to restore.
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    changed = _moved(images, how, generator) if how.crop or how.flip else images.clone()
    if how.cutout:
        changed.masked_fill_(_squares(images, how.cutout, generator), 0)
    changed = _by_a_package(changed, how.own, generator) if how.own else changed
    return changed.contiguous(memory_format=torch.channels_last) if last else changed


def _by_a_package(images: Tensor, own: str, generator: torch.Generator) -> Tensor:
    """Return images as a package changes them, if they are as many of the same shape and type.

    Raises:
        InputError: they are not.
    """
    found = OWN[own](images, generator)
    if not isinstance(found, Tensor) or (found.shape, found.dtype) != (images.shape, images.dtype):
        told = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"augmentation {own} makes {told} of {tuple(images.shape)} {images.dtype}")
    return found


def _moved(images: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    """Crop and flip in one gather: every pixel of the result says which pixel it is read from."""
    n, c, h, w = images.shape
    rows, cols = _shifted(images, h, how.crop, generator), _shifted(images, w, how.crop, generator)
    if how.flip:
        cols = torch.where(_draw(images, 2, generator) == 1, w - 1 - cols, cols)
    inside_rows, inside_cols = _inside(rows, h, how.pad), _inside(cols, w, how.pad)
    pixels = (inside_rows[:, :, None] * w + inside_cols[:, None, :]).flatten(1)
    moved = images.flatten(2).gather(2, pixels[:, None].expand(n, c, h * w)).view(n, c, h, w)
    if how.crop and how.pad == "zeros":
        outside = (rows != inside_rows)[:, :, None] | (cols != inside_cols)[:, None, :]
        moved.masked_fill_(outside[:, None], 0)
    return moved


def _shifted(images: Tensor, side: int, crop: int, generator: torch.Generator) -> Tensor:
    """Return `n side`: the positions along one side, moved by up to `crop` either way."""
    places = torch.arange(side, device=images.device).expand(len(images), side)
    return places + _draw(images, 2 * crop + 1, generator) - crop if crop else places


def _inside(places: Tensor, side: int, pad: str) -> Tensor:
    """Bring positions beyond the edge back: to the edge, or mirrored about the outermost pixel."""
    if pad == "zeros":
        return places.clamp(0, side - 1)
    return (side - 1) - ((side - 1) - places.abs()).abs()


def _squares(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return a mask `n 1 h w`: one square in each image."""
    hit = []
    for length in images.shape[2:]:
        start = _draw(images, length, generator) - side // 2
        places = torch.arange(length, device=images.device)
        hit.append((places >= start) & (places < start + side))
    return (hit[0][:, :, None] & hit[1][:, None, :])[:, None]


def _draw(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return `n 1`: for each image a whole number below the count."""
    return torch.randint(count, (len(images), 1), generator=generator, device=images.device)
