"""Change images at random, a whole batch at a time, on the device that holds them.

Meant for normalised images `n c h w`: there 0 is the training images' mean, so what padding and cutout blank carries
no signal. On raw uint8 images the same 0 is black. Every draw comes from the generator that is passed in, which lives
on the images' device; the same generator state gives the same images.

Sources: He et al. 2015, section 4.2 (pad, crop, flip); DeVries & Taylor 2017 (cutout).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """What chance has chosen for each of `n` images; nothing where it is not asked."""

    down: Tensor | None = None  # n; pixels by which a crop is moved, from -crop to crop
    right: Tensor | None = None  # n
    mirrored: Tensor | None = None  # n, bool
    top: Tensor | None = None  # n; row of the cutout's centre
    left: Tensor | None = None  # n

    def part(self, begin: int, end: int) -> "Draws":
        """Return what was drawn for some of the images."""
        held = {each.name: getattr(self, each.name) for each in fields(self)}
        return Draws(**{name: drawn if drawn is None else drawn[begin:end] for name, drawn in held.items()})


def draw(how: Augment, count: int, size: tuple[int, int], generator: torch.Generator) -> Draws:
    """Draw for so many images of a size (height, width), on the generator's device."""
    how.check(*size)

    def below(most: int) -> Tensor:
        return torch.randint(most, (count,), generator=generator, device=generator.device)

    down, right = (below(2 * how.crop + 1) - how.crop if how.crop else None for _ in range(2))
    mirrored = below(2) == 1 if how.flip else None
    top, left = (below(side) if how.cutout else None for side in size)
    return Draws(down=down, right=right, mirrored=mirrored, top=top, left=left)


def augment(images: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    """Return new images of the same shape, type, device and memory format."""
    # One channel is contiguous both ways; only where the two differ is there a format to restore.
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    n, _, h, w = images.shape
    changed, blank = moved(images.clone(), how, draw(how, n, (h, w), generator))
    if blank is not None:
        changed.masked_fill_(blank, 0)
    changed = by_a_package(changed, how.own, generator) if how.own else changed
    return changed.contiguous(memory_format=torch.channels_last) if last else changed


def by_a_package(images: Tensor, own: str, generator: torch.Generator) -> Tensor:
    """Return images as a package changes them, if they are as many of the same shape and type.

    Raises:
        InputError: they are not.
    """
    found = OWN[own](images, generator)
    if not isinstance(found, Tensor) or (found.shape, found.dtype) != (images.shape, images.dtype):
        told = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"augmentation {own} makes {told} of {tuple(images.shape)} {images.dtype}")
    return found


def moved(images: Tensor, how: Augment, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """Return images, cropped and flipped, and what is to be blank in them, `n 1 h w`, if anything is.

    Where neither is asked they are the very images. What is blank is left to whoever normalises: there 0 is the mean.
    """
    found, blank = _gathered(images, how, draws) if how.crop or how.flip else (images, None)
    if how.cutout:
        squares = _squares(draws, (images.shape[2], images.shape[3]), how.cutout)
        blank = squares if blank is None else blank | squares
    return found, None if blank is None else blank[:, None]


def _gathered(images: Tensor, how: Augment, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """Crop and flip in one gather, as every pixel of the result says which it is read from; and say what is beyond."""
    n, c, h, w = images.shape
    rows, cols = _places(draws.down, h, images), _places(draws.right, w, images)
    if draws.mirrored is not None:
        cols = torch.where(draws.mirrored[:, None], w - 1 - cols, cols)
    inside_rows, inside_cols = _inside(rows, h, how.pad), _inside(cols, w, how.pad)
    pixels = (inside_rows[:, :, None] * w + inside_cols[:, None, :]).flatten(1)
    found = images.flatten(2).gather(2, pixels[:, None].expand(n, c, h * w)).view(n, c, h, w)
    if not how.crop or how.pad != "zeros":
        return found, None
    return found, (rows != inside_rows)[:, :, None] | (cols != inside_cols)[:, None, :]


def _places(moved_by: Tensor | None, side: int, images: Tensor) -> Tensor:
    """Return `n side`: the positions along one side from which a moved image reads."""
    places = torch.arange(side, device=images.device).expand(len(images), side)
    return places if moved_by is None else places + moved_by[:, None]


def _inside(places: Tensor, side: int, pad: str) -> Tensor:
    """Bring positions beyond the edge back: to the edge, or mirrored about the outermost pixel."""
    if pad == "zeros":
        return places.clamp(0, side - 1)
    return (side - 1) - ((side - 1) - places.abs()).abs()


def _squares(draws: Draws, size: tuple[int, int], side: int) -> Tensor:
    """Return a mask `n h w`: one square in each image."""
    hit = []
    for centre, length in zip((draws.top, draws.left), size, strict=True):
        assert centre is not None
        start, places = centre[:, None] - side // 2, torch.arange(length, device=centre.device)
        hit.append((places >= start) & (places < start + side))
    return hit[0][:, :, None] & hit[1][:, None, :]
