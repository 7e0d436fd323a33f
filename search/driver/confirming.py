"""Train networks of a study again with other seeds, by the same Ray driver, and look at the test split."""

import logging
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from rich.console import Console

from search.config.stored import stored
from search.config.study import StudyConfig
from search.core.budget import Budget
from search.core.confirmation import Confidence, assessed, confirmation_lines
from search.core.environment import expand, private
from search.core.fronts import front_trials
from search.core.interrupts import interrupts
from search.core.labels import outside_kinds
from search.core.records import State, StudyRecord, TrialRecord
from search.core.terminal import front_table, say
from search.core.units import format_number_of
from search.driver.looking import Look
from search.driver.seeds import SeedProgress
from search.driver.training import drive, watch_of
from search.schedulers.base import Options
from search.schedulers.registry import Plan
from search.storage.finding import find
from search.storage.replicates import Replicates
from search.storage.store import Store
from search.study.accounting import Account
from search.study.checkpoints import (
    NEWEST,
    make_folder,
    named_folder,
    numbers,
    seeds_folder,
    sweep_notes,
)
from search.study.journal import FOLDER, SEEDS, Journal
from search.study.outbox import Outbox, send
from search.study.packing import Packing
from search.study.retention import spare_of_seeds
from search.study.running import RunningStudy
from search.study.seed_records import SeedRecorder, SeedStore, as_trial
from search.study.seeds import SeedPlan, SeedProposer
from search.tune import run as cluster
from search.tune.preflight import Preflight
from spaces.errors import InputError
from workers.datasets import load, load_test
from workers.places import Folder
from workers.sources import DataSpec
from workers.together import most_together

log = logging.getLogger(__name__)
KEEP_S = 10.0  # between two looks at whether the study is still held


