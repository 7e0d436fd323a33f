"""The state machine of a running study: it hands out trials, records measurements, applies the scheduler. No Ray.

Ray's searcher and scheduler, a simulated clock and the tests all drive this one object. Whatever it is told is in
SQL before it counts.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from search.core.fronts import objective_values
from search.core.records import Event, EventKind, Host, Rejection, State, StudyRecord, TrialRecord
from search.core.units import format_duration, format_number_of
from search.samplers.measuring import UNMEASURED
from search.samplers.memory import MEMORY, ceiling_of
from search.samplers.proposer import Doubt, Proposal
from search.samplers.suspects import SUSPECTED
from search.schedulers.base import GO_ON, Decision, PromotionState, Scheduler, Verdict
from search.study.accounting import Account
from search.study.disk import Disk
from search.study.launches import Launches, OnlyLaunch
from search.study.packing import Packing
from search.study.queue import Queue
from search.study.recording import OutboxProtocol, ProposerProtocol, RecorderProtocol
from search.study.rejections import Rejections
from search.study.trials import TrialIndex
from search.study.wishes import Wishes
from spaces.errors import StorageAway, TrialFailure, first_line
from workers.kinds import FailureKind
from workers.measurement import Measurement

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Hears what a study of this process shows, after it is recorded; what it raises ends nothing."""

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> object:
        """Hear of an epoch."""

    def on_trial(self, trial: TrialRecord) -> object:
        """Hear of a trial's end."""


class Nothing(Enum):
    """Why there is no trial to hand out."""

    LEFT = auto()  # the study ends when the running trials have
    NOW = auto()  # ask again: a trial that failed for its machine waits a while, or the database is away


