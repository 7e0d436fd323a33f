"""Name a study's checkpoints: their folder, and the files of a trial in it.

For trial 12 there are `12.pt`, the newest; `12.before.pt`, the one before, while it trains; `.12.pt.*`, what a writer
has not finished; and `12.over-limit`, empty, where its weights had to go though it is on the front.
"""

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from search.config.sections import CheckpointsForm
from search.config.study import StudyConfig
from search.core.environment import expand
from search.core.records import StudyRecord
from spaces.errors import InputError
from workers import checkpoint
from workers.places import Folder, join, open_folder

NEWEST, BEFORE = re.compile(r"(\d+)\.pt"), re.compile(r"(\d+)\.before\.pt")
CRASH = re.compile(r"\.\d+\.pt\.crash")
OVER_LIMIT, HALF_WRITTEN = re.compile(r"(\d+)\.over-limit"), re.compile(r"\.(\d+)\.pt\..+")


def checkpoint_folder(config: StudyConfig, record: StudyRecord) -> Folder:
    """Return the folder of a study's checkpoints, the same for every worker and every launch.

    The moment the study began is part of it: a study of the same name in another database is another one.

    Raises:
        InputError: its driver is not installed, or cannot reach it.
    """
    began = record.created_at.astimezone(UTC) if record.created_at else datetime.min
    with _placed():
        return open_folder(join(config.checkpoints.folder, f"{record.name}-{began:%Y%m%dT%H%M%S}"))


def folder_of(study: StudyRecord, environment: Mapping[str, str] = os.environ) -> Folder:
    """Return the folder of a study's checkpoints, by the file it was last launched with.

    Raises:
        InputError: the driver of its URL is not installed here, or cannot reach it, or a variable of it is not set.
    """
    told = study.config.get("checkpoints", {})
    text = told.get("folder", CheckpointsForm().folder) if isinstance(told, Mapping) else str(told)
    folder = expand(text, environment, place="checkpoints")
    form = CheckpointsForm.model_construct(folder=folder)  # the rest may be outdated
    return checkpoint_folder(StudyConfig.model_construct(checkpoints=form), study)


def named_folder(study: StudyRecord, given: str | None) -> Folder:
    """Return where a study's checkpoints lie: in the folder that was named, `${NAME}` looked up, else where they were.

    Raises:
        InputError: the driver of a URL is not installed, or a variable is not set; placed at `--checkpoints`.
    """
    if given is None:
        return folder_of(study)
    try:
        return open_folder(expand(given, os.environ))
    except InputError as error:
        raise error.at("--checkpoints") from error


def seeds_folder(folder: Folder) -> Folder:
    """Return where, below a study's checkpoints, those of its replicates are; they are named by their own numbers."""
    return open_folder(join(str(folder), "seeds"))


def make_folder(folder: Folder) -> None:
    """Make the folder of a study's checkpoints, and show that files can be written there.

    Raises:
        InputError: they cannot, or no other process would see them.
    """
    if str(folder).startswith("memory://"):
        raise InputError("memory:// is of one process, and trials train in others", place="checkpoints")
    probe = f".probe.{socket.gethostname()}.{os.getpid()}"
    with _placed(f"cannot make {folder}: "):
        folder.make()
    with _placed(f"cannot write to {folder}: "):
        folder.write(probe, b"")
        folder.remove(probe)


@contextmanager
def _placed(begins: str = "") -> Iterator[None]:
    """Say where in the file it stands that a folder cannot be had."""
    try:
        yield
    except InputError as error:
        raise error.at("checkpoints") from error
    except OSError as error:
        said = f"{begins}{error.strerror}" if error.strerror else str(error)  # which begins with the URL
        raise InputError(said, place="checkpoints") from error


def newest(number: int) -> str:
    """Return the name of a trial's newest checkpoint."""
    return f"{number}.pt"


def crash_note(number: int) -> str:
    """Return the name of the file in which a trial's worker leaves why it died; it goes like what is half written."""
    return f".{number}.pt.crash"


def sweep_notes(folder: Folder) -> None:
    """Remove the files for crashes that workers which are gone have left: what was in them is recorded."""
    with suppress(OSError):
        for name in folder.sizes():
            if CRASH.fullmatch(name):
                folder.remove(name)


def before(number: int) -> str:
    """Return the name of the one before."""
    return checkpoint.before(newest(number))


def over_limit(number: int) -> str:
    """Return the name of the empty file that tells where a checkpoint has gone."""
    return f"{number}.over-limit"


def numbers(pattern: re.Pattern[str], names: Iterable[str]) -> set[int]:
    """Return the trials that have a file of a kind."""
    return {int(found[1]) for name in names if (found := pattern.fullmatch(name))}


def owner_of(name: str) -> int | None:
    """Return whose file it is, or None where it is not a checkpoint's."""
    found = (pattern.fullmatch(name) for pattern in (NEWEST, BEFORE, OVER_LIMIT, HALF_WRITTEN))
    return next((int(each[1]) for each in found if each), None)
