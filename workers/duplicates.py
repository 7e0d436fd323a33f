"""Tell which images are equal, byte by byte: between what is trained on and what is measured on, and among labels.

Images are compared as networks see them: after decoding and stretching. What is nearly equal is not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from torch import Tensor

Key = bytes  # equal for equal images, and for others never within reach of chance
_DIGEST = 16  # bytes of a key


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How many images are equal to others, and where the first stands, from 0; None where there is none."""

    copied: int  # validation images that are training images too
    first_copied: tuple[int, int] | None  # the first of them, and the first training image that it equals
    repeated: int  # validation images that are equal to an earlier one
    first_repeated: tuple[int, int] | None  # the first of them, and which it equals
    contradicting: int  # images, of either part, that are equal to one of another class
    first_contradicting: tuple[int, int] | None  # two of them, counted through training images and then validation


def duplicates(train: Tensor, train_labels: Tensor, val: Tensor, val_labels: Tensor) -> Found:
    """Return what is equal among training images and validation images, uint8 `n c h w`, with labels `n`."""
    trained, measured = _keys(train), _keys(val)
    known, seen = _firsts(trained), _firsts(measured)
    copied = [place for place, key in enumerate(measured) if key in known]
    repeated = [place for place, key in enumerate(measured) if seen[key] < place]
    count, pair = _contradicting([*trained, *measured], [*train_labels.tolist(), *val_labels.tolist()])
    return Found(
        copied=len(copied),
        first_copied=(copied[0], known[measured[copied[0]]]) if copied else None,
        repeated=len(repeated),
        first_repeated=(repeated[0], seen[measured[repeated[0]]]) if repeated else None,
        contradicting=count,
        first_contradicting=pair,
    )


def _keys(images: Tensor) -> list[Key]:
    rows = images.cpu().contiguous().numpy()
    return [blake2b(row, digest_size=_DIGEST).digest() for row in rows]


def _firsts(keys: Sequence[Key]) -> dict[Key, int]:
    """Return the first place of each key."""
    return {key: place for place, key in reversed(list(enumerate(keys)))}


def _contradicting(keys: Sequence[Key], labels: Sequence[int]) -> tuple[int, tuple[int, int] | None]:
    firsts = _firsts(keys)
    odd = [place for place, key in enumerate(keys) if labels[place] != labels[firsts[key]]]
    if not odd:
        return 0, None
    among = {keys[place] for place in odd}
    return sum(key in among for key in keys), (firsts[keys[odd[0]]], odd[0])
