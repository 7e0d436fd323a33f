"""Write a file whole or not at all, and over nothing but an earlier one of its kind."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spaces.errors import InputError


@contextmanager
def replacing(path: Path, kind: str, is_own: Callable[[Path], bool]) -> Iterator[Path]:
    """Give the path of a file beside a place; once it is written it takes the place, whose folder is made.

    Args:
        path: the place.
        kind: of file, as people say it, such as `page`.
        is_own: tells whether a file that is there already, and is not empty, is of the kind.

    Raises:
        InputError: something else is there, or nothing can be written there; what is there stays.
    """
    try:
        if path.exists() and not (path.is_file() and (path.stat().st_size == 0 or is_own(path))):
            raise InputError(f"{path} is no {kind} that could be written over; move it away, or name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        path = path.resolve()  # what a link leads to is written, and the link stays
        beside = path.with_name(f".{os.getpid()}.{path.name}")
        try:
            yield beside
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def begins_with(text: str) -> Callable[[Path], bool]:
    """Return what tells whether a file begins with a text; capital letters are as good."""
    expected = text.encode()

    def is_own(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(len(expected)).lower() == expected.lower()

    return is_own
