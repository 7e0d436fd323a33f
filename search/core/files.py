"""Write a file or a folder whole or not at all, and over nothing but an earlier one of its kind."""

import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from spaces.errors import InputError

_STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")


@contextmanager
def replacing(path: Path, kind: str, is_own: Callable[[Path], bool]) -> Iterator[Path]:
    """Give the path of a file beside a place; once it is written it takes the place, whose folder is made.

    It takes the owner and the mode of the file that it replaces. What is a stream (`/dev/stdout`, a pipe, a device) is
    not replaced: what was written flows into it.

    Args:
        path: the place.
        kind: of file, as people say it, such as `page`.
        is_own: tells whether a file that is there already, and is not empty, is of the kind.

    Raises:
        InputError: something else is there, or nothing can be written there; what is there stays.
        BrokenPipeError: nobody reads the stream any more.
    """
    try:
        with _flowing(path) if _is_stream(path) else _beside(path, kind, is_own) as written:
            yield written
    except BrokenPipeError as error:
        raise BrokenPipeError(error.errno, error.strerror, str(path)) from error
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _is_stream(path: Path) -> bool:
    """Whether a path is one of this process's streams, whatever that leads to, or neither a file nor a folder."""
    return _descriptor(path) is not None or (path.exists() and not path.is_file() and not path.is_dir())


def _descriptor(path: Path) -> int | None:
    found = _DESCRIPTOR.fullmatch(str(path))
    return int(found[1]) if found else _STREAMS.get(str(path))


@contextmanager
def _flowing(path: Path) -> Iterator[Path]:
    """Give a file of its own, since formats seek in what they write; then send it on."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, path.name)
        yield written
        sys.stdout.flush()  # what was said before comes before
        with _opened(path) as stream, written.open("rb") as file:
            shutil.copyfileobj(file, stream)


def _opened(path: Path) -> IO[bytes]:
    """Open a stream: by its number where it has one, as its name would empty the file that it leads to."""
    descriptor = _descriptor(path)
    return path.open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb")


@contextmanager
def _beside(path: Path, kind: str, is_own: Callable[[Path], bool]) -> Iterator[Path]:
    if path.exists() and not (path.is_file() and (path.stat().st_size == 0 or is_own(path))):
        raise InputError(f"{path} is no {kind} that could be written over; move it away, or name another file")
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()  # what a link leads to is written, and the link stays
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if path.exists():
            beside.touch(0o600)  # nobody reads in it what the earlier one kept from them
        yield beside
        if path.exists():
            _take_after(path, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, why_not: Callable[[Path], str]) -> Iterator[Path]:
    """Give an empty folder beside a place; once it is filled it takes the place, whose own folder is made.

    Args:
        path: the place.
        why_not: says why a folder that is there already must stay, or nothing where it may be replaced.

    Raises:
        InputError: something else is there, or nothing can be written there; what is there stays.
    """
    path = path.resolve()  # what a link leads to is written, and the link stays
    beside, aside = (path.with_name(f".{os.getpid()}.{path.name}{end}") for end in ("", ".before"))
    try:
        if path.exists() and (why := why_not(path)):
            raise InputError(f"{path} {why}; move it away, or name another folder")
        beside.mkdir(parents=True)
        yield beside
        if path.exists():
            path.rename(aside)
        beside.rename(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if aside.exists() and not path.exists():
            aside.rename(path)
        for each in (beside, aside):
            shutil.rmtree(each, ignore_errors=True)


def _take_after(path: Path, beside: Path) -> None:
    """Give a file the owner, as far as that is allowed, and the mode of another."""
    there = path.stat()
    with suppress(PermissionError):
        os.chown(beside, there.st_uid, there.st_gid)
    beside.chmod(stat.S_IMODE(there.st_mode))


def begins_with(text: str) -> Callable[[Path], bool]:
    """Return what tells whether a file begins with a text; capital letters are as good."""
    expected = text.encode()

    def is_own(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(len(expected)).lower() == expected.lower()

    return is_own
