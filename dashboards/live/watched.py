"""One study in memory, read once and then kept up to date by its events: no trial is read that none of them names."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboards import front as figure
from dashboards.frames import StudyView, domain_word
from search.core.analyses import Analysis
from search.core.claims import Verdict, best
from search.core.confirmation import assessed
from search.core.fronts import front_trials
from search.core.gains import Entry, entry_of, expected_gains, rates
from search.core.picking import Step, steps
from search.core.records import Event, EventKind, Session, State, StudyRecord, TrialRecord
from search.core.requests import Note, Request, grown, latest
from search.storage import requests, watching
from search.storage.analyses import Analyses
from search.storage.claims import Claims
from search.storage.replicates import Replicates
from search.storage.store import Store

KEPT = 5_000  # events in memory: a browser that has missed more begins anew
AT_FIRST = 200  # of those that happened before
MOST = 2_000  # events in one reading, so that no reading takes long

STANDINGS: dict[str, str] = {
    EventKind.RESTED: "paused",
    EventKind.PAUSED: "waiting",
}  # of a running trial; else it trains
OUTSIDE = "outside"
HELD = (EventKind.HELD, EventKind.RESUMED, EventKind.LAUNCHED)  # of these the last tells whether a launch is paused
NETWORKS = (EventKind.CONFIRMED, EventKind.TESTED)  # tell of networks, not of their trials


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a study's tables tell that was not known."""

    sessions: tuple[Session, ...]
    events: tuple[Event, ...] = ()
    trials: tuple[TrialRecord, ...] = ()  # that the events name, as they are now
    notes: tuple[Note, ...] = ()
    answered: tuple[Request, ...] | None = None  # all that was asked, where an answer is among the events
    waiting: tuple[Request, ...] = ()  # what people have asked and nobody has answered
    found: "Found | None" = None  # what analyses have found, where that is new

    @property
    def of_another_space(self) -> bool:
        """Whether every trial may have changed, so that all have to be read."""
        return any(event.kind == EventKind.GROWN for event in self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """What tells how much the front is expected to gain by the trials that rest at rungs."""

    reached: Mapping[int, Mapping[int, Entry]]
    resting: Mapping[int, int]  # by number: the epoch of the rung
    passed: Mapping[int, int]  # the rung behind each trial that trains
    max_epochs: int

    def gains(self) -> list[tuple[int, int, float, float]]:
        """Return trial, epoch, gain and gain for its time, in the order in which they would go on."""
        found = expected_gains(self.reached, self.resting, self.passed, self.max_epochs)
        worth = rates(found, self.reached, self.resting, self.max_epochs)
        told = [(number, self.resting[number], gain, worth[number]) for number, gain in found.items()]
        return sorted(told, key=lambda each: (-each[3], each[0]))


@dataclass(frozen=True, slots=True)
class Found:
    """What analyses of a study and its database's claims came to, and what tells it from what was known before."""

    stand: str
    analyses: tuple[Analysis, ...]
    verdicts: tuple[Verdict, ...] = ()

    @classmethod
    def read(cls, store: Store, study: str, known: str | None = None) -> "Found | None":
        """Return it, unless it is what is known."""
        kept, claims = Analyses(store, study), Claims(store)
        stand = f"{kept.stand()} {claims.stand()}".strip()
        return None if stand == known else cls(stand, tuple(kept.all()), tuple(best(claims.verdicts())))


class Watched:
    """What a page shows of one study."""

    def __init__(self, store: Store, study: StudyRecord) -> None:
        """Read all of a study.

        Args:
            store: that holds it.
            study: its record.
        """
        self.study = study
        self.events: deque[Event] = deque(watching.newest(store, study.name, AT_FIRST), maxlen=KEPT)
        self.seq = self.events[-1].seq if self.events else -1
        self.floor = self.events[0].seq - 1 if len(self.events) == AT_FIRST else -1  # older ones are not in memory
        grown = watching.last(store, study.name, EventKind.GROWN)
        self.grown = grown.seq if grown else -1  # the event since which its space is this one
        self.trials: dict[int, TrialRecord] = {}
        self.standing = {number: event.kind for number, event in watching.standing(store, study.name).items()}
        self.changed: OrderedDict[int, int] = OrderedDict()  # trials, by the event that changed them last
        self.front: list[TrialRecord] = []
        self.front_seq = self.seq  # the event that changed front or steps last
        self.planes = planes_of(study)
        self.steps: dict[str, list[Step]] = {cost: [] for cost in budgets_of(study, self.planes)}
        self.tally: Counter[tuple[str, int]] = Counter()  # trials, by where they stand and their epochs
        self._places: dict[int, tuple[str, int]] = {}  # under which each is counted there
        self.running: set[int] = set()
        # Places of values in a row, which must not move: names that only trials tell come behind.
        self.parameters = [name for name, domain in study.domains.items() if domain_word(domain)]
        self._confirmed = False  # whether any network was trained once more
        self._reached: dict[int, dict[int, Entry]] = {}  # what trials showed at rungs and in full, once it is asked for
        self._reached_seq = -2  # the event up to which that is known
        self.trained_s = 0.0
        self.moments: list[float] = []  # when epochs were recorded
        self.sessions: Sequence[Session] = ()
        self.planned: float | None = None
        self._heed_plan(filter(None, [watching.last(store, study.name, EventKind.PLANNED)]))
        self._take(store.trials(study.name))
        self.moments.sort()
        self.sessions = tuple(store.sessions(study.name))
        held = [event for kind in HELD if (event := watching.last(store, study.name, kind))]
        self.held = bool(held) and max(held, key=lambda event: event.seq).kind == EventKind.HELD
        self.notes: list[Note] = requests.notes(store, study.name)
        self.answered: list[Request] = requests.requests(store, study.name)
        self.waiting: Sequence[Request] = requests.waiting(store, study.name)
        self.found = Found.read(store, study.name) or Found("", ())

    @property
    def budget(self) -> Mapping[str, Any]:
        """Return the bounds of the file, with what people have added to them."""
        file = self.study.config.get("budget")
        return grown(file if isinstance(file, Mapping) else {}, self.answered)

    @property
    def noted(self) -> dict[int, Note]:
        """Return the star and the text that hold of each trial, by its number."""
        return latest(self.notes)

    @property
    def label(self) -> str:
        """Return what tells it from a study of this name that was begun at another moment, or has another space."""
        return f"{self.study.label} {self.grown}"

    def ask(self, store: Store) -> News:
        """Return what is new; nothing here changes by it."""
        sessions = tuple(store.sessions(self.study.name))
        events = tuple(store.events(self.study.name, after=self.seq, most=MOST))
        noted = tuple(requests.notes(store, self.study.name, after=self.notes[-1].id if self.notes else None))
        waiting = tuple(requests.waiting(store, self.study.name))
        found = Found.read(store, self.study.name, self.found.stand)
        if not events:
            return News(sessions=sessions, notes=noted, waiting=waiting, found=found)
        named = {event.trial for event in events if event.trial is not None}
        trials = store.trials_since(self.study.name, max(self.trials, default=-1), sorted(named))
        if any(event.kind in NETWORKS for event in events):
            trials = self._with_replicates(store, trials)
        told = any(event.kind == EventKind.ASKED for event in events)
        return News(
            sessions=sessions, events=events, trials=tuple(trials), notes=noted, waiting=waiting, found=found,
            answered=tuple(requests.requests(store, self.study.name)) if told else None,
        )  # fmt: skip

    def hear(self, news: News) -> None:
        """Take in what is new."""
        self.sessions = news.sessions
        self.notes += news.notes
        self.waiting = news.waiting
        self.found = news.found or self.found
        self.answered = self.answered if news.answered is None else list(news.answered)
        if news.events:
            self._note(news.events)
            self._take(news.trials)

    def _note(self, events: Sequence[Event]) -> None:
        for event in events:
            if len(self.events) == KEPT:
                self.floor = self.events[0].seq
            self.events.append(event)
            if event.kind in watching.STANDING and event.trial is not None:
                self.standing[event.trial] = event.kind
            if event.kind in HELD:
                self.held = event.kind == EventKind.HELD
        self.seq = events[-1].seq
        self._heed_plan(event for event in events if event.kind == EventKind.PLANNED)

    def _heed_plan(self, told: Iterable[Event]) -> None:
        for event in told:
            number = event.text.partition(" ")[0]
            self.planned = float(number) if number.isdecimal() else self.planned

    def _with_replicates(self, store: Store, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Return trials as they were read, and those that were trained once more, with all that this came to."""
        fresh = {trial.number: trial for trial in trials}
        for each in Replicates(store, self.study.name).all():
            known = fresh.get(each.trial) or self.trials.get(each.trial)
            if known:
                others = tuple(other for other in known.replicates if other.number != each.number)
                fresh[each.trial] = replace(known, replicates=(*others, each))
        return list(fresh.values())

    def _take(self, trials: Iterable[TrialRecord]) -> None:
        """Put trials in the place of what was known of them, with what follows for front and steps."""
        fresh = [self._put(trial) for trial in trials]
        if self._confirmed:
            fresh = self._assess(fresh)
        known = {trial.number for trial in self.front}
        full = any(trial.replicates or trial.number in known for trial in fresh)
        self._rank(list(self.trials.values()) if full else [trial for trial in fresh if trial.state is State.COMPLETE])

    def _put(self, trial: TrialRecord) -> TrialRecord:
        before = self.trials.get(trial.number)
        if before is not None and before.replicates and not trial.replicates:
            trial = replace(trial, replicates=before.replicates)
        known = before.epochs if before else 0
        self.trained_s += trial.trained_s - (before.trained_s if before else 0.0)
        self.moments += [each.at.timestamp() for each in trial.measurements[known:] if each.at]
        self.trials[trial.number] = trial
        self._confirmed = self._confirmed or bool(trial.replicates)
        self.parameters += [name for name in trial.params if name not in self.parameters]
        self._count(trial)
        self._mark(trial.number)
        return trial

    def _count(self, trial: TrialRecord) -> None:
        place = (self.where(trial), trial.epochs)
        if (before := self._places.get(trial.number)) is not None:
            self.tally[before] -= 1
        self._places[trial.number] = place
        self.tally[place] += 1
        (self.running.add if trial.state is State.RUNNING else self.running.discard)(trial.number)

    def _mark(self, number: int) -> None:
        self.changed[number] = self.seq
        self.changed.move_to_end(number)

    def _assess(self, fresh: list[TrialRecord]) -> list[TrialRecord]:
        """Return what is fresh, and whatever else seeds tell otherwise now."""
        told = assessed(self.study, [replace(trial, confirmation=None) for trial in self.trials.values()])
        numbers = {trial.number for trial in fresh}
        for trial in told:
            if trial.number in numbers or trial.confirmation != self.trials[trial.number].confirmation:
                self.trials[trial.number] = trial
                numbers.add(trial.number)
                self._mark(trial.number)
        return [self.trials[number] for number in sorted(numbers)]

    def _rank(self, fresh: list[TrialRecord]) -> None:
        """Bring front and steps up to date: what a network dominated before it does still, or it is among the fresh."""
        if not fresh:
            return
        self.front = front_trials(self.study, _unique(self.front, fresh, self.trials))
        for cost, found in self.steps.items():
            candidates = _unique([step.chosen for step in found], fresh, self.trials)
            self.steps[cost] = steps(self.study, candidates, self.study.objective(cost))
        self.front_seq = self.seq

    def training(self) -> list[TrialRecord]:
        """Return the trials that train now, or would if a launch lived, by number."""
        running = (self.trials[number] for number in sorted(self.running))
        return [trial for trial in running if self.where(trial) == "training"]

    def paused(self) -> Paused:
        """Return all that tells what the front is expected to gain by the trials that rest at rungs."""
        levels = (*self.study.rungs, self.study.max_epochs)
        for number, seq in reversed(self.changed.items()):
            if seq <= self._reached_seq:
                break
            self._reach(self.trials[number], levels)
        self._reached_seq = self.seq
        stand = {number: self._places[number] for number in sorted(self.running)}
        resting = {number: epochs for number, (where, epochs) in stand.items() if where == "paused"}
        passed = {
            number: max((level for level in levels if level <= epochs and self._stood_at(number, level)), default=0)
            for number, (where, epochs) in stand.items() if where == "training"
        }  # fmt: skip
        return Paused(
            reached={epoch: dict(entries) for epoch, entries in self._reached.items()},
            resting=self._entered(resting), passed=self._entered(passed), max_epochs=self.study.max_epochs,
        )  # fmt: skip

    def _reach(self, trial: TrialRecord, levels: Iterable[int]) -> None:
        for level in levels if not trial.outside else ():  # whose place at a rung no launch looks at either
            there = self._reached.setdefault(level, {})
            if trial.epochs >= level and trial.number not in there:
                entry = entry_of(self.study, trial, trial.measurements[level - 1])
                there.update({trial.number: entry} if entry else {})

    def _entered(self, at: dict[int, int]) -> dict[int, int]:
        return {number: epoch for number, epoch in at.items() if self._stood_at(number, epoch)}

    def _stood_at(self, number: int, level: int) -> bool:
        return number in self._reached.get(level, {})

    def where(self, trial: TrialRecord) -> str:
        """Return where a trial stands, in a word: a state; of a running one whether it trains, rests or waits.

        One that was trained in full, and that the study's space no longer holds, is outside.
        """
        if trial.state is not State.RUNNING:
            return OUTSIDE if trial.outside and trial.state is State.COMPLETE else trial.state.value
        return STANDINGS.get(self.standing.get(trial.number, ""), "training")


def planes_of(study: StudyRecord) -> list[tuple[str, str]]:
    """Return the planes that show a study: a cost, and how good a network is."""
    found = figure.pairs(StudyView(study=study))
    return [pair for pair in found if not study.objective(pair[0]).quality] or found


def budgets_of(study: StudyRecord, planes: Iterable[tuple[str, str]]) -> list[str]:
    """Return the costs that a budget can be set on."""
    pairs = ((study.objective(across), study.objective(up)) for across, up in planes)
    return [across.name for across, up in pairs if not across.quality and up.quality]


def _unique(
    first: Iterable[TrialRecord], more: Iterable[TrialRecord], now: dict[int, TrialRecord]
) -> list[TrialRecord]:
    """Return trials as they are now, each once."""
    return [now[number] for number in dict.fromkeys(trial.number for trial in (*first, *more))]