class NothingToConfirm(InputError):
    """There is no front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What `search.confirm` was given."""

    url: str
    study: str | None
    plan: SeedPlan
    test: bool = False
    hours: float | None = None
    checkpoints: str | None = None  # where the study's checkpoints lie now, if not where they were
    address: str | None = None
    verbose: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known when the command ends."""

    study: StudyRecord
    trials: list[TrialRecord]  # with all their replicates
    over: bool  # nothing is left to train
    news: bool  # something was

    @property
    def all_failed(self) -> str:
        """Return a line where every training failed, and nothing else."""
        trained = [each for trial in self.trials for each in trial.replicates]
        failed = [each for each in trained if each.failure_kind]
        if not failed or len(failed) < len(trained):
            return ""
        return f"all {format_number_of('training', len(failed))} failed; the last one: {failed[-1].reason}"

    @property
    def shown(self) -> list[TrialRecord]:
        """Return the front, and behind it what was confirmed and is not on it."""
        front = front_trials(self.study, self.trials)
        on_it = {trial.number for trial in front}
        return [*front, *(trial for trial in self.trials if trial.confirmation and trial.number not in on_it)]


def confirm(asked: Asked, console: Console, started_at: datetime) -> Found:
    """Train what is due, and return what is known then.

    Raises:
        InputError: there is nothing to confirm, or not as asked.
    """
    with Store.open(expand(asked.url, os.environ), create=False) as store:
        if store.is_copy:
            raise InputError(f"{store.shown_url} may only be read")
        study = find(store, asked.study)
        store.damage.tolerated = False  # of this one: what cannot be read would be numbered and trained once more
        with store.hold(study.name):
            before = store.trials(study.name)
            over = Session.open(store, study, asked, console).train(started_at)
            after = store.trials(study.name)
            return Found(study=study, trials=assessed(study, after), over=over, news=after != before)


def show(found: Found, console: Console) -> None:
    """Print networks with their intervals, and what is sure of them."""
    console.print(front_table(found.study, found.shown, width=console.width))
    for line in confirmation_lines(Confidence(found.study, found.trials)):
        say(console, line)


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of the command on one study."""

    store: Store
    asked: Asked
    console: Console
    record: StudyRecord
    config: StudyConfig
    replicates: Replicates
    trials: Mapping[int, TrialRecord]
    home: Folder  # of the study's checkpoints
    folder: Folder  # of those of seeds
    told_limit: bool = False  # that weights go for it

    @property
    def look(self) -> Look:
        """Return what measures on the test split."""
        return Look(
            config=self.config, record=self.record, trials=self.trials, replicates=self.replicates,
            folder=self.folder, console=self.console,
        )  # fmt: skip

    @classmethod
    def open(cls, store: Store, record: StudyRecord, asked: Asked, console: Console) -> "Session":
        """Look over what is asked for.

        Raises:
            InputError: it cannot be had.
        """
        config = stored(record, asked.url)
        trials = {trial.number: trial for trial in store.trials(record.name)}
        _check_trials(asked.plan, trials)
        _check_kind(asked.plan, trials)
        if not front_trials(record, list(trials.values())):
            raise NothingToConfirm(_nothing(record, list(trials.values())))
        home = named_folder(record, asked.checkpoints)
        replicates = Replicates(store, record.name)
        return cls(
            store=store, asked=asked, console=console, record=record, config=config, replicates=replicates,
            trials=trials, home=home, folder=seeds_folder(home),
        )  # fmt: skip

    def train(self, started_at: datetime) -> bool:
        """Train what is due and look at the test split if asked to, and say whether nothing is left."""
        running = self.running()
        if self.is_over(running) and not (self.asked.test and self.look.testable()):
            if self.asked.test:
                self.look.say_what_is_gone()
            return True
        self._check_data()
        make_folder(self.folder)
        self._with_ray(running, started_at)
        return not interrupts.asked

    def is_over(self, running: RunningStudy) -> bool:
        """Whether nothing is left to train."""
        return not running.trials.running and _proposer(running).next_trial() is None

    def _check_data(self) -> None:
        """Refuse images that are not those of the study, and a test split that is not there, before Ray starts."""
        try:
            data = load(self.config.data_spec)
            if self.asked.test:
                load_test(self.config.data_spec)
        except InputError as error:
            raise error.at("data") from error
        if data.fingerprint != self.record.fingerprint:
            raise InputError(f"the images are not those that {self.record.name!r} was begun with", place="data")

    def running(self) -> RunningStudy:
        """Return the replicates as a running study."""
        send(self._journal(), SeedStore(self.replicates), self.record.name)
        known = self.replicates.all()
        record = replace(self.record, rungs=())
        recorder = SeedRecorder(self.replicates, record, known)
        proposer = SeedProposer(
            study=self.record,
            trials=self.trials,
            plan=self.asked.plan,
            replicates={each.number: each for each in known},
        )
        plan = Plan(name="fifo", options=Options(max_epochs=record.max_epochs), levels=(), chance=None)
        running = RunningStudy(
            record=record,
            outbox=Outbox(recorder, self._journal()),
            proposer=proposer,
            scheduler=plan.make(record),
            account=Account(budget=Budget(hours=self.asked.hours), rates=self.config.resources.rates),
            limit_s=self.config.resources.limit_s,
            seed=self.config.sampler.seed,
            packing=self._packing(proposer),
        )
        for host in self.store.hosts(record.name):
            running.numerics.setdefault(host.kind, host.numerics)
        running.restore([as_trial(each, self.trials[each.trial]) for each in known if each.trial in self.trials], [])
        return running

    def _packing(self, proposer: SeedProposer) -> Packing | None:
        """Return who is trained together: as many seeds of one network as pay; a pack is not compiled."""
        if self.asked.plan.packed == "never" or self.config.full_recipe.compile == "always":
            return None
        gpu = self.config.resources.gpus_per_trial > 0

        def most(trial: TrialRecord) -> int:
            return most_together(trial.architecture, trial.cost, self.record.objectives, gpu=gpu)

        return Packing(most=most, beside=proposer.beside, due=proposer.lacking)

    def _journal(self) -> Journal:
        return Journal(FOLDER / f"{self.record.label}.{SEEDS}.journal")

    def _with_ray(self, running: RunningStudy, started_at: datetime) -> None:
        say(self.console, self._opening(running))
        cluster.start(
            self.asked.address,
            verbose=self.asked.verbose,
            private=private(self.config.own_variables),
            packages=self.config.packages,
        )
        with interrupts.careful(), ExitStack() as stack:
            stack.callback(sweep_notes, self.folder)
            stack.callback(cluster.stop)
            joined = self.asked.address is not None
            watch = watch_of(self.config, self.console, self.record, self.home, started_at) if joined else None
            with watch or nullcontext():
                if not self.is_over(running):
                    self._drive(running, started_at, watch)
                elif watch:
                    watch.first()
                if interrupts.asked:
                    return
                if not self.is_over(running):
                    test = ", and the test split is not looked at" if self.asked.test else ""
                    say(self.console, f"the time is spent; not every seed is trained{test}")
                elif self.asked.test:
                    self.look.take()

    def _opening(self, running: RunningStudy) -> str:
        front = len(front_trials(self.record, list(self.trials.values())))
        what = "folds" if self.asked.plan.folds else "seeds"
        most = f"at most {self.asked.plan.repeats} {what} of each and {_proposer(running).most(front)} in all"
        recorded = f"{len(running.trials)} recorded" if running.trials else "none recorded yet"
        return f"{self.record.name}: front of {format_number_of('network', front)}; {most}, {recorded}; starting Ray"

    def _drive(self, running: RunningStudy, started_at: datetime, watch: Preflight | None) -> None:
        proposer = _proposer(running)
        held, tidied = Seldom(KEEP_S, running.keep), Seldom(KEEP_S, partial(self._tidy, running))

        def step() -> Iterable[str]:
            held()
            tidied()
            return ()

        drive(
            self.config, self.console, running, self.folder, started_at=started_at, watch=watch,
            progress=SeedProgress(running, self.console, proposer), step=step,
            data_of=partial(_data_of, self.config.data_spec, running),
        )  # fmt: skip
        self._tidy(running)

    def _tidy(self, running: RunningStudy) -> None:
        """Remove what nobody needs of what has ended, and where weights are beyond their limit the oldest of them."""
        try:
            used = sum(self.home.sizes().values())
            states = {number: trial.state for number, trial in running.trials.items()}
            gone = spare_of_seeds(self.folder.sizes(), states, self.config.checkpoints.limit_bytes - used)
            for name in gone:
                self.folder.remove(name)
        except OSError as error:
            log.warning("the weights of seeds cannot be tidied now: %s", error)
        else:
            self._tell_limit(running, numbers(NEWEST, gone))

    def _tell_limit(self, running: RunningStudy, gone: Collection[int]) -> None:
        """Say once that weights go for the limit."""
        if not self.told_limit and any(running.trials[number].state is State.COMPLETE for number in gone):
            self.told_limit = True
            limit = self.config.checkpoints.limit
            say(self.console, f"warning: weights of seeds go, the oldest first: the limit of {limit} is reached")


