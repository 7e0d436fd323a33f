"""Go on with a study whose space or constraints have changed, where a person has said so: `--grow`."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from search.config.identity import check_same, growth, searched
from search.config.study import StudyConfig
from search.core.fronts import run_front
from search.core.records import Event, EventKind, StudyRecord, TrialRecord
from search.driver.opening import not_asked
from search.samplers.registry import recorded_distributions
from search.storage.retelling import retell
from search.storage.store import Store
from search.study.checkpoints import newest, over_limit
from search.study.growth import Change, Growth, plain_of, violations
from search.study.recorder import Recorder, optunas_rows
from spaces.errors import WidefrontError
from workers.places import Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """A study that is stored, and a file that may propose other networks than it has so far."""

    store: Store
    stored: StudyRecord
    config: StudyConfig
    changes: list[str]

    @classmethod
    def of(cls, store: Store, config: StudyConfig) -> "Growing | None":
        """Return what there is to decide; None where the study is new, or proposes what it always has.

        Raises:
            InputError: the file is about something else.
        """
        stored = store.study(config.study)
        if stored is None:
            return None
        check_same(stored, config)
        changes = growth(stored, config)
        return cls(store=store, stored=stored, config=config, changes=changes) if changes else None

    def told(self) -> list[str]:
        """Return what would change, a line each; nothing is written.

        Raises:
            InputError: it cannot.
        """
        return [f"{self.stored.name} would change:", *self._growth().lines]

    def settle(
        self, record: StudyRecord, *, grow: bool, say: Callable[[str], object], bring: Callable[[StudyRecord], object]
    ) -> None:
        """Make the change, or refuse it where nobody asked for it.

        Args:
            record: what the file says of the study.
            grow: whether it may change.
            say: hears a line at a time.
            bring: brings to the database what dead launches could not.

        Raises:
            InputError: it may not, or cannot.
            StudyError: another launch is at work.
        """
        if not grow:
            for line in self.told():
                say(line)
            raise not_asked(self.stored, self.changes)
        with self.store.hold(self.stored.name):  # alone, also where launches share the study
            bring(self.stored)
            self._bring_together()
            grown = self._write(record)
        for line in (f"{self.stored.name} changes:", *grown.lines):
            say(line)

    def _change(self) -> Change:
        return Change(before=searched(self.stored), now=self.config, image=self.stored.image_spec, at=datetime.now(UTC))

    def _growth(self) -> Growth:
        name = self.stored.name
        grown = self._change().growth(self.changes, self.store.trials(name), self.store.rejections(name))
        recorded_distributions(self.config.search_space.parameters, (trial.params for trial in grown.trials))
        return grown

    def _bring_together(self) -> None:
        """Take away first what a crash left different between both sets of tables."""
        trials = self.store.trials(self.stored.name)
        with closing(Recorder(self.store, self.stored, searched(self.stored).search_space, trials)) as recorder:
            recorder.reconcile({trial.number: trial for trial in trials})

    def _write(self, record: StudyRecord) -> Growth:
        change, grown = self._change(), self._growth()
        over = {
            trial.number: violations(self.config, trial, change.image, change.now.recipe_of(trial.params).batch_size)
            for trial in grown.trials
        }
        retell(
            self.store,
            grown_record(self.stored, record, at=change.at, trials=len(grown.trials)),
            grown.trials,
            optunas_rows(self.config.search_space, grown.trials, over),
            grown.rejections,
            self._events(grown, change.at),
        )
        return grown

    def _events(self, grown: Growth, at: datetime) -> list[Event]:
        told = f"{'; '.join(self.changes)}; {grown.told}"
        reasons = {trial.number: trial.reason for trial in grown.trials}
        stopped = [Event(at=at, kind=EventKind.STOPPED, trial=each, text=reasons[each]) for each in grown.stopped]
        return [Event(at=at, kind=EventKind.GROWN, text=told), *stopped]


def grown_record(stored: StudyRecord, record: StudyRecord, *, at: datetime, trials: int) -> StudyRecord:
    """Return what a study is from now on: it keeps its beginning, and what it was before.

    The ends by which hypervolumes are measured only move outwards, so that no network falls off them.
    """
    before = {"until": at.isoformat(), "trials": trials, **plain_of(stored.config)}
    bounds = dict(record.bounds)
    for name, (low, high) in stored.bounds.items():
        least, most = bounds.get(name, (low, high))
        bounds[name] = (min(low, least), max(high, most))
    return replace(record, bounds=bounds, created_at=stored.created_at, earlier=(*stored.earlier, before))


def note_weights(record: StudyRecord, trials: Sequence[TrialRecord], folder: Folder) -> None:
    """Leave a note where a network of the front has lost its weights, as one that is no member now kept it from there.

    Raises:
        OSError: the folder cannot be reached.
    """
    if not any(trial.outside for trial in trials):
        return
    wider = {trial.number for trial in run_front(record, [replace(trial, outside="") for trial in trials])}
    held = folder.sizes()
    for number in (trial.number for trial in run_front(record, trials) if trial.number not in wider):
        if newest(number) not in held and over_limit(number) not in held:
            folder.write(over_limit(number), b"")


def foretold(config: StudyConfig) -> list[str]:
    """Return what a file would change of a study that is stored, a line each; nothing is written.

    Raises:
        InputError: the study cannot change so.
    """
    with ExitStack() as stack:
        try:
            store = stack.enter_context(Store.open(config.storage, create=False, migrate=False))
            found = None if store.behind else Growing.of(store, config)
        except WidefrontError:  # there is no study yet, or it is about something else
            found = None
        return found.told() if found else []
