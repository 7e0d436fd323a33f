"""Turn what an archive says of classes, numbers or words, into numbers from 0 and names. Speaks numpy; never torch.

A name is any text of at most 255 characters; whatever else is in it is shown where it is told, and never obeyed.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from sys import maxunicode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InputError, shortened, unknown, visible
from workers.splits import Labels

MOST_CHARACTERS = 255  # of a name, as of a folder's
WORDS = "US"  # numpy's kinds of text: of characters, and of bytes, which are read as UTF-8
_MISSING = ("nan", "NaN", "NaT", "None", "<NA>")  # what a table's empty cell becomes as text


def classes(labels: NDArray[Any], label_names: NDArray[Any] | None) -> tuple[Labels, tuple[str, ...]]:
    """Return the classes' numbers `n` and their names: the words in sorted order, those given, or the numbers.

    Args:
        labels: of the training images, whole numbers from 0 without a gap, or words.
        label_names: the name of each number, where labels are numbers.

    Raises:
        InputError: they are neither, or do not go together; placed at `labels` or `label_names`.
    """
    if are_words(labels):
        if label_names is not None:
            raise InputError("names whole numbers, and labels are names themselves", place="label_names")
        try:
            return _sorted(labels)
        except InputError as error:
            raise error.at("labels") from error
    numbers = among(labels, (), place="labels")
    if label_names is None:
        return numbers, _numbered(numbers)
    return numbers, _named(numbers, label_names)


def among(labels: NDArray[Any], names: Sequence[str], *, place: str) -> Labels:
    """Return the numbers `n` of another part's labels.

    Args:
        labels: whole numbers, or words where classes have any.
        names: of the classes, where they are words.
        place: where the labels stand.

    Raises:
        InputError: a word is not among the names, or labels are no whole numbers.
    """
    try:
        return _found(labels, names) if names and are_words(labels) else _whole(labels)
    except InputError as error:
        raise error.at(place) from error


def are_words(labels: NDArray[Any]) -> bool:
    """Whether labels are words, one for each image."""
    return labels.ndim == 1 and labels.dtype.kind in WORDS


def alike(names: Iterable[str]) -> list[str]:
    """Return a line where two classes look like one: in another case they would be one folder somewhere else."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFKC", name).strip().casefold(), name)
        if other != name:
            how = "differ in case alone" if other.casefold() == name.casefold() else "look alike"
            return [visible(f"classes {other!r} and {name!r} {how}: are they two?")]
    return []


def missing(names: Iterable[str]) -> list[str]:
    """Return a line where a class has the name that a table's empty cell has as text."""
    return [f"class {name!r} has the name of a label that is missing" for name in names if name in _MISSING][:1]


def _whole(labels: NDArray[Any]) -> Labels:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(f"{labels.dtype} of {labels.ndim} axes is not one whole number or word for each image")
    return labels.astype(np.int64)


def _numbered(labels: Labels) -> tuple[str, ...]:
    """Return the classes' names, which are their numbers."""
    present = np.unique(labels)
    highest = int(present.max(initial=0))
    lacking = np.setdiff1d(np.arange(min(highest, len(present) + 3)), present)  # a few of them; a label may be huge
    if len(lacking):
        raise InputError(f"class {', '.join(map(str, lacking))} of 0 to {highest} has no image", place="labels")
    return tuple(str(number) for number in range(highest + 1))


def _named(labels: Labels, given: NDArray[Any]) -> tuple[str, ...]:
    """Return the names that stand beside numbers: each its own, and none without an image."""
    try:
        if not are_words(given):
            raise InputError(f"{given.dtype} of {given.ndim} axes is not one name for each class")
        words, place = _unique(given)
        if len(words) < len(given):
            twice = words[int(np.bincount(place).argmax())]
            raise InputError(f"{twice!r} stands there twice")
        names = tuple(words[each] for each in place)
        empty = np.setdiff1d(np.arange(len(names)), labels)
        if len(empty):
            raise InputError(f"class {int(empty[0])}, {names[int(empty[0])]!r}, has no image")
    except InputError as error:
        raise error.at("label_names") from error
    return names


def _sorted(labels: NDArray[Any]) -> tuple[Labels, tuple[str, ...]]:
    words, place = _unique(labels)
    names = sorted(words)
    rank = {name: number for number, name in enumerate(names)}
    return _numbers([rank[word] for word in words], place), tuple(names)


def _found(labels: NDArray[Any], names: Sequence[str]) -> Labels:
    words, place = _unique(labels)
    rank = {name: number for number, name in enumerate(names)}
    for word in words:
        if word not in rank:
            raise InputError(unknown("class", word, names))
    return _numbers([rank[word] for word in words], place)


def _numbers(of: Sequence[int], place: NDArray[np.int64]) -> Labels:
    return np.array(of, dtype=np.int64)[place]


def _unique(given: NDArray[Any]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the words that occur and which of them each is.

    Raises:
        InputError: one is empty, too long, or of characters that there are not.
    """
    codes = np.ascontiguousarray(given).view(np.uint32) if given.dtype.kind == "U" and given.dtype.itemsize else None
    if codes is not None and codes.max(initial=0) > maxunicode:
        raise InputError("holds characters that there are not")
    found, place = np.unique(given, return_inverse=True)
    words = []
    for number in range(len(found)):
        try:
            words.append(_text(found[number]))
        except InputError as error:
            raise InputError(f"word {int(np.argmax(place == number))} {error.message}") from error
    return words, place


def _text(word: Any) -> str:
    text = word.decode(errors="surrogateescape") if isinstance(word, bytes) else str(word)
    if not text.strip():
        raise InputError("is empty")
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"has {len(text):,} characters, not at most {MOST_CHARACTERS}: {shortened(text, 40)}")
    return text