def _data_of(data: DataSpec, running: RunningStudy, number: int) -> DataSpec:
    """Return what a replicate is trained on; no method, since Ray pickles what it is given."""
    return replace(data, fold=_proposer(running).replicates[number].fold)


def _proposer(running: RunningStudy) -> SeedProposer:
    assert isinstance(running.proposer, SeedProposer)
    return running.proposer


@dataclass(slots=True)
class Seldom:
    """Call something at most once in so many seconds."""

    seconds: float
    call: Callable[[], object]
    _last: float = -math.inf

    def __call__(self) -> None:
        """Call it if it is time."""
        if time.monotonic() - self._last >= self.seconds:
            self._last = time.monotonic()
            self.call()


def _nothing(record: StudyRecord, trials: Collection[TrialRecord]) -> str:
    """Return why a study has no front."""
    full = [trial for trial in trials if trial.state is State.COMPLETE]
    if not full:
        return f"no trial of {record.name} is trained in full yet"
    if not (inside := [trial for trial in full if not trial.outside]):
        many = format_number_of("trial", len(full))
        what = f"{many} of {record.name} trained in full, and none on its front"
        return f"{what}, as space or constraints have changed: {outside_kinds(full)}"
    unknown = ", ".join(name for name in record.objectives if all(_lacks(record, name, trial) for trial in inside))
    return f"no trial of {record.name} that is trained in full has a value of {unknown or 'every objective'}"


def _lacks(record: StudyRecord, name: str, trial: TrialRecord) -> bool:
    return math.isnan(record.objective(name).value(trial.cost, trial.found))


def _check_trials(plan: SeedPlan, trials: Mapping[int, TrialRecord]) -> None:
    for number in plan.trials:
        if number not in trials:
            raise InputError(f"there is no trial {number}", place="--trials")
        if trials[number].state is not State.COMPLETE:
            raise InputError(f"trial {number} is not trained in full: it is {trials[number].state}", place="--trials")


def _check_kind(plan: SeedPlan, trials: Mapping[int, TrialRecord]) -> None:
    """Refuse to mix seeds and folds: what they are measured on differs, and so do their means."""
    for trial in trials.values():
        for each in trial.replicates:
            folds = each.fold[1] if each.fold else None
            if folds != plan.folds:
                known = f"by {folds} folds" if folds else "by seeds on the study's own split"
                raise InputError(f"it is confirmed {known}; means of both cannot be compared", place="--folds")
