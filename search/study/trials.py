"""A study's trials by number, with counts, front and identities kept up to date in constant time a change."""

from collections import Counter, UserDict
from collections.abc import Iterable
from datetime import datetime

from search.core.fronts import front_trials
from search.core.records import State, StudyRecord, TrialRecord
from search.samplers.suspects import LEAST, Suspect, suspects_of
from workers.kinds import FailureKind


class TrialIndex(UserDict[int, TrialRecord]):
    """Trials by number. One that has ended stays as it is, and none is taken away."""

    def __init__(self, record: StudyRecord, trials: Iterable[TrialRecord] = ()) -> None:
        super().__init__()
        self.record = record
        self.newest = -1  # the highest number
        self.count = Counter[State]()
        self.running: set[int] = set()
        self.ended: list[int] = []  # in the order in which they did
        self.known: dict[str, int] = {}  # the trial of each identity that needs no second training
        self._ran_out: list[TrialRecord] = []  # of memory
        self.crashed: list[TrialRecord] = []  # or hung, and were convicted of it
        self._largest: TrialRecord | None = None  # of those that were trained, by its estimate of memory
        self._front: list[TrialRecord] = []
        self._unranked: list[TrialRecord] = []  # complete, and not compared with the front yet
        for trial in trials:
            self[trial.number] = trial

    def __setitem__(self, number: int, trial: TrialRecord) -> None:
        before = self.data.get(number)
        self.data[number] = trial
        if before is None:
            self._begin(trial)
        else:
            self.count[before.state] -= 1
        self.count[trial.state] += 1
        if number in self.running and trial.state is not State.RUNNING:
            self._end(trial)
        self._note_memory(trial)

    def _begin(self, trial: TrialRecord) -> None:
        self.newest = max(self.newest, trial.number)
        self.running.add(trial.number)
        self.known[trial.identity] = trial.number

    def _end(self, trial: TrialRecord) -> None:
        self.running.remove(trial.number)
        self.ended.append(trial.number)
        if trial.state is State.COMPLETE:
            self._unranked.append(trial)
        if trial.failure_kind == FailureKind.OUT_OF_MEMORY:
            self._ran_out.append(trial)
        if _crashed(trial):
            self.crashed.append(trial)
        if trial.failed_transiently and self.known.get(trial.identity) == trial.number:
            del self.known[trial.identity]

    def _note_memory(self, trial: TrialRecord) -> None:
        """Keep the largest that fits; one that runs out in a later epoch never did, and then another one is."""
        if _fits(trial):
            self._largest = max(self._largest or trial, trial, key=_need)
        elif self._largest is not None and self._largest.number == trial.number:
            self._largest = max(filter(_fits, self.values()), key=_need, default=None)

    @property
    def front(self) -> list[TrialRecord]:
        """Return the complete trials that no other dominates, from the best of the last objective to the worst."""
        if self._unranked:
            self._front = front_trials(self.record, [*self._front, *self._unranked])
            self._unranked = []
        return self._front

    @property
    def suspects(self) -> list[Suspect]:
        """Return the properties of networks that crash: read through all trials, but only where several did."""
        if len(self.crashed) < LEAST:
            return []
        lived = [trial.params for trial in self.values() if trial.epochs and not _crashed(trial)]
        return suspects_of([trial.params for trial in self.crashed], lived)

    def memory_evidence(self, since: datetime) -> list[TrialRecord]:
        """Return what a ceiling of memory is read from: what ran out since then, and the largest that fits."""
        ran_out = [t for t in self._ran_out if t.epochs or (t.started_at and t.started_at >= since)]
        return ran_out if self._largest is None else [*ran_out, self._largest]


def _crashed(trial: TrialRecord) -> bool:
    return bool(trial.failure_kind) and FailureKind.of(trial.failure_kind).suspect


def _fits(trial: TrialRecord) -> bool:
    return trial.epochs > 0 and trial.failure_kind != FailureKind.OUT_OF_MEMORY


def _need(trial: TrialRecord) -> int:
    return trial.cost.training_bytes
