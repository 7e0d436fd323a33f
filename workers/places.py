"""Name the folders where checkpoints lie: on a disk, on a shared file system, or behind a URL that fsspec knows.

A URL never holds a secret: it is stored, shown, and sent to workers. What a driver needs to know it finds in its own
environment variables and files, or in fsspec's (`FSSPEC_S3_KEY` and the like).
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import fsspec
from fsspec.spec import AbstractFileSystem

from spaces.errors import InputError

_LOCAL = ("file://", "local://")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
Content = bytes | memoryview
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Folder(Protocol):
    """Read and write the files of one folder. What goes wrong is an OSError; `str` is its address."""

    def make(self) -> None:
        """Make the folder where it is not there."""

    def exists(self) -> bool:
        """Whether it is there; of a store of objects, whether it holds one."""

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file by its name; none where there is no folder."""

    def read(self, name: str) -> bytes:
        """Return what a file holds; FileNotFoundError where there is none."""

    def write(self, name: str, content: Content) -> None:
        """Write a file, and return only when it is safe from a power cut."""

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, in the place of whatever has it."""

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder of this machine, or of a file system that is mounted here: renaming is one step."""

    path: Path  # absolute

    def __str__(self) -> str:
        return str(self.path)

    def make(self) -> None:
        """Make the folder where it is not there."""
        self.path.mkdir(parents=True, exist_ok=True)

    def exists(self) -> bool:
        """Whether it is there."""
        return self.path.is_dir()

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file by its name; none where there is no folder."""
        found = {}
        with suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # renamed or removed meanwhile
                    if not entry.is_dir(follow_symlinks=False):
                        found[entry.name] = entry.stat(follow_symlinks=False).st_size
        return found

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        return (self.path / name).read_bytes()

    def write(self, name: str, content: Content) -> None:
        """Write a file through to the disk, so that no name is ever given to what a power cut would take."""
        with (self.path / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, name: str, new: str) -> None:
        """Give a file another name in one step."""
        (self.path / name).replace(self.path / new)
        with suppress(OSError):  # not every file system lets a folder be synchronised
            self._synchronise()

    def _synchronise(self) -> None:
        opened = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        (self.path / name).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder behind a URL. Renaming may be copying and removing, so a crash can leave either name torn."""

    url: str
    files: AbstractFileSystem = field(compare=False, repr=False)
    root: str = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.url

    def _at(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def make(self) -> None:
        """Make the folder where it is not there; a store of objects has none."""
        with _told(self.url):
            self.files.makedirs(self.root, exist_ok=True)

    def exists(self) -> bool:
        """Whether it is there, or of a store of objects, whether it holds one."""
        with _told(self.url):
            self.files.invalidate_cache(self.root)
            return bool(self.files.exists(self.root))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file by its name, asked anew: workers write there too."""
        with _told(self.url):
            self.files.invalidate_cache(self.root)
            try:
                entries: list[dict[str, Any]] = self.files.ls(self.root, detail=True)
            except FileNotFoundError:
                return {}
        return {each["name"].rpartition("/")[2]: each["size"] or 0 for each in entries if each["type"] == "file"}

    def read(self, name: str) -> bytes:
        """Return what a file holds."""
        with _told(self.url):
            return bytes(self.files.cat_file(self._at(name)))

    def write(self, name: str, content: Content) -> None:
        """Write a file."""
        with _told(self.url):
            self.files.pipe_file(self._at(name), bytes(content))

    def rename(self, name: str, new: str) -> None:
        """Give a file another name: in one step where the file system has one, else by a copy."""
        with _told(self.url):
            if type(self.files).mv is not AbstractFileSystem.mv:
                self._move(self._at(name), self._at(new))
            else:  # of these two fsspec makes the same, but reads stars and brackets in names as patterns
                self.files.cp_file(self._at(name), self._at(new))
                self.files.rm_file(self._at(name))

    def _move(self, source: str, target: str) -> None:
        try:
            self.files.mv(source, target)
        except FileNotFoundError:
            raise
        except Exception:  # some refuse to replace a file, each with an error of its own
            with suppress(FileNotFoundError):
                self.files.rm_file(target)
            self.files.mv(source, target)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        with _told(self.url), suppress(FileNotFoundError):
            self.files.rm_file(self._at(name))


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell whatever a driver raises as an OSError, so that what may pass is not taken for a network's fault."""
    try:
        yield
    except Exception as error:
        if isinstance(error, FileNotFoundError) or getattr(error, "errno", None) in _FULL:
            raise
        lines = str(error).strip().splitlines() or ["no error message"]
        raise ConnectionError(f"{url}: {type(error).__name__}: {lines[0]}") from error


def check(address: str) -> None:
    """Refuse what is no address of a folder, and a URL with a secret in it, which the refusal does not repeat.

    Raises:
        InputError: one line.
    """
    if not address.strip():
        raise InputError("is empty")
    if "://" not in address:
        return
    scheme, _, rest = address.partition("://")
    if re.search(":.*@", rest) or "?" in rest:
        raise InputError(
            "a URL with a password or a query would be stored and shown; "
            f"give it by the environment, as FSSPEC_{scheme[:20].upper()}_PASSWORD or what its driver reads"
        )
    if not _SCHEME.match(address):
        raise InputError(f"{address!r} is neither a folder nor a URL such as s3://bucket/folder")


def is_on_disk(folder: Folder) -> bool:
    """Return whether a folder is one of the file system's, and no URL's."""
    return isinstance(folder, LocalFolder)


def join(address: str, name: str) -> str:
    """Return the address of a name in a folder."""
    return f"{address}{name}" if address.endswith("/") else f"{address}/{name}"


def open_folder(address: str | Path) -> Folder:
    """Return the folder at a path or a URL. A path is taken from where this process stands.

    Raises:
        InputError: it is no address, or its driver is not installed.
        OSError: its driver cannot reach it.
    """
    text = str(address)
    check(text)
    if "://" not in text or text.startswith(_LOCAL):
        return LocalFolder(Path(text.partition("://")[2] if "://" in text else text).absolute())
    with _told(text):
        try:
            files, root = fsspec.core.url_to_fs(text)
        except (ImportError, ValueError) as error:
            missing = error
        else:
            return RemoteFolder(text, files, root)
    raise InputError(f"{text}: {str(missing).splitlines()[0]}") from missing


def locate(address: str | Path) -> tuple[Folder, str]:
    """Return the folder of a file's address, and the file's name.

    Raises:
        InputError: as `open_folder`.
        OSError: as `open_folder`.
    """
    if isinstance(address, Path) or "://" not in address:
        return LocalFolder(Path(address).absolute().parent), Path(address).name
    folder, _, name = address.rpartition("/")
    return open_folder(f"{folder}/" if folder.endswith("/") else folder), name
