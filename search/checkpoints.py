"""Keep of a study's checkpoints what is worth its room: those of running trials, and of the front's as many as fit.

For trial 12 there are `12.pt`, the newest; `12.before.pt`, the one before, while it trains; `.12.pt.*`, what a writer
has not finished; and `12.over-limit`, empty, where its weights had to go though it is on the front.
"""

import math
import os
import re
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from search.config import StudyConfig
from search.fronts import front_trials, minimised_values
from search.pareto import order
from search.running import RunningStudy
from search.trial import State, StudyRecord, TrialRecord
from search.units import format_bytes
from spaces.errors import InputError
from workers import checkpoint
from workers.places import Folder, join, open_folder

NEWEST, BEFORE = re.compile(r"(\d+)\.pt"), re.compile(r"(\d+)\.before\.pt")
OVER_LIMIT, HALF_WRITTEN = re.compile(r"(\d+)\.over-limit"), re.compile(r"\.(\d+)\.pt\..+")
FRONTS_SHARE = 0.5  # of the limit, whatever running trials take: theirs goes again, removed weights never come back
LOOK_S = 30.0  # between two looks at what running trials take, where nobody has ended
SHARE = 0.1  # of the time, at most, goes into looking


def checkpoint_folder(config: StudyConfig, record: StudyRecord) -> Folder:
    """Return the folder of a study's checkpoints, the same for every worker and every launch.

    The moment the study began is part of it: a study of the same name in another database is another one.

    Raises:
        InputError: its driver is not installed, or cannot reach it.
    """
    began = record.created_at.astimezone(UTC) if record.created_at else datetime.min
    with _placed():
        return open_folder(join(config.checkpoints.folder, f"{record.name}-{began:%Y%m%dT%H%M%S}"))


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


def before(number: int) -> str:
    """Return the name of the one before."""
    return checkpoint.before(newest(number))


def over_limit(number: int) -> str:
    """Return the name of the empty file that tells where a checkpoint has gone."""
    return f"{number}.over-limit"


def numbers(pattern: re.Pattern[str], names: Iterable[str]) -> set[int]:
    """Return the trials that have a file of a kind."""
    return {int(found[1]) for name in names if (found := pattern.fullmatch(name))}


