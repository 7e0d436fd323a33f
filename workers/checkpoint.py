"""Keep a trial's progress in two files, of which one is whole whenever a process dies: the newest, and the one before.

A file is an archive as `torch.save` writes it, so whoever has torch can open it, and ends with the SHA-256 of all that
stands before: as the archive's comment, which a zip file may have. So a torn or damaged one is never taken for a state.
"""

import errno
import hashlib
import io
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from workers.places import Content, Folder, locate

_MARK = b"sha256:"  # begins the comment; torch does not notice a flipped bit
_DIGEST = 64  # hexadecimal digits of SHA-256, which end it and the file
_COMMENT = len(_MARK) + _DIGEST
_END, _ENDING = b"PK\5\6", 22  # how a zip file's last record begins, and its bytes without the comment
_BEFORE = 32  # bytes of SHA-256 that stood before the archive in earlier files
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


def before(name: str) -> str:
    """Return where the one before a file is kept: `12.before.pt` beside `12.pt`."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.before.{ending}" if dot else f"{name}.before"


class Checkpoint:
    """Save and load one trial's progress. Whoever goes on with a trial uses one for as long as it trains."""

    def __init__(self, address: str | Path) -> None:
        """Take the newest file's path, or its URL.

        Raises:
            InputError: its driver is not installed.
            OSError: its driver cannot reach it.
        """
        self.folder, self.name = locate(address)
        self._whole: bool | None = None  # the newest file; none: nobody has looked

    def load(self) -> dict[str, Any] | None:
        """Return the newest state that is whole, or None where there is none.

        Only tensors and plain values are read: nothing in a file is executed.

        Raises:
            OSError: a file may be there, but cannot be reached now.
        """
        newest = read_state(self.folder, self.name)
        self._whole = newest is not None
        return newest if newest is not None else read_state(self.folder, before(self.name))

    def save(self, state: dict[str, Any]) -> None:
        """Write the state beside the newest file, keep that as the one before, and put the state in its place.

        A damaged file is never kept: it would take the place of a whole one. After an error the files are those of
        before, or the newest is the one before.

        Raises:
            OSError: there is no room, or the folder cannot be reached.
        """
        # The process is named, because a worker that outlives its driver may still write while its successor does.
        beside = f".{self.name}.{socket.gethostname()}.{os.getpid()}"
        try:
            _write(self.folder, beside, _content(state))
            if self._newest_is_whole():
                with suppress(FileNotFoundError):  # that successor has just moved it
                    self.folder.rename(self.name, before(self.name))
            self.folder.rename(beside, self.name)
        except BaseException:
            with suppress(OSError):
                self.folder.remove(beside)
            raise
        self._whole = True

    def _newest_is_whole(self) -> bool:
        if self._whole is None:
            self._whole = read_state(self.folder, self.name) is not None
        return self._whole


def save(address: str | Path, state: dict[str, Any]) -> None:
    """Save a state at a path or URL: see `Checkpoint.save`."""
    Checkpoint(address).save(state)


def load(address: str | Path) -> dict[str, Any] | None:
    """Return the newest whole state of a trial's path or URL: see `Checkpoint.load`."""
    return Checkpoint(address).load()


def is_whole(folder: Folder, name: str) -> bool:
    """Whether one file is there and holds a state.

    Raises:
        OSError: it cannot be reached now.
    """
    return read_state(folder, name) is not None


def _content(state: dict[str, Any]) -> Content:
    written = io.BytesIO()
    torch.save(state, written)
    held = written.getbuffer()
    last = bytes(held[-_ENDING:])
    if not last.startswith(_END) or last[-2:] != bytes(2):
        raise RuntimeError("torch.save has written something else than a zip file without a comment")
    held[-2:] = _COMMENT.to_bytes(2, "little")
    del held  # what is looked at cannot grow
    written.seek(0, io.SEEK_END)
    written.write(_MARK)
    written.write(hashlib.sha256(written.getbuffer()).hexdigest().encode())
    return written.getbuffer()


def _whole(read: memoryview) -> memoryview | None:
    """Return the archive of a file that is as it was written, or None."""
    held, told = read[:-_DIGEST], bytes(read[-_DIGEST:])
    if bytes(held[-len(_MARK) :]) == _MARK and hashlib.sha256(held).hexdigest().encode() == told:
        return read
    if hashlib.sha256(read[_BEFORE:]).digest() == read[:_BEFORE]:
        return read[_BEFORE:]
    return None


def _write(folder: Folder, name: str, content: Content) -> None:
    try:
        folder.write(name, content)
    except FileNotFoundError:
        folder.make()
        folder.write(name, content)


def read_state(folder: Folder, name: str) -> dict[str, Any] | None:
    """Return the state that one file holds, or None where there is none that is whole.

    Raises:
        OSError: it cannot be reached now.
    """
    try:
        read = memoryview(folder.read(name))
    except _ABSENT:
        return None
    except OSError as error:
        if error.errno == errno.EIO:  # a disk that cannot read it now never will
            return None
        raise
    archive = _whole(read)
    if archive is None:
        return None  # damaged by a disk: what it held is trained again, which costs time but no truth
    try:
        state = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
    except Exception:  # whole, but not written by `save`: torch has no one error for that
        return None
    return state if isinstance(state, dict) else None
