"""Keep the paths of a study's file inside one folder: what is sent from elsewhere reads and writes nowhere else."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from search.config.study import StudyConfig
from search.storage.url import files_in
from spaces.errors import InputError
from workers.dataspec import data_spec

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_LOCAL = ("file", "local", "asynclocal", "dir", "git", "libarchive", "reference", "tar", "zip")  # or read from there


def paths(config: StudyConfig, report: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield every path that a study's file names, with its place there; a variable in it may still be one.

    Raises:
        InputError: an address leads to this machine in a way that cannot be followed.
    """
    spec = data_spec(config.data)
    yield from ((f"data.{name}", path) for name in ("path", "root") if (path := getattr(spec, name)))
    folder = _local(config.checkpoints.folder)
    if folder is not None:
        yield "checkpoints", folder
    if "${" not in config.storage:
        yield from (("storage", path) for path in _files(config.storage))
    if report is not None:
        yield "--report", str(report)


def _files(storage: str) -> list[str]:
    try:
        return files_in(storage)
    except InputError as error:
        raise error.at("storage") from error


def _local(address: str) -> str | None:
    """Return the path that an address of checkpoints stands for; None for what is not on this machine."""
    if "::" in address:  # one file system read through another: the last of them may be this machine's
        raise InputError("`::` in an address cannot be followed; name the folder itself", place="checkpoints")
    found = _SCHEME.match(address)
    if found is None:
        return address
    return found[2] if found[1].lower() in _LOCAL else None


def check_named(config: StudyConfig, folder: str) -> None:
    """Refuse paths that leave a folder of another machine, as far as their texts tell.

    Args:
        config: a study whose variables are not looked up.
        folder: absolute, or below that machine's home.

    Raises:
        InputError: the first such path.
    """
    for place, path in paths(config):
        if "${" not in path:
            _check_text(place, path, folder)


def _check_text(place: str, path: str, folder: str) -> None:
    _check_kind(place, path)
    base = Path(os.path.normpath(folder))  # as text: nothing of it is here
    unclear = Path(path).is_absolute() and not base.is_absolute()
    if unclear or not Path(os.path.normpath(base / path)).is_relative_to(base):
        raise _leaves(place, path, folder)


def check_inside(config: StudyConfig, folder: Path, report: Path | None) -> None:
    """Refuse paths that leave a folder of this machine, also by a symbolic link.

    Raises:
        InputError: the first such path.
    """
    base = folder.resolve()
    for place, path in paths(config, report):
        _check_kind(place, path)
        try:
            inside = (base / path).resolve().is_relative_to(base)
        except (OSError, RuntimeError):  # links that lead in a circle
            inside = False
        if not inside:
            raise _leaves(place, path, str(folder))


def _check_kind(place: str, path: str) -> None:
    if path.startswith("~") or not path.isprintable():
        raise InputError(f"{path!r} is no path below the working folder", place=place)


def _leaves(place: str, path: str, folder: str) -> InputError:
    return InputError(f"{path!r} leaves the working folder, {folder}; a path below it is required", place=place)


def enter(folder: str, *, place: str = "--within") -> Path:
    """Make a folder if need be, stand in it, and return it; `~` is the home of who runs this.

    Raises:
        InputError: there can be none.
    """
    try:
        path = Path(folder).expanduser()
        path.mkdir(parents=True, exist_ok=True)
        os.chdir(path)
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot stand in {folder!r}: {why}", place=place) from error
    return Path.cwd()