def _owner(name: str) -> int | None:
    found = (pattern.fullmatch(name) for pattern in (NEWEST, BEFORE, OVER_LIMIT, HALF_WRITTEN))
    return next((int(each[1]) for each in found if each), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidying:
    """Say what is to be removed."""

    needless: Collection[str]  # files that nobody needs
    over_limit: Sequence[int]  # trials on the front whose checkpoints do not fit, the most crowded first
    left_bytes: int


def judge(
    study: StudyRecord, trials: Mapping[int, TrialRecord], sizes: Mapping[str, int], limit_bytes: float
) -> Tidying:
    """Decide what stays: all of running trials and of strangers; of the front first the ends, then the least crowded.

    The front has the room that the others leave, and at least its share of the limit.

    Args:
        study: whose front it is.
        trials: by number; files of trials that are not among them stay.
        sizes: bytes by name of what lies in the folder.
        limit_bytes: that all of it may take.
    """
    front = front_trials(study, list(trials.values()))
    best = {trial.number for trial in front}
    ended = {number for number, trial in trials.items() if trial.state is not State.RUNNING}
    needless = {name for name in sizes if _owner(name) in ended and not _stays(name, best, sizes)}
    left = sum(size for name, size in sizes.items() if name not in needless)
    over = _over(study, front, sizes, limit_bytes, left)
    return Tidying(needless=needless, over_limit=over, left_bytes=left - sum(sizes[newest(number)] for number in over))


def _stays(name: str, front: Collection[int], sizes: Mapping[str, int]) -> bool:
    """Say of a file of an ended trial whether it stays: the newest, or what stands for it."""
    owner = _owner(name)
    if owner is None or owner not in front:
        return False
    return name == newest(owner) or (newest(owner) not in sizes and name in (before(owner), over_limit(owner)))


def _over(
    study: StudyRecord, front: list[TrialRecord], sizes: Mapping[str, int], limit_bytes: float, left: int
) -> list[int]:
    """Return whose checkpoints do not fit when those that matter most are put back first."""
    held = [trial for trial in front if newest(trial.number) in sizes]
    values = minimised_values(study, held)
    held = [held[index] for index in values[:, 0].argsort(kind="stable")]  # of the ends that of the first objective
    room = limit_bytes - left + sum(sizes[newest(trial.number)] for trial in held)
    room = max(room, limit_bytes * FRONTS_SHARE)
    over = []
    for index in order(minimised_values(study, held)).tolist():
        size = sizes[newest(held[index].number)]
        if size <= room:
            room -= size
        else:
            over.append(held[index].number)
    return over[::-1]


def _concerned(study: RunningStudy, names: Iterable[str]) -> dict[int, TrialRecord]:
    """Return the trials of the front and of these files: the front of them is that of all, and they are few."""
    owners = {owner for name in names if (owner := _owner(name)) is not None and owner in study.trials}
    return {trial.number: trial for trial in study.trials.front} | {owner: study.trials[owner] for owner in owners}


@dataclass(slots=True, kw_only=True)
class Checkpoints:
    """Tidy a study's folder now and then, and know what it takes."""

    folder: Folder
    limit_bytes: float = math.inf
    clock: Callable[[], float] = time.monotonic
    used_bytes: int | None = None  # none: nobody has looked, or nobody could
    over_limit: set[int] = field(default_factory=set)  # trials whose weights went for the limit
    _ended: int = -1
    _looked: float = -math.inf
    _next: float = -math.inf
    _said: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, config: StudyConfig, record: StudyRecord) -> "Checkpoints":
        """Return those of a study.

        Raises:
            InputError: as `checkpoint_folder`.
        """
        return cls(folder=checkpoint_folder(config, record), limit_bytes=config.checkpoints.limit_bytes)

    @property
    def shown(self) -> str:
        """Return what they take: `checkpoints 12 MB of 20 GB`."""
        limit = f" of {format_bytes(self.limit_bytes)}" if math.isfinite(self.limit_bytes) else ""
        return f"checkpoints {format_bytes(self.used_bytes)}{limit}"

    def look(self) -> None:
        """Find out what they take.

        Raises:
            OSError: the folder cannot be reached.
        """
        self._note(self.folder.sizes())

    def _note(self, sizes: Mapping[str, int]) -> None:
        self.used_bytes = sum(sizes.values())
        self.over_limit = numbers(OVER_LIMIT, sizes)

    def tidy(self, study: RunningStudy) -> list[str]:
        """Remove what need not stay, if it is time to look, and return what is to be said: each line once.

        What cannot be removed now is tried again; no study ends for it.
        """
        began = self.clock()
        if not self._due(study, began):
            return []
        self._ended, self._looked = study.ended, began
        try:
            said = self._tidy(study)
        except OSError as error:
            said = {"error": f"checkpoints cannot be tidied now: {error}"}
        self._next = self.clock() + (self.clock() - began) * (1 / SHARE - 1)
        told = [line for kind, line in said.items() if kind not in self._said]
        self._said |= said.keys()
        return told

    def _due(self, study: RunningStudy, now: float) -> bool:
        """Say whether it is time: somebody has ended, or running trials may have begun to take more."""
        if study.ended == self._ended:
            return now - self._looked >= LOOK_S
        return now >= self._next or study.over

    def _tidy(self, study: RunningStudy) -> dict[str, str]:
        sizes = self.folder.sizes()
        self._note(sizes)
        tidying = judge(study.record, _concerned(study, sizes), sizes, self.limit_bytes)
        for name in sorted(tidying.needless):
            self.folder.remove(name)
        for number in tidying.over_limit:
            self.folder.write(over_limit(number), b"")
            self.folder.remove(newest(number))
        self.used_bytes = tidying.left_bytes
        self.over_limit = self.over_limit.union(tidying.over_limit) - numbers(OVER_LIMIT, tidying.needless)
        return dict(self._said_of(tidying))

    def _said_of(self, tidying: Tidying) -> Iterator[tuple[str, str]]:
        limit = format_bytes(self.limit_bytes)
        if tidying.over_limit:
            gone = ", ".join(map(str, tidying.over_limit[:8]))
            line = (
                f"checkpoints have reached their limit of {limit} (checkpoints.limit): from now on the most crowded of "
            )
            line += f"the front lose their weights, trial {gone} first; their measurements stay"
            yield "limit", line
        if tidying.left_bytes > self.limit_bytes:
            line = f"checkpoints take {format_bytes(tidying.left_bytes)}, more than their limit of {limit} "
            line += "(checkpoints.limit): running trials keep theirs, and half of the limit is the front's"
            yield "running", line
