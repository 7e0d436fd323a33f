"""Watch the trials at work for signs of life, and end the worker of one that is stuck or has had its time.

Workers count their steps in Ray's key-value store (`workers.pulse`). Only that a count changes matters, by the driver's
own clock, so no two machines need to agree on the time.
"""

import json
import os
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.core.patience import ROOM_TO_A_RUNG, Patience, expected_epoch_s, slow_line, stuck_line
from search.core.records import TrialRecord
from search.study.running import RunningStudy
from spaces.errors import TrialFailure
from workers.kinds import FailureKind
from workers.pulse import BEGINNING, Sign

LOOK_S = 2.0  # between two looks
OVERDUE = 0.5  # of what is allowed, after which the display marks a trial
SILENT_S = 5.0  # beyond a limit: whoever gave no sign for so long hangs, whoever did was only slow
ALIKE = 50  # trials of each kind that epochs are estimated by
AGAIN_S = 30.0  # until a worker that was ended, and whose death nobody heard of, is ended again
TASK = b"ray::"  # what the command line of Ray's workers begins with


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was last seen of one trial, by the driver's clock."""

    sign: Sign
    changed_at: float
    recorded: int  # its epochs when it was handed out
    epochs: int
    epoch_at: float  # when its last epoch was told, recorded before or not, or it began to train
    ended_at: float | None = None  # when its worker was last ended
    why: TrialFailure | None = None  # it was ended

    def forgive(self, seconds: float) -> None:
        """Count so many seconds as if they had not passed."""
        self.changed_at += seconds
        self.epoch_at += seconds


