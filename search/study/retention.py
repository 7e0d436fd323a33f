"""Keep of a study's checkpoints what is worth its room: those of running trials, and of the front's as many as fit."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from search.config.study import StudyConfig
from search.core.fronts import front_trials, minimised_values, run_front
from search.core.records import State, StudyRecord, TrialRecord
from search.core.units import format_bytes
from search.models.pareto import order
from search.study.checkpoints import (
    NEWEST,
    OVER_LIMIT,
    before,
    checkpoint_folder,
    newest,
    numbers,
    over_limit,
    owner_of,
)
from search.study.running import RunningStudy
from workers.places import Folder

FRONTS_SHARE = 0.5  # of the limit, whatever running trials take: theirs goes again, removed weights never come back


LOOK_S = 30.0  # between two looks at what running trials take, where nobody has ended


SHARE = 0.1  # of the time, at most, goes into looking


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is to be removed."""

    needless: Collection[str]  # files that nobody needs
    over_limit: Sequence[int]  # trials on the front whose checkpoints do not fit, the most crowded first
    left_bytes: int


def judge(
    study: StudyRecord, trials: Mapping[int, TrialRecord], sizes: Mapping[str, int], limit_bytes: float
) -> Retention:
    """Decide what stays: all of running trials and of strangers; of the front first the ends, then the least crowded.

    The front has the room that the others leave, and at least its share of the limit.

    Args:
        study: whose front it is.
        trials: by number; files of trials that are not among them stay.
        sizes: bytes by name of what lies in the folder.
        limit_bytes: that all of it may take.
    """
    front = either_front(study, list(trials.values()))
    best = {trial.number for trial in front}
    ended = {number for number, trial in trials.items() if trial.state is not State.RUNNING}
    needless = {name for name in sizes if owner_of(name) in ended and not _stays(name, best, sizes)}
    left = sum(size for name, size in sizes.items() if name not in needless)
    over = _over(study, front, sizes, limit_bytes, left)
    return Retention(
        needless=needless, over_limit=over, left_bytes=left - sum(sizes[newest(number)] for number in over)
    )


def either_front(study: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return who is on the front by its own training, or by the mean of its seeds, or would be if the study were wider.

    What a changed space or constraint has left outside is on no front, and may be again: weights do not come back.
    """
    fronts = [run_front(study, trials)]
    if any(trial.replicates for trial in trials):
        fronts.append(front_trials(study, trials))
    if any(trial.outside for trial in trials):
        wider = {trial.number for trial in run_front(study, [replace(trial, outside="") for trial in trials])}
        fronts.append([trial for trial in trials if trial.number in wider])
    return list({trial.number: trial for front in fronts for trial in front}.values())


def _stays(name: str, front: Collection[int], sizes: Mapping[str, int]) -> bool:
    """Say of a file of an ended trial whether it stays: the newest, or what stands for it."""
    owner = owner_of(name)
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
    owners = {owner for name in names if (owner := owner_of(name)) is not None and owner in study.trials}
    return {trial.number: trial for trial in study.trials.front} | {owner: study.trials[owner] for owner in owners}


def spare_of_seeds(sizes: Mapping[str, int], states: Mapping[int, State], limit_bytes: float) -> list[str]:
    """Return what goes of the files of seeds: of those that ended all but weights, and the oldest over a limit."""
    ended = {number for number, state in states.items() if state is not State.RUNNING}
    weights = {newest(number) for number in ended if states[number] is State.COMPLETE}
    gone = [name for name in sizes if owner_of(name) in ended and name not in weights]
    held = sorted(numbers(NEWEST, weights & sizes.keys()), reverse=True)  # the newest first
    room = limit_bytes
    for number in held:
        room -= sizes[newest(number)]
        gone += [newest(number)] if room < 0 else []
    return gone


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
        """Whether it is time: somebody has ended, or running trials may have begun to take more."""
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

    def _said_of(self, tidying: Retention) -> Iterator[tuple[str, str]]:
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