@dataclass(slots=True)
class RunningStudy:
    """One study, from its first proposal to its last trial's end."""

    record: StudyRecord
    outbox: OutboxProtocol
    proposer: ProposerProtocol
    scheduler: Scheduler
    account: Account
    launches: Launches = field(default_factory=OnlyLaunch)
    limit_s: float | None = None  # seconds of training that one trial may take
    seed: int = 0
    flow: bool = False  # whether what comes through each block is recorded
    trials: TrialIndex = field(init=False)
    disk: Disk = field(init=False)
    queue: Queue = field(init=False)
    _rejections: Rejections = field(init=False)
    exhausted: bool = False
    elsewhere: set[int] = field(default_factory=set)  # running trials that another launch trains
    paused: set[int] = field(default_factory=set)  # at a rung, until there is more budget
    resting: dict[int, int] = field(default_factory=dict)  # the rung's epoch of each trial that waits for its turn
    numerics: dict[str, str] = field(default_factory=dict)  # by kind of machine: precision and layout
    _hosts: set[tuple[str, str]] = field(default_factory=set)  # of this launch
    overdue: dict[int, float] = field(default_factory=dict)  # seconds that trials are behind what is expected
    setbacks: list[tuple[int, TrialFailure]] = field(default_factory=list)  # trials tried again, and why
    notices: list[str] = field(default_factory=list)  # that nobody was told yet
    listeners: list[Listener] = field(default_factory=list)
    wishes: Wishes = field(default_factory=Wishes)  # of people
    packing: Packing | None = None  # who is trained together; nothing: nobody

    def __post_init__(self) -> None:
        self.trials = TrialIndex(self.record)
        self.account.begun = lambda: len(self.trials)
        self.disk = Disk(self.clock)
        self.queue = Queue(self.clock)
        self._rejections = Rejections(lambda rejection: self.recorder.rejected(rejection))

    @property
    def rejections(self) -> list[Rejection]:
        """Return every proposal that never became a trial."""
        return self._rejections.all

    def clock(self) -> datetime:
        """Return the time."""
        return self.account.clock()

    def restore(self, trials: list[TrialRecord], rejections: list[Rejection]) -> None:
        """Take up what earlier launches recorded: rungs, the sampler's knowledge, trials to go on with."""
        self.account.began = self.clock()
        self.trials = TrialIndex(self.record, trials)
        with self.launches.turn():
            for trial in self.recorder.reconcile(self.trials):
                self.trials[trial.number] = trial
        attrs = self.recorder.sampler_attrs()
        self._rejections.restore(rejections)
        for rejection in rejections:
            doubts = {MEMORY, SUSPECTED, UNMEASURED}  # of one launch: the next may have none
            if rejection.violations.keys() - doubts:
                self.proposer.remember(rejection.params, violations=rejection.violations)
        for number in sorted(self.trials):
            self._restore_trial(self.trials[number], attrs.get(number, {}))
        self.proposer.take_up()
        for number in sorted(self.trials):
            self._settle(self.trials[number])

    def _restore_trial(self, trial: TrialRecord, attrs: dict[str, object]) -> None:
        for measurement in trial.measurements:
            self.account.count(measurement)
            if not trial.outside:  # of another question: nobody at a rung has to be better than it
                self.scheduler.observe(trial, measurement)
        if not trial.failed_transiently:
            values = {each.epoch: self._values(trial, each) for each in trial.measurements if self._at_rung(each)}
            self.proposer.restore(trial, objective_values(self.record, trial), values, attrs)

    def _settle(self, trial: TrialRecord) -> None:
        """Decide what the driver died before deciding, or let the trial wait for a worker."""
        if trial.state is not State.RUNNING:
            return
        if self.launches.owned_elsewhere(trial) or not self.launches.claim(trial):
            self.elsewhere.add(trial.number)
            return
        self.elsewhere.discard(trial.number)
        if self.launches.shared:
            trial = self.trials[trial.number] = replace(trial, session=self.launches.session)
        if trial.last is not None:
            self._show(trial, trial.last)
            if self._judge(trial, trial.last, told=True).stop:
                return
        self.queue.restore(trial)
        self._lay_down(trial.number)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as nothing: Ray pickles what it is given, for a restore that the database makes needless."""
        return (object, ())

    @property
    def recorder(self) -> RecorderProtocol:
        """Return what numbers trials and keeps the records."""
        return self.outbox.recorder

    @property
    def ended(self) -> int:
        """Return how many trials have come to an end."""
        return len(self.trials.ended)

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more will be handed out."""
        if self.outbox.away_s is not None or not (self.exhausted or self.account.budget_spent):
            return False
        resting = self.paused.union(self.elsewhere, *((self.queue, self.resting) if self.cut_off else ()))
        doubtful = any(self.trials[number].session in self.launches.doubtful for number in self.elsewhere)
        return self.trials.running <= resting and not doubtful

    @property
    def cut_off(self) -> bool:
        """Whether time or money has run out."""
        return self.account.cut_off

    @property
    def at_work(self) -> set[int]:
        """Return the running trials that this launch has handed out and not heard the end of."""
        return self.trials.running.difference(self.queue, self.resting, self.paused, self.elsewhere)

    def epochs_to_rung(self, number: int) -> int:
        """Return how many epochs a trial has before it to its next rung, or to full fidelity."""
        epochs = self.trials[number].epochs
        return self.scheduler.next_read(epochs) - epochs

    def look_at_start(self) -> None:
        """Count the time until now as this launch's start, as long as it trains nothing yet."""
        self.account.look_at_start(trains=bool(self.at_work))

    def hand_out(self) -> TrialRecord | Nothing:
        """Return the next trial to train: one that waits, or a new one."""
        there = self.deliver()
        if self.wishes.held:
            return Nothing.NOW
        if self.disk.full_s is not None and not self.cut_off and (self.queue or self.at_work):
            return self._try_disk()
        if not self.cut_off and (ready := self.queue.take()) is not None:
            return self._go_on(ready)
        return self._next_work(there)

    def _next_work(self, there: bool) -> TrialRecord | Nothing:
        """Return a trial that is promoted, or else a new one: the one place that decides between them."""
        if not self.cut_off and (promoted := self._promoted()) is not None:
            return promoted
        if self.exhausted or self.account.budget_spent:
            return Nothing.NOW if self.queue and not self.cut_off else Nothing.LEFT
        begun = self._take_turn() if there else Nothing.NOW
        if begun is Nothing.LEFT and (promoted := self._promoted()) is not None:
            return promoted  # that nothing is left has only now come out
        return begun

    def mates(self, trial: TrialRecord, workers: float) -> list[TrialRecord]:
        """Hand out trials that are trained together with one that was just handed out; usually none.

        Args:
            trial: with which.
            workers: that are free, the trial's own with them.
        """
        if self.packing is None or self.queue.single(trial.number) or self.disk.full_s is not None or self.cut_off:
            return []
        found: list[TrialRecord] = []
        with self.account.timed("proposing_s"):
            room = self.packing.room(trial, map(self.trials.__getitem__, self.queue), workers)
        for _ in range(room):
            if (mate := self._mate(trial, self.packing)) is None:
                break
            found.append(mate)
        return found

    def _mate(self, trial: TrialRecord, packing: Packing) -> TrialRecord | None:
        """Return another trial that can be trained beside one: one that waits, or a new one."""
        waits = self.queue.take(lambda n: not self.queue.single(n) and packing.alike(trial, self.trials[n]))
        if waits is not None:
            return self._go_on(waits)
        if self.exhausted or self.account.budget_spent or not self.deliver():
            return None
        with self.account.timed("proposing_s"):
            proposal = packing.beside(trial)
        if proposal is None:
            return None
        try:
            with self.launches.turn(), self.account.timed("recording_s"):
                return self._record(proposal)
        except StorageAway as error:
            self.proposer.take_back(proposal)
            self.outbox.lose(error)
            return None

    def _try_disk(self) -> TrialRecord | Nothing:
        """Return a trial that finds out whether there is room again; nothing else is handed out meanwhile."""
        if not self.queue or not self.disk.may_try(self.at_work):
            return Nothing.NOW
        number = self.queue.take_first()
        self.disk.tries(number)
        return self._go_on(number)

    def _go_on(self, number: int) -> TrialRecord:
        """Return a trial that was begun before, as it is handed out again."""
        self._picture(lambda: self.recorder.goes_on(self.trials[number]))
        return self.trials[number]

    def _lay_down(self, number: int) -> None:
        """Show whoever looks at Optuna's tables that a trial does not train now."""
        self._picture(lambda: self.recorder.rests(self.trials[number]))

    def lay_down_all(self) -> None:
        """Show the same of everything that this launch leaves, as it ends."""
        for number in sorted(self.trials.running - self.elsewhere):
            self._lay_down(number)

    def _picture(self, draw: Callable[[], object]) -> None:
        """Draw for others what nothing here depends on: while the database is away it is left out."""
        if self.outbox.away_s is None:
            try:
                with self.account.timed("recording_s"):
                    draw()
            except StorageAway as error:
                self.outbox.lose(error)

    def _promoted(self) -> TrialRecord | None:
        """Let one of the trials that rest go on, if it is its turn; where none will ever, stop them all."""
        if not self.resting:
            return None
        state = self._promotion_state()
        promoted = self.scheduler.promote(state)
        if promoted is not None:
            self.tell(EventKind.PROMOTED, f"from epoch {self.resting.pop(promoted)}", promoted)
            return self._go_on(promoted)
        if state.no_more_trials and not state.active:
            self._stop_resting(self.scheduler.finish(state))
        return None

    def _promotion_state(self) -> PromotionState:
        active = self.trials.running.difference(self.resting, self.paused, self.elsewhere)
        return PromotionState(
            resting=self.resting,
            active={number: self.trials[number].epochs for number in active},
            trials=len(self.trials),
            trained_epochs=self.account.trained_epochs,
            no_more_trials=self.exhausted or self.account.budget_spent,
            force_one=not self.trials.count[State.COMPLETE],
        )

    def _stop_resting(self, reasons: dict[int, str]) -> None:
        for number, reason in reasons.items():
            del self.resting[number]
            self.end(replace(self.trials[number], state=State.STOPPED, reason=reason))

    def _take_turn(self) -> TrialRecord | Nothing:
        """Begin a new trial, knowing all that other launches have shown; what cannot be recorded has not begun."""
        begun: TrialRecord | Nothing = Nothing.NOW
        try:
            with self.launches.turn():
                self._hear()
                if self._all_numbered() and not self.account.budget_spent:
                    self._take_up_rows()  # of a launch that died between Optuna's row and ours
                begun = Nothing.LEFT if self.account.budget_spent or self._all_numbered() else self._begin()
        except StorageAway as error:  # at the end of the turn too: what was begun by then has begun
            self.outbox.lose(error)
        return begun

    def _all_numbered(self) -> bool:
        """Whether the last trial of the budget has its number, which may be all that is recorded of it yet."""
        limit = self.account.budget.trials
        return self.launches.shared and limit is not None and self.recorder.count() >= limit

    def _begin(self) -> TrialRecord | Nothing:
        with self.account.timed("proposing_s"):
            proposal, rejected = self._propose()
        with self.account.timed("recording_s"):
            try:
                self._rejections.record(rejected)
                if proposal is None:
                    self.exhausted = not self.proposer.waits
                    return Nothing.LEFT if self.exhausted else Nothing.NOW
                return self._record(proposal)
            except StorageAway:
                if proposal is not None:
                    self.proposer.take_back(proposal)
                raise

    def _record(self, proposal: Proposal) -> TrialRecord:
        """Return the trial that a proposal has become."""
        trial = self.recorder.start(proposal, self.seed * 1_000_003, self.clock(), self.launches.session)
        self.trials[trial.number] = trial
        self.proposer.begun(proposal, trial.number)
        return trial

    def deliver(self) -> bool:
        """Bring to the database what it could not take, if it is time to try, and say whether it is there."""
        return self.outbox.deliver(self._adopt)

    def _adopt(self) -> None:
        """Take up what was begun in Optuna's table at the moment when the database went away."""
        self.recorder.reacquire_lock()
        with self.launches.turn():
            self._hear()
            self._take_up_rows()

    def _take_up_rows(self) -> None:
        """Take up trials of which Optuna's table alone tells: whoever holds the turn knows that nobody begins them."""
        for trial in self.recorder.reconcile(self.trials):
            self.trials[trial.number] = trial
            self._restore_trial(trial, {})
            if self.launches.shared:
                self.elsewhere.add(trial.number)  # should the database go away again before it is claimed
            self._settle(trial)

    def keep(self) -> None:
        """Make sure that this launch still holds the study: a connection that idles can be cut by anybody between."""
        if self.outbox.away_s is None:
            try:
                self.recorder.reacquire_lock()
            except StorageAway as error:
                self.outbox.lose(error)

    def hear(self) -> None:
        """Take in what other launches' trials have shown, and take over those whose launch has died."""
        if not self.launches.shared or not self.deliver():
            return
        try:
            self._hear()
            theirs = {self.trials[number].session: self.trials[number] for number in self.elsewhere}
            dead = {session for session, trial in theirs.items() if not self.launches.owned_elsewhere(trial)}
            for number in sorted(n for n in self.elsewhere if self.trials[n].session in dead):
                self._settle(self.trials[number])
        except StorageAway as error:
            self.outbox.lose(error)

    def _hear(self) -> None:
        newest = self.trials.newest
        gaps = set(range(newest)) - self.trials.keys() if len(self.trials) <= newest else set()
        for told in self.launches.news(newest, sorted(self.trials.running | gaps)):
            self._hear_of(told)

    def _hear_of(self, told: TrialRecord) -> None:
        """Bring one trial to what the database tells of it; of its own, this launch knows at least as much."""
        known = self.trials.get(told.number)
        if told.session == self.launches.session and (known is None or told.state is State.RUNNING):
            return
        if known is None:
            self.trials[told.number] = told
            self._restore_trial(told, self.recorder.sampler_attrs_of(told.number))
        else:
            self._hear_more(known, told)
        for mine in (self.elsewhere, self.paused):
            mine.discard(told.number)
        self.resting.pop(told.number, None)
        self.queue.discard(told.number)  # taken over by another launch, while this one could not be heard
        if told.state is State.RUNNING:
            self.elsewhere.add(told.number)

    def _hear_more(self, known: TrialRecord, told: TrialRecord) -> None:
        if known.state is not State.RUNNING:
            return
        self.trials[told.number] = told
        for measurement in told.measurements[known.epochs :]:
            self.account.count(measurement)
            self._show(told, measurement)
        if told.state is not State.RUNNING:
            self.proposer.tell(told, objective_values(self.record, told))

    def _propose(self) -> tuple[Proposal | None, list[Rejection]]:
        """Ask for a network that no failure before speaks against, and where none is left for any."""
        known, doubts = self.trials.known, self.doubts()
        proposal, rejected = self.proposer.propose(known, doubts)
        if proposal is None and doubts:
            proposal, more = self.proposer.propose(known)
            rejected += more
        return proposal, rejected

    def doubts(self) -> list[Doubt]:
        """Return what refuses networks by what became of trials before."""
        ceiling = ceiling_of(self.trials.memory_evidence(self.account.began or self.clock()))
        return [*([ceiling] if ceiling else ()), *self.trials.suspects]

    def measured(self, number: int, measurement: Measurement) -> Decision:
        """Record an epoch, then decide. An epoch that is recorded already changes nothing."""
        trial = self.trials[number]
        if trial.state is not State.RUNNING or number in self.elsewhere:
            return Decision(Verdict.STOP, trial.reason or "another launch trains it now")
        if measurement.epoch <= trial.epochs:
            return GO_ON
        self.disk.took()  # a checkpoint is written before its epoch is told
        self.queue.progressed(number)
        measurement = replace(measurement, at=self.clock())
        with self.account.timed("recording_s"):
            self.outbox.measured(number, measurement)
        self.account.spent.training_s += measurement.wall_s
        self.account.count(measurement)
        measurement = replace(measurement, flow=())  # it is on disk, and of a deep network it is large
        trial = self.trials[number] = replace(trial, measurements=(*trial.measurements, measurement))
        if self.scheduler.reads(measurement.epoch):
            self.hear()  # a rung is common to all launches
            trial = self.trials[number]
            if trial.state is not State.RUNNING or number in self.elsewhere:
                return Decision(Verdict.STOP, trial.reason or "another launch trains it now")
        self._show(trial, measurement)
        self._let_hear(lambda listener: listener.on_measurement(trial, measurement))
        return self._judge(trial, measurement)

    def trained_again(self, number: int, *, epochs: int, seconds: float, why: str) -> None:
        """Count what a trial had to be trained again because its checkpoint held less than is recorded."""
        self.account.count_again(epochs, seconds)
        told = f"{epochs} epoch{'s' if epochs > 1 else ''} again ({format_duration(seconds)})"
        self.notices.append(f"trial {number} was trained for {told}: its checkpoint {why}")
        self.tell(EventKind.NOTICE, self.notices[-1], number)

    def news(self) -> list[str]:
        """Return what nobody was told yet, once."""
        told, self.notices = self.notices, []
        return told

    def _show(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Let the scheduler know what a trial showed, and the sampler where that was at a rung."""
        self.scheduler.observe(trial, measurement)
        if self._at_rung(measurement):
            self.proposer.showed(trial.number, measurement.epoch, self._values(trial, measurement))

    def _at_rung(self, measurement: Measurement) -> bool:
        """Whether a trial was measured at a rung; where an earlier launch had others, it may not have been."""
        return measurement.measured and measurement.epoch in self.scheduler.levels

    def _values(self, trial: TrialRecord, measurement: Measurement) -> tuple[float, ...]:
        """Return the objectives' values at an epoch."""
        return objective_values(self.record, trial.at(measurement))

    def _judge(self, trial: TrialRecord, measurement: Measurement, *, told: bool = False) -> Decision:
        """Decide what becomes of a trial after an epoch; that it rests may have been told by an earlier launch."""
        epoch = measurement.epoch
        if epoch >= self.record.max_epochs:
            self.end(replace(trial, state=State.COMPLETE))
            return Decision(Verdict.STOP, "full fidelity")
        if self.limit_s is not None and trial.trained_s > self.limit_s:
            return self._over_time(trial)
        decision = self._decide(trial, measurement, told=told)
        if decision.verdict is Verdict.STOP:
            self.end(replace(trial, state=State.STOPPED, reason=decision.reason))
        elif decision.verdict is Verdict.REST:
            self.resting[trial.number] = epoch
            self._lay_down(trial.number)
            if not told:
                self.tell(EventKind.RESTED, f"at epoch {epoch}", trial.number)
        elif self.scheduler.reads(epoch):
            return self._kept(trial.number, epoch, told=told) or decision
        return decision

    def _decide(self, trial: TrialRecord, measurement: Measurement, *, told: bool) -> Decision:
        """Return what people have asked of a trial, or else what the scheduler says."""
        if told and self.wishes.lifted.get(trial.number) == measurement.epoch:
            return GO_ON
        if (why := self.wishes.stopping.pop(trial.number, None)) is not None:
            return Decision(Verdict.STOP, f"epoch {measurement.epoch}: {why}")
        return self.scheduler.on_measurement(trial, measurement)

    def _kept(self, number: int, epoch: int, *, told: bool) -> Decision | None:
        """Return why a trial that may go on waits at a rung all the same: for more budget, or for people."""
        if self.cut_off:
            self.paused.add(number)
            self._lay_down(number)
            if not told:
                self.tell(EventKind.PAUSED, f"at epoch {epoch}: the budget is spent", number)
            return Decision(Verdict.STOP, "the budget is spent; with more of it the trial goes on")
        if self.wishes.held:
            self._hold_back(number, epoch)
            return Decision(Verdict.STOP, "the study is paused; the trial goes on with it")
        return None

    def _hold_back(self, number: int, epoch: int) -> None:
        """Let a trial wait until the study goes on, and its worker be free."""
        self.queue.put(number)
        self._lay_down(number)
        self.wishes.waiting[number] = epoch
        self.tell(EventKind.RESTED, f"at epoch {epoch}", number)

    def _over_time(self, trial: TrialRecord) -> Decision:
        """Fail a trial that has trained for too long: it would again."""
        failure = self.over_time(trial.trained_s)
        self.failed(trial.number, failure)
        return Decision(Verdict.STOP, str(failure))

    def over_time(self, took_s: float) -> TrialFailure:
        """Return the failure of a trial that has trained for longer than one may."""
        hours, limit = took_s / 3600, (self.limit_s or 0.0) / 3600
        return TrialFailure(FailureKind.TIME_LIMIT, f"{hours:.3g} hours of training are over {limit:.3g}")

    def saw(self, host: Host) -> None:
        """Record what a machine computes right and what it trains in; the first of a kind decides for the study."""
        host = replace(host, session=self.launches.session)
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
        if failure.kind == FailureKind.DISK:
            self.disk.refused(failure.message)
            self.queue.put(number)
            return
        if (final := self.queue.retry(trial, failure)) is None:
            self._try_again(trial, failure)
            return
        ended = replace(
            trial,
            state=State.FAILED,
            reason=str(final),
            failure_kind=final.kind,
            failure_details=final.details,
        )
        self.end(ended)

    def failed_together(self, numbers: Sequence[int], failure: TrialFailure) -> None:
        """Record why trials failed together: what one of them may have done, each is tried for alone."""
        if len(numbers) < 2 or self.packing is None:
            for number in numbers:
                self.failed(number, failure)
            return
        kind = FailureKind.of(failure.kind)
        own = kind is FailureKind.KILLED or not (kind.transient or kind.suspect)  # as many at once have no memory
        self.packing.apart |= set() if kind is FailureKind.DISK else set(numbers)
        for number in numbers:
            if not own:
                self.failed(number, failure)
            elif self.trials[number].state is State.RUNNING and number not in self.paused | self.elsewhere:
                self.queue.put(number)

    def break_off(self, number: int) -> None:
        """Let a trial wait for more budget where it is, as its worker is ended: it had its time to come to a rung."""
        self.paused.add(number)
        self._lay_down(number)

    def _try_again(self, trial: TrialRecord, failure: TrialFailure) -> None:
        """Record that a trial waits for another worker."""
        log.info("trial %d waits for another worker: %s", trial.number, failure)
        self.setbacks.append((trial.number, failure))
        self.trials[trial.number] = replace(trial, attempts=trial.attempts + 1)
        with self.account.timed("recording_s"):
            self.outbox.attempted(trial.number, trial.attempts + 1, str(failure))

    def tell(self, kind: EventKind, text: str, number: int | None = None) -> None:
        """Record what happened beside measurements and ends."""
        log.info("%s%s: %s", "" if number is None else f"trial {number} ", kind, text)
        with self.account.timed("recording_s"):
            self.outbox.happened(Event(at=self.clock(), kind=kind, text=text, trial=number))

    def end(self, trial: TrialRecord) -> None:
        """Record how a trial has ended, and let everybody hear of it."""
        now = self.clock()  # somebody may have put it back since an earlier launch began the trial
        trial = self.trials[trial.number] = replace(trial, ended_at=max(now, trial.started_at or now))
        front = [each.number for each in self.trials.front]
        changed = format_number_of("network", len(front)) if trial.number in front else None
        with self.account.timed("recording_s"):
            self.outbox.ended(trial, changed)
        self.proposer.tell(trial, objective_values(self.record, trial))
        self._let_hear(lambda listener: listener.on_trial(trial))

    def _let_hear(self, tell: Callable[[Listener], object]) -> None:
        """Tell those who asked for it; one that fails is told nothing more, as a study ends for none of them."""
        for listener in list(self.listeners):
            try:
                tell(listener)
            except Exception as error:  # somebody else's code
                self.listeners.remove(listener)
                log.debug("a callback failed", exc_info=True)
                why = f"{type(error).__name__}: {first_line(error)}"
                self.notices.append(f"warning: a callback failed and is called no more ({why})")