@dataclass(slots=True)
class Watch:
    """Look at each trial that has given a sign of life since it was handed out."""

    study: RunningStudy
    patience: Patience
    clock: Callable[[], float] = time.monotonic
    read: Callable[[str], bytes | None] = field(default=lambda key: _internal_kv_get(key))
    end: Callable[[Sign], None] = field(default=lambda sign: end_worker(sign))
    end_alone: Callable[[Sign], None] | None = None  # a trial that gives signs of life, where others share its process
    delete: Callable[[str], object] = field(default=lambda key: _internal_kv_del(key))
    launch: str = field(default_factory=lambda: uuid.uuid4().hex)  # so that signs of a launch before are not taken
    _starts: dict[int, str] = field(default_factory=dict)  # the key of each trial's latest start
    _together: dict[int, int] = field(default_factory=dict)  # how many share out the seconds that epochs take
    _count: int = 0
    _since: dict[int, float] = field(default_factory=dict)  # when trials at work were first looked at
    _seen: dict[int, Seen] = field(default_factory=dict)
    _looked_at: float | None = None
    _cut_off_at: float | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as nothing, as the running study does."""
        return (object, ())

    def begin(self, number: int, together: int = 1) -> str:
        """Return where a trial that is handed out leaves its signs: each time another place, as an old sign is none.

        Args:
            number: of the trial.
            together: with how many, counting it, it is trained as one network.
        """
        self._forget(number)
        self._together[number] = together
        self._count += 1
        self._starts[number] = f"widefront:{self.launch}:{number}:{self._count}"
        return self._starts[number]

    def _forget(self, number: int) -> None:
        self._seen.pop(number, None)
        self._since.pop(number, None)
        if (key := self._starts.pop(number, None)) is not None:
            with suppress(Exception):  # a head that is away forgets by itself
                self.delete(key)

    def look(self) -> None:
        """Look at all trials at work, if the last time is a while ago, and end what is beyond its bounds."""
        now = self.clock()
        since_s = now - (self._looked_at or now - LOOK_S)
        if since_s < LOOK_S:
            return
        self._looked_at = now
        self._forgive(since_s - LOOK_S)
        self._note_budget(now)
        self.study.overdue.clear()
        at_work = self.study.at_work
        for gone in self._starts.keys() - at_work:
            self._forget(gone)
        for number in at_work & self._starts.keys():
            self._since.setdefault(number, now)
            if (seen := self._look_at(number, now, since_s)) is not None:
                self._judge(number, seen, now)
            elif self._cut_off_at is not None and number not in self._seen:
                self._break_off_unseen(number, now)

    def _break_off_unseen(self, number: int, now: float) -> None:
        """Let a trial that no worker has taken up rest once the budget is over: nobody can tell where it hangs."""
        if now - max(self._cut_off_at or now, self._since[number]) > self.patience.grace_s:
            self.study.break_off(number)

    def _forgive(self, stood_s: float) -> None:
        """Forgive everybody what the driver stood still for: it may not have heard what was told meanwhile."""
        for seen in self._seen.values():
            seen.forgive(stood_s)
        if self._cut_off_at is not None:
            self._cut_off_at += stood_s

    def _note_budget(self, now: float) -> None:
        if not self.study.cut_off:
            self._cut_off_at = None
        elif self._cut_off_at is None:
            self._cut_off_at = now

    def _look_at(self, number: int, now: float, since_s: float) -> Seen | None:
        """Return what is seen of a trial now; None, and nobody's fault, where the head cannot be heard."""
        seen, told = self._seen.get(number), None
        with suppress(Exception):  # a head that is away is noticed by others
            told = self.read(self._starts[number])
        if told is None:
            if seen is not None:
                seen.forgive(since_s)
            return None
        sign, epochs = Sign(**json.loads(told)), self.study.trials[number].epochs
        if seen is None:
            seen = Seen(sign=sign, changed_at=now, recorded=epochs, epochs=epochs, epoch_at=now)
            self._seen[number] = seen
        further = epochs != seen.epochs or sign.epoch != seen.sign.epoch
        if sign != seen.sign or further:
            seen.sign, seen.changed_at = sign, now
        if further or sign.phase in BEGINNING:  # to load data is no part of an epoch
            seen.epochs, seen.epoch_at = epochs, now
        return seen

    def _judge(self, number: int, seen: Seen, now: float) -> None:
        trial = self.study.trials[number]
        if seen.ended_at is not None:  # it was ended: until its death is heard of, again and again
            self.study.overdue[number] = now - seen.changed_at
            return self._end(number, seen, now) if now - seen.ended_at > AGAIN_S else None
        together = self._together[number]
        own_s = expected_epoch_s(trial, self._alike())  # what is recorded of an epoch is a share of it
        expected_s = None if own_s is None else together * own_s
        silent_s, epoch_s = now - seen.changed_at, now - seen.epoch_at
        bounds: tuple[tuple[float, float | None, Callable[[float, float], str]], ...] = (
            (silent_s, self.patience.silent_s(seen.sign.phase, expected_s), partial(stuck_line, seen.sign.phase)),
            (epoch_s, self.patience.epoch_s(expected_s), partial(slow_line, _epochs(trial, seen) + 1)),
        )
        for passed_s, bound_s, line in bounds:
            if bound_s is not None and passed_s > bound_s:
                return self._end(number, seen, now, TrialFailure(FailureKind.HUNG, line(passed_s, bound_s)))
            if bound_s is not None and passed_s > OVERDUE * bound_s:
                self.study.overdue[number] = passed_s
        limit_s = self.study.limit_s
        if (
            limit_s is not None
            and seen.sign.phase not in BEGINNING
            and trial.trained_s + epoch_s / together > limit_s + self.patience.grace_s
        ):
            took_s = trial.trained_s + epoch_s / together
            return self._end(number, seen, now, self._over_limit(took_s, silent_s, seen))
        if self._cut_off_at is not None and now - self._cut_off_at > self._grace_s(number, silent_s, expected_s):
            self.study.break_off(number)
            self._end(number, seen, now, TrialFailure(FailureKind.HUNG, "the budget is spent"))
        return None

    def _alike(self) -> Any:
        """Return the trials that epochs are estimated by: some that rest, and the last to end."""
        numbers = (*list(self.study.resting)[-ALIKE:], *self.study.trials.ended[-ALIKE:])
        return (self.study.trials[number] for number in numbers)

    def _over_limit(self, took_s: float, silent_s: float, seen: Seen) -> TrialFailure:
        if silent_s > SILENT_S:
            return TrialFailure(FailureKind.HUNG, stuck_line(seen.sign.phase, silent_s, self.patience.grace_s))
        return self.study.over_time(took_s)

    def _grace_s(self, number: int, silent_s: float, expected_s: float | None) -> float:
        """Return how long after the end of a budget a trial may go on: to its next rung, if it gives signs of life."""
        if silent_s > SILENT_S:
            return self.patience.grace_s
        epochs = self.study.epochs_to_rung(number)
        return self.patience.grace_s + ROOM_TO_A_RUNG * epochs * (expected_s or 0.0)

    def _end(self, number: int, seen: Seen, now: float, why: TrialFailure | None = None) -> None:
        if why is not None:
            seen.why = why
        lives = seen.ended_at is None and now - seen.changed_at <= SILENT_S
        seen.ended_at = now
        self.study.overdue[number] = now - seen.changed_at
        (self.end_alone if lives and self.end_alone else self.end)(seen.sign)

    def why(self, number: int) -> TrialFailure | None:
        """Return why a trial's worker was ended, once: it is asked when the worker's death is heard of."""
        seen = self._look_at(number, self.clock(), 0.0) if number in self._seen else None
        seen = seen or self._seen.get(number)
        self._forget(number)
        if seen is None:
            return None
        if seen.sign.again and self.study.trials[number].epochs == seen.recorded:  # else a result has told of it
            self.study.trained_again(number, **seen.sign.again)
        return seen.why


def _epochs(trial: TrialRecord, seen: Seen) -> int:
    """Return how many epochs a trial's network has been trained for by now: fewer than recorded where it is behind."""
    return seen.sign.epoch if seen.sign.again else max(trial.epochs, seen.sign.epoch)


def end_worker(sign: Sign) -> None:
    """End a worker for good: a process that was stopped, or spins, answers nothing, so Ray's own way waits for it."""
    if sign.node == ray.get_runtime_context().get_node_id():
        kill(sign.pid)
        return
    there = NodeAffinitySchedulingStrategy(sign.node, soft=False)
    with suppress(RayError):  # a node that is gone has taken it along
        ray.remote(kill).options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(sign.pid)


def kill(pid: int) -> None:
    """End a process of this machine if it is one of Ray's workers; the number may be another's by now."""
    with suppress(OSError):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(TASK):
            os.kill(pid, signal.SIGKILL)
