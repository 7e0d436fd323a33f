"""Hold a study in its course: hand out trials, record what they show, decide who goes on. Free of Ray.

Ray's searcher and scheduler, a simulated clock and the tests all drive this one object. Whatever it is told is in
SQL before it counts.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from search.core.budget import Budget, Rates, Spending
from search.core.clock import steady_clock
from search.core.fronts import objective_values
from search.core.records import KILLED, PREEMPTED, SUSPECT, TRANSIENT, Host, Rejection, State, StudyRecord, TrialRecord
from search.core.units import format_duration
from search.samplers.memory import MEMORY, OUT_OF_MEMORY, ceiling_of
from search.samplers.proposer import Proposal, Proposer
from search.samplers.suspects import SUSPECTED
from search.schedulers.base import GO_ON, Decision, PromotionState, Scheduler, Verdict
from search.study.disk import FULL, Disk
from search.study.launches import Alone, Fellows
from search.study.recording import Bringing, Recording
from search.study.trials import Roll
from spaces.errors import StorageAway, TrialFailure
from workers.measurement import Measurement

ATTEMPTS = 3  # times a trial is handed out again after a failure that was not its own
BACK_OFF_S = 2.0  # before the first of them; four times as long before each one after


class Nothing(Enum):
    """Say why there is no trial to hand out."""

    LEFT = auto()  # the study ends when the running trials have
    NOW = auto()  # ask again: a trial that failed for its machine waits a while, or the database is away


@dataclass(slots=True)
class Spent:
    """Add up where the seconds of this launch went."""

    startup_s: float = 0.0
    running_s: float = 0.0  # from Ray's start to the last trial's end
    proposing_s: float = 0.0
    training_s: float = 0.0
    recording_s: float = 0.0


@dataclass(slots=True)
class RunningStudy:
    """Move trials from proposed to complete, stopped or failed."""

    record: StudyRecord
    outbox: Bringing
    proposer: Proposer
    scheduler: Scheduler
    budget: Budget
    rates: Rates = field(default_factory=Rates)
    fellows: Fellows = field(default_factory=Alone)
    limit_s: float | None = None  # seconds of training that one trial may take
    seed: int = 0
    earlier_s: float = 0.0  # spent by launches before this one
    clock: Callable[[], datetime] = field(default_factory=steady_clock)
    trials: Roll = field(init=False)
    disk: Disk = field(init=False)
    rejections: list[Rejection] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    spent: Spent = field(default_factory=Spent)
    exhausted: bool = False
    elsewhere: set[int] = field(default_factory=set)  # running trials that another launch trains
    paused: set[int] = field(default_factory=set)  # at a rung, until there is more budget
    resting: dict[int, int] = field(default_factory=dict)  # the rung's epoch of each trial that waits for its turn
    trained_s: float = 0.0  # over all trials and launches, measuring included
    trained_epochs: int = 0
    began: datetime | None = None
    starting_s: float = 0.0  # between then and when this launch trained its first trial
    _trains: bool = False  # or has trained
    _unsaved: list[Rejection] = field(default_factory=list)
    _suspicions: set[str] = field(default_factory=set)  # that are recorded
    _not_before: dict[int, datetime] = field(default_factory=dict)
    _killed: set[int] = field(default_factory=set)  # trials whose worker was ended for the machine's memory once
    numerics: dict[str, str] = field(default_factory=dict)  # by kind of machine: precision and layout
    _hosts: set[tuple[str, str]] = field(default_factory=set)  # of this launch
    overdue: dict[int, float] = field(default_factory=dict)  # seconds that trials are behind what is expected
    setbacks: list[tuple[int, TrialFailure]] = field(default_factory=list)  # trials tried again, and why
    notices: list[str] = field(default_factory=list)  # that nobody was told yet
    fresh: set[int] = field(default_factory=set)  # trials whose worker crashed or hung: a fresh one tells whose fault
    _tries: dict[int, tuple[int, int]] = field(default_factory=dict)  # at which epoch, and how many
    _mirrors: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trials = Roll(self.record)
        self.disk = Disk(lambda: self.clock())

    def restore(self, trials: list[TrialRecord], rejections: list[Rejection]) -> None:
        """Take up what earlier launches recorded: rungs, the sampler's knowledge, trials to go on with."""
        self.began = self.clock()
        self.trials = Roll(self.record, trials)
        with self.fellows.turn():
            for trial in self.recorder.reconcile(self.trials):
                self.trials[trial.number] = trial
        attrs = self.recorder.sampler_attrs()
        self.rejections = list(rejections)
        self._suspicions = {each.reason for each in rejections if SUSPECTED in each.violations}
        for rejection in rejections:
            if rejection.violations.keys() - {MEMORY, SUSPECTED}:  # doubts are of one launch: the next may have none
                self.proposer.remember(rejection.params, violations=rejection.violations)
        for number in sorted(self.trials):
            self._restore_trial(self.trials[number], attrs.get(number, {}))
        self.proposer.take_up()
        for number in sorted(self.trials):
            self._settle(self.trials[number])

    def _restore_trial(self, trial: TrialRecord, attrs: dict[str, object]) -> None:
        for measurement in trial.measurements:
            self._count(measurement)
            self.scheduler.observe(trial, measurement)
        if trial.given_up:
            return
        complete = trial.state is State.COMPLETE
        showed = {each.epoch: each for each in trial.measurements if each.epoch in self.scheduler.levels}
        self._mirrors[trial.number] = self.proposer.remember(
            trial.params,
            values=objective_values(self.record, trial) if complete else None,
            violations={trial.failure_kind: 1.0} if trial.state is State.FAILED else None,
            running=trial.state is State.RUNNING,
            system_attrs=attrs,
            showed={epoch: self._values(trial, each) for epoch, each in showed.items()},
        )

    def _settle(self, trial: TrialRecord) -> None:
        """Decide what the driver died before deciding, or let the trial wait for a worker."""
        if trial.state is not State.RUNNING:
            return
        if self.fellows.train(trial) or not self.fellows.claim(trial):
            self.elsewhere.add(trial.number)
            return
        self.elsewhere.discard(trial.number)
        self._tries[trial.number] = (trial.epochs, min(trial.attempts, ATTEMPTS))
        if self.fellows.shared:
            trial = self.trials[trial.number] = replace(trial, session=self.fellows.session)
        if trial.last is not None:
            self._show(trial, trial.last)
            if self._judge(trial, trial.last).stop:
                return
        self.waiting.append(trial.number)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as nothing: Ray pickles what it is given, for a restore that the database makes needless."""
        return (object, ())

    @property
    def recorder(self) -> Recording:
        """Return what numbers trials and keeps the records."""
        return self.outbox.recorder

    @property
    def ended(self) -> int:
        """Return how many trials have come to an end."""
        return len(self.trials.ended)

    @property
    def over(self) -> bool:
        """Say whether nothing runs and nothing more will be handed out."""
        if self.outbox.away_s is not None or not (self.exhausted or self._budget_spent()):
            return False
        resting = self.paused.union(self.elsewhere, *((self.waiting, self.resting) if self.cut_off else ()))
        doubtful = any(self.trials[number].session in self.fellows.doubtful for number in self.elsewhere)
        return self.trials.running <= resting and not doubtful

    @property
    def cut_off(self) -> bool:
        """Say whether time or money has run out; that no further trial is due stops none that runs."""
        return self.budget.ended_by(self.spending) not in (None, "trials")

    @property
    def at_work(self) -> set[int]:
        """Return the running trials that this launch has handed out and not heard the end of."""
        return self.trials.running.difference(self.waiting, self.resting, self.paused, self.elsewhere)

    def epochs_to_rung(self, number: int) -> int:
        """Return how many epochs a trial has before it to its next rung, or to full fidelity."""
        epochs = self.trials[number].epochs
        return self.scheduler.next_read(epochs) - epochs

    @property
    def seconds(self) -> float:
        """Return how long the study has been alive, over all launches, time between them left out."""
        return self.earlier_s + ((self.clock() - self.began).total_seconds() if self.began else 0.0)

    @property
    def studied_s(self) -> float:
        """Return how long the study has been alive, without what this launch took to start."""
        return max(0.0, self.seconds - self.starting_s)

    def look_at_start(self) -> None:
        """Count the time until now as this launch's start, as long as it trains nothing yet."""
        self._trains = self._trains or bool(self.at_work)
        if not self._trains:
            self.starting_s = self.seconds - self.earlier_s

    @property
    def spending(self) -> Spending:
        """Return what is spent of whatever a budget can bound."""
        return Spending.of(
            trials=len(self.trials),
            epochs=self.trained_epochs,
            trained_s=self.trained_s,
            seconds=self.seconds,
            rates=self.rates,
        )

    def _count(self, measurement: Measurement) -> None:
        self.trained_s += measurement.wall_s
        self.trained_epochs += 1

    def _budget_spent(self) -> bool:
        return self.budget.ended_by(self.spending) is not None

    def hand_out(self) -> TrialRecord | Nothing:
        """Return the next trial to train: one that waits, or a new one."""
        there = self.deliver()
        if self.disk.full_s is not None and not self.cut_off and (self.waiting or self.at_work):
            return self._try_disk()
        if not self.cut_off and (ready := self._ready()) is not None:
            return self.trials[ready]
        return self._next_work(there)

    def _next_work(self, there: bool) -> TrialRecord | Nothing:
        """Return a trial that is promoted, or else a new one: the one place that decides between them."""
        if not self.cut_off and (promoted := self._promoted()) is not None:
            return promoted
        if self.exhausted or self._budget_spent():
            return Nothing.NOW if self.waiting and not self.cut_off else Nothing.LEFT
        begun = self._take_turn() if there else Nothing.NOW
        if begun is Nothing.LEFT and (promoted := self._promoted()) is not None:
            return promoted  # that nothing is left has only now come out
        return begun

    def _try_disk(self) -> TrialRecord | Nothing:
        """Return a trial that finds out whether there is room again; nothing else is handed out meanwhile."""
        if not self.waiting or not self.disk.may_try(self.at_work):
            return Nothing.NOW
        number = self.waiting.popleft()
        self.disk.tries(number)
        return self.trials[number]

    def _ready(self) -> int | None:
        """Take the first waiting trial whose time has come."""
        now = self.clock()
        ready = next((number for number in self.waiting if self._not_before.get(number, now) <= now), None)
        if ready is not None:
            self.waiting.remove(ready)
        return ready

    def _promoted(self) -> TrialRecord | None:
        """Let one of the trials that rest go on, if it is its turn; where none will ever, stop them all."""
        if not self.resting:
            return None
        state = self._promotion_state()
        promoted = self.scheduler.promote(state)
        if promoted is not None:
            del self.resting[promoted]
            return self.trials[promoted]
        if state.no_more_trials and not state.active:
            self._stop_resting(self.scheduler.finish(state))
        return None

    def _promotion_state(self) -> PromotionState:
        active = self.trials.running.difference(self.resting, self.paused, self.elsewhere)
        return PromotionState(
            resting=self.resting,
            active={number: self.trials[number].epochs for number in active},
            trials=len(self.trials),
            trained_epochs=self.trained_epochs,
            no_more_trials=self.exhausted or self._budget_spent(),
            force_one=not self.trials.count[State.COMPLETE],
        )

    def _stop_resting(self, reasons: dict[int, str]) -> None:
        for number, reason in reasons.items():
            del self.resting[number]
            self._end(replace(self.trials[number], state=State.STOPPED, reason=reason))

    def _take_turn(self) -> TrialRecord | Nothing:
        """Begin a new trial, knowing all that other launches have shown; what cannot be recorded has not begun."""
        begun: TrialRecord | Nothing = Nothing.NOW
        try:
            with self.fellows.turn():
                self._hear()
                if self._all_numbered() and not self._budget_spent():
                    self._take_up_rows()  # of a launch that died between Optuna's row and ours
                begun = Nothing.LEFT if self._budget_spent() or self._all_numbered() else self._begin()
        except StorageAway as error:  # at the end of the turn too: what was begun by then has begun
            self.outbox.lose(error)
        return begun

    def _all_numbered(self) -> bool:
        """Say whether the last trial of the budget has its number, which may be all that is recorded of it yet."""
        limit = self.budget.trials
        return self.fellows.shared and limit is not None and self.recorder.count() >= limit

    def _begin(self) -> TrialRecord | Nothing:
        with self._timed("proposing_s"):
            proposal, rejected = self._propose()
        with self._timed("recording_s"):
            try:
                self._record_rejections(rejected)
                if proposal is None:
                    self.exhausted = True
                    return Nothing.LEFT
                trial = self.recorder.start(proposal, self.seed * 1_000_003, self.clock(), self.fellows.session)
            except StorageAway:
                if proposal is not None:
                    self.proposer.take_back(proposal)
                raise
        self.trials[trial.number] = trial
        self._mirrors[trial.number] = proposal.mirror
        return trial

    def deliver(self) -> bool:
        """Bring to the database what it could not take, if it is time to try, and say whether it is there."""
        return self.outbox.deliver(self._adopt)

    def _adopt(self) -> None:
        """Take up what was begun in Optuna's table at the moment when the database went away."""
        self.recorder.hold_again()
        with self.fellows.turn():
            self._hear()
            self._take_up_rows()

    def _take_up_rows(self) -> None:
        """Take up trials of which Optuna's table alone tells: whoever holds the turn knows that nobody begins them."""
        for trial in self.recorder.reconcile(self.trials):
            self.trials[trial.number] = trial
            self._restore_trial(trial, {})
            if self.fellows.shared:
                self.elsewhere.add(trial.number)  # should the database go away again before it is claimed
            self._settle(trial)

    def keep(self) -> None:
        """Make sure that this launch still holds the study: a connection that idles can be cut by anybody between."""
        if self.outbox.away_s is None:
            try:
                self.recorder.hold_again()
            except StorageAway as error:
                self.outbox.lose(error)

    def hear(self) -> None:
        """Take in what other launches' trials have shown, and take over those whose launch has died."""
        if not self.fellows.shared or not self.deliver():
            return
        try:
            self._hear()
            theirs = {self.trials[number].session: self.trials[number] for number in self.elsewhere}
            dead = {session for session, trial in theirs.items() if not self.fellows.train(trial)}
            for number in sorted(n for n in self.elsewhere if self.trials[n].session in dead):
                self._settle(self.trials[number])
        except StorageAway as error:
            self.outbox.lose(error)

    def _hear(self) -> None:
        newest = self.trials.newest
        gaps = set(range(newest)) - self.trials.keys() if len(self.trials) <= newest else set()
        for told in self.fellows.news(newest, sorted(self.trials.running | gaps)):
            self._hear_of(told)

    def _hear_of(self, told: TrialRecord) -> None:
        """Bring one trial to what the database tells of it; of its own, this launch knows at least as much."""
        known = self.trials.get(told.number)
        if told.session == self.fellows.session and (known is None or told.state is State.RUNNING):
            return
        if known is None:
            self.trials[told.number] = told
            self._restore_trial(told, self.recorder.sampler_attrs_of(told.number))
        else:
            self._hear_more(known, told)
        for mine in (self.elsewhere, self.paused):
            mine.discard(told.number)
        self.resting.pop(told.number, None)
        if told.number in self.waiting:  # taken over by another launch, while this one could not be heard
            self.waiting.remove(told.number)
        if told.state is State.RUNNING:
            self.elsewhere.add(told.number)

    def _hear_more(self, known: TrialRecord, told: TrialRecord) -> None:
        if known.state is not State.RUNNING:
            return
        self.trials[told.number] = told
        for measurement in told.measurements[known.epochs :]:
            self._count(measurement)
            self._show(told, measurement)
        if told.state is not State.RUNNING:
            self._tell_sampler(told)

    def _propose(self) -> tuple[Proposal | None, list[Rejection]]:
        """Ask for a network that no failure before speaks against, and where none is left for any."""
        ceiling = ceiling_of(self.trials.witnesses(self.began or self.clock()))
        known, doubts = self.trials.known, [*([ceiling] if ceiling else ()), *self.trials.suspects]
        proposal, rejected = self.proposer.propose(known, doubts)
        if proposal is None and doubts:
            proposal, more = self.proposer.propose(known)
            rejected += more
        return proposal, rejected

    def _record_rejections(self, rejected: list[Rejection]) -> None:
        for each in rejected:  # a suspicion is recorded once, however many networks it speaks against
            if SUSPECTED in each.violations:
                if each.reason in self._suspicions:
                    continue
                self._suspicions.add(each.reason)
            self.rejections.append(each)
            self._unsaved.append(each)
        while self._unsaved:
            self.recorder.rejected(self._unsaved[0])
            del self._unsaved[0]

    def measured(self, number: int, measurement: Measurement) -> Decision:
        """Record an epoch, then decide. An epoch that is recorded already changes nothing."""
        trial = self.trials[number]
        if trial.state is not State.RUNNING or number in self.elsewhere:
            return Decision(Verdict.STOP, trial.reason or "another launch trains it now")
        if measurement.epoch <= trial.epochs:
            return GO_ON
        self.disk.took()  # a checkpoint is written before its epoch is told
        self.fresh.discard(number)  # an epoch further, another crash is another one
        with self._timed("recording_s"):
            self.outbox.measured(number, measurement)
        self.spent.training_s += measurement.wall_s
        self._count(measurement)
        trial = self.trials[number] = replace(trial, measurements=(*trial.measurements, measurement))
        if self.scheduler.reads(measurement.epoch):
            self.hear()  # a rung is common to all launches
            trial = self.trials[number]
            if trial.state is not State.RUNNING or number in self.elsewhere:
                return Decision(Verdict.STOP, trial.reason or "another launch trains it now")
        self._show(trial, measurement)
        return self._judge(trial, measurement)

    def trained_again(self, number: int, *, epochs: int, seconds: float, why: str) -> None:
        """Count what a trial had to be trained again because its checkpoint held less than is recorded."""
        self.trained_s += seconds
        self.trained_epochs += epochs
        told = f"{epochs} epoch{'s' if epochs > 1 else ''} again ({format_duration(seconds)})"
        self.notices.append(f"trial {number} was trained for {told}: its checkpoint {why}")

    def news(self) -> list[str]:
        """Return what nobody was told yet, once."""
        told, self.notices = self.notices, []
        return told

    def _show(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Let the scheduler know what a trial showed, and the sampler where that was at a rung."""
        self.scheduler.observe(trial, measurement)
        if measurement.epoch in self.scheduler.levels:
            self.proposer.showed(self._mirrors[trial.number], measurement.epoch, self._values(trial, measurement))

    def _values(self, trial: TrialRecord, measurement: Measurement) -> tuple[float, ...]:
        """Return the objectives' values at an epoch."""
        return objective_values(self.record, replace(trial, measurements=(measurement,)))

    def _judge(self, trial: TrialRecord, measurement: Measurement) -> Decision:
        """Decide what becomes of a trial after an epoch."""
        epoch = measurement.epoch
        if epoch >= self.record.max_epochs:
            self._end(replace(trial, state=State.COMPLETE))
            return Decision(Verdict.STOP, "full fidelity")
        if self.limit_s is not None and trial.trained_s > self.limit_s:
            return self._over_time(trial)
        decision = self.scheduler.on_measurement(trial, measurement)
        if decision.verdict is Verdict.STOP:
            self._end(replace(trial, state=State.STOPPED, reason=decision.reason))
        elif decision.verdict is Verdict.REST:
            self.resting[trial.number] = epoch
        elif self.cut_off and self.scheduler.reads(epoch):
            self.paused.add(trial.number)
            return Decision(Verdict.STOP, "the budget is spent; with more of it the trial goes on")
        return decision

    def _over_time(self, trial: TrialRecord) -> Decision:
        """Fail a trial that has trained for too long: it would again."""
        failure = self.over_time(trial.trained_s)
        self.failed(trial.number, failure)
        return Decision(Verdict.STOP, str(failure))

    def over_time(self, took_s: float) -> TrialFailure:
        """Return the failure of a trial that has trained for longer than one may."""
        hours, limit = took_s / 3600, (self.limit_s or 0.0) / 3600
        return TrialFailure("time-limit", f"{hours:.3g} hours of training are over {limit:.3g}")

    def saw(self, host: Host) -> None:
        """Record what a machine computes right and what it trains in; the first of a kind decides for the study."""
        host = replace(host, session=self.fellows.session)
        self.numerics.setdefault(host.kind, host.numerics)
        if (host.host, host.kind) not in self._hosts:
            self._hosts.add((host.host, host.kind))
            self.outbox.host(host)

    def failed(self, number: int, failure: TrialFailure) -> None:
        """Record why a trial failed, or let it wait for another worker if it was not its own fault."""
        trial = self.trials[number]
        if trial.state is not State.RUNNING or number in self.elsewhere or number in self.paused:
            return
        self.resting.pop(number, None)
        if failure.kind == FULL:
            self.disk.refused(failure.message)
            self.waiting.append(number)
            return
        if failure.kind == KILLED and number in self._killed:  # once may be a neighbour's fault
            failure = TrialFailure(OUT_OF_MEMORY, f"{failure.message}, for the second time", failure.details)
        tries = self._tries_since_progress(trial) if failure.kind in TRANSIENT else ATTEMPTS
        if tries < ATTEMPTS:
            self._not_before[number] = self.clock() + timedelta(seconds=BACK_OFF_S * 4**tries)
            self._tries[number] = (trial.epochs, tries + (failure.kind != PREEMPTED))
            self._try_again(trial, failure)
            return
        if failure.kind in SUSPECT and number not in self.fresh:
            self.fresh.add(number)
            self._try_again(trial, failure)
            return
        ended = replace(
            trial,
            state=State.FAILED,
            reason=str(failure),
            failure_kind=failure.kind,
            failure_details=failure.details,
        )
        self._end(ended)

    def _tries_since_progress(self, trial: TrialRecord) -> int:
        """Return how often a trial has failed for its machine since its last epoch: after it they count anew."""
        epochs, tries = self._tries.get(trial.number, (trial.epochs, 0))
        return tries if epochs == trial.epochs else 0

    def break_off(self, number: int) -> None:
        """Let a trial wait for more budget where it is, as its worker is ended: it had its time to come to a rung."""
        self.paused.add(number)

    def _try_again(self, trial: TrialRecord, failure: TrialFailure) -> None:
        """Let a trial wait for another worker."""
        self.setbacks.append((trial.number, failure))
        self.trials[trial.number] = replace(trial, attempts=trial.attempts + 1)
        with self._timed("recording_s"):
            self.outbox.attempted(trial.number, trial.attempts + 1)
        if failure.kind == KILLED:
            self._killed.add(trial.number)
        self.waiting.append(trial.number)

    def _end(self, trial: TrialRecord) -> None:
        now = self.clock()  # somebody may have put it back since an earlier launch began the trial
        trial = self.trials[trial.number] = replace(trial, ended_at=max(now, trial.started_at or now))
        with self._timed("recording_s"):
            self.outbox.ended(trial)
        self._tell_sampler(trial)

    def _tell_sampler(self, trial: TrialRecord) -> None:
        mirror = self._mirrors[trial.number]
        if trial.state is State.COMPLETE:
            self.proposer.complete(mirror, objective_values(self.record, trial))
        elif trial.state is State.STOPPED:
            self.proposer.stop(mirror)
        elif trial.given_up:
            self.proposer.forget(mirror)
        else:
            self.proposer.penalise(mirror, {trial.failure_kind: 1.0})

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            setattr(self.spent, part, getattr(self.spent, part) + time.perf_counter() - began)
