"""Wire a study together: the one place that knows every part."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext, suppress
from datetime import datetime
from functools import partial
from importlib.metadata import version
from threading import Thread

from rich.console import Console

from search.config.identity import check_same
from search.config.space import chosen
from search.config.study import StudyConfig
from search.core.budget import Budget
from search.core.environment import private
from search.core.interrupts import interrupts
from search.core.records import StudyRecord
from search.core.terminal import say
from search.devices.costs import Devices
from search.driver.commands import devices, tried
from search.driver.describing import attributes
from search.driver.forecast import PlannedEpochs
from search.driver.growing import Growing, note_weights
from search.driver.hearing import hearing
from search.driver.initial import Beginning, beginning
from search.driver.inspection import look
from search.driver.notifying import Notifier
from search.driver.opening import begin, check_study, record_of
from search.driver.packing import packing_of
from search.driver.progress import Progress
from search.driver.requests import Desk, budget_of, wishes_of
from search.driver.survey import Survey
from search.driver.training import drive, watch_of
from search.samplers.catalogue import SpaceCatalogue, coordinate
from search.samplers.measuring import MeasuringProposer
from search.samplers.proposer import Proposer
from search.samplers.registry import make_sampler
from search.schedulers.registry import Plan
from search.storage.answers import Answers
from search.storage.optuna_rows import describe_study
from search.storage.optuna_tables import OptunasTables
from search.storage.requests import requests
from search.storage.store import Store
from search.study.accounting import Account
from search.study.checkpoints import checkpoint_folder, make_folder, sweep_notes
from search.study.heartbeat import SessionLog, alive_s
from search.study.journal import FOLDER, SEEDS, Journal
from search.study.launches import Launches, OnlyLaunch, SharedLaunches
from search.study.orphans import orphans
from search.study.outbox import Outbox, send
from search.study.recorder import Recorder
from search.study.retention import Checkpoints
from search.study.running import Listener, RunningStudy
from search.tune import run as cluster
from search.tune.preflight import Preflight
from spaces.domains import Scalar
from spaces.errors import InputError
from workers.advice import advice
from workers.datasets import Dataset
from workers.device import choose_device, fingerprint
from workers.probe import examine
from workers.tasks import CLASSIFICATION


def plan_of(config: StudyConfig, classes: int) -> Plan:
    """Return the scheduler that a file asks for, on images of so many classes."""
    return config.scheduler.plan(CLASSIFICATION.chance(classes))


def open_running(
    store: Store,
    config: StudyConfig,
    record: StudyRecord,
    launches: Launches | None = None,
    first: Beginning | None = None,
    few: Sequence[Mapping[str, Scalar]] = (),
    measuring: Devices | None = None,
) -> RunningStudy:
    """Return the study ready to go on from what is recorded.

    Args:
        store: that holds it.
        config: its file.
        record: of it.
        launches: that share it.
        first: networks that it begins with.
        few: networks that are allowed, where hardly any are.
        measuring: what commands have found of networks, and find.
    """
    launches = launches or OnlyLaunch()
    answered = requests(store, record.name)
    journal = _journal(store, record, launches)
    trials = store.trials(record.name)
    # Reseeded by how much is recorded, so that a study that goes on does not propose its beginning again.
    seed = config.sampler.seed + 7919 * len(trials) + (104_729 * (launches.session or 0) if launches.shared else 0)
    batch = config.full_recipe.batch_size
    catalogue = SpaceCatalogue(config.search_space, record.image_spec, config.violations, batch=batch, few=few)
    objectives = [record.objective(name) for name in record.objectives]
    sampler = make_sampler(config.sampler.name, seed, catalogue, [coordinate(objective) for objective in objectives])
    proposer = _proposer(measuring, config)(
        catalogue, sampler, [objective.direction for objective in objectives], seed, first.params if first else ()
    )
    running = RunningStudy(
        record=record,
        outbox=Outbox(Recorder(store, record, config.search_space, trials, shared=launches.shared), journal),
        proposer=proposer,
        scheduler=plan_of(config, record.classes).make(record),
        account=Account(
            budget=budget_of(Budget(**config.budget.model_dump()), answered),
            rates=config.resources.rates,
            earlier_s=alive_s(store.sessions(record.name)),
        ),
        launches=launches,
        limit_s=config.resources.limit_s,
        seed=config.sampler.seed,
        flow=config.recipe.record == "flow",
        wishes=wishes_of(answered),
    )
    running.packing = packing_of(config, running)
    if isinstance(proposer, MeasuringProposer):
        proposer.say, proposer.more = running.notices.append, lambda: not running.account.budget_spent
    for host in store.hosts(record.name):
        running.numerics.setdefault(host.kind, host.numerics)
    try:
        running.restore(trials, store.rejections(record.name))
    except BaseException:
        running.recorder.close()
        raise
    return running


def _proposer(measuring: Devices | None, config: StudyConfig) -> Callable[..., Proposer]:
    if measuring is None:
        return Proposer
    return partial(MeasuringProposer, devices=measuring, violations=config.violations)


def desk_of(store: Store, config: StudyConfig, running: RunningStudy) -> Desk:
    """Return what takes people's requests for a launch."""
    return Desk(
        store, running, Budget(**config.budget.model_dump()),
        check=lambda params: chosen(config.search_space, dict(params), "values"),
    )  # fmt: skip


def _journal(store: Store, record: StudyRecord, launches: Launches) -> Journal:
    """Return this launch's journal, after sending those of launches that died before they could."""
    for path in sorted(FOLDER.glob(f"{record.label}*.journal")):
        owner = path.name.removeprefix(f"{record.label}.").removesuffix("journal").rstrip(".")
        if owner == SEEDS:  # those of a confirmation have numbers of their own: the next one sends them
            continue
        if not (launches.shared and owner.isdigit() and store.is_living(int(owner))):
            send(Journal(path), store, record.name)
    return Journal(FOLDER / f"{record.label}.{f'{launches.session}.' if launches.shared else ''}journal")


def run(
    config: StudyConfig,
    console: Console,
    *,
    address: str | None,
    verbose: bool,
    started_at: datetime,
    share: bool = False,
    sqlite_on_driver: bool = False,
    grow: bool = False,
    listeners: Sequence[Listener] = (),
) -> RunningStudy:
    """Run a study until it is over or interrupted, and return it.

    Args:
        config: the file.
        console: where it is shown.
        address: of a Ray cluster to join.
        verbose: show what Ray says.
        started_at: when the command began.
        share: let other launches that ask for the same work on the study too.
        sqlite_on_driver: let the database be a file of this machine alone, where several train.
        grow: let the file change the study's space and constraints.
        listeners: hear of every measurement and of every trial's end.

    Raises:
        InputError: something in the file is wrong; said before Ray starts.
    """
    data, seen = look(config)
    with ExitStack() as stack:
        store = stack.enter_context(_store(config))
        with closing(OptunasTables(store)) as theirs:
            theirs.check()
        measuring = stack.enter_context(devices(config, data.image, Answers(store)))
        _try_commands(store, config, measuring, seen, console)
        if growing := Growing.of(store, config):
            _grow(growing, config, data, seen, console, grow=grow)
        stack.enter_context(store.hold(config.study, shared=share))
        with store.turn("beginning"):  # tables and rows are made once, whoever comes at the same time
            first = beginning(config, data.image, store)
            record = begin(store, config, data, seen)
            session = store.open_session(record.name, started_at=started_at, machine=_machine())
            if share:
                stack.enter_context(store.living(session))
            launches = SharedLaunches(store, record.name, session) if share else OnlyLaunch(session)
            running = open_running(store, config, record, launches, first, seen.few, measuring)
        running.listeners += listeners
        describe_study(store, record.name, attributes(config, record))
        with closing(running.recorder), hearing(config, running, partial(say, console)) as notifier:
            desk = desk_of(store, config, running)
            desk.look()
            if running.over:
                _say_all(console, running.news())
                return running
            folder = checkpoint_folder(config, record)
            make_folder(folder)
            note_weights(running.record, list(running.trials.values()), folder)
            if not share:  # notes of a launch that was killed; another's workers may hold theirs open
                sweep_notes(folder)
            say(console, _opening(config, data, seen, running, first))
            odd = [] if running.trials else list(orphans(record, config.checkpoints.folder))
            _say_all(console, (f"warning: {line}" for line in (*odd, *advice(data, config.extreme_recipe))))
            _look_over_processor(config, data, address)
            cluster.start(address, verbose=verbose, private=private(config.own_variables), packages=config.packages)
            if address and not cluster.asks_for_token():
                say(
                    console,
                    f"warning: the cluster at {address} asks for no token: who reaches it can run anything there",
                )
            with interrupts.careful():
                try:
                    watch = (
                        watch_of(config, console, record, folder, started_at, sqlite_on_driver=sqlite_on_driver)
                        if address
                        else None
                    )
                    with watch or nullcontext():
                        log = SessionLog(store, running, session)
                        _drive(config, console, log, running, started_at, watch, notifier, desk)
                finally:
                    cluster.stop()
                    sweep_notes(folder)
                    running.lay_down_all()
    return running


def _say_all(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        say(console, line)


def _try_commands(store: Store, config: StudyConfig, measuring: Devices | None, seen: Survey, console: Console) -> None:
    """Let each command measure one network, before there is a study that would begin in vain."""
    if (stored := store.study(config.study)) is not None:
        check_same(stored, config)
    for line in tried(config, measuring, seen):
        say(console, line)


def _grow(growing: Growing, config: StudyConfig, data: Dataset, seen: Survey, console: Console, *, grow: bool) -> None:
    """Change what a stored study may propose, after all that could refuse the launch, or refuse the change."""
    check_study(growing.stored, config, data)
    beginning(config, data.image, growing.store)
    record = record_of(config, data, seen)
    growing.settle(
        record, grow=grow, say=partial(say, console), bring=lambda stored: _journal(growing.store, stored, OnlyLaunch())
    )


def _store(config: StudyConfig) -> Store:
    try:
        return Store.open(config.storage)
    except InputError as error:
        raise error.at("storage") from error


def _opening(config: StudyConfig, data: Dataset, seen: Survey, running: RunningStudy, first: Beginning) -> str:
    """Return the first line of a launch, said while Ray starts."""
    outside = sum(bool(trial.outside) for trial in running.trials.values())
    recorded = (
        f"going on from {len(running.trials)} recorded trials" + (f", {outside} of them outside" if outside else "")
        if running.trials
        else ", ".join(filter(None, ["a new study", str(first)]))
    )
    return (
        f"{config.study}: {recorded}; {data.name}, {len(data.train_labels):,} + {len(data.val_labels):,} images; "
        f"{seen.share_allowed:.0%} of the space allowed; starting Ray"
    )


def _look_over_processor(config: StudyConfig, data: Dataset, address: str | None) -> None:
    """Let a probe of this machine, which its first trial would wait for, run while Ray starts."""
    if address is None and not config.resources.gpus_per_trial:
        setting = {"batch": config.extreme_recipe.batch_size, "threads": config.resources.cpus_per_trial}
        Thread(target=_quietly, args=(partial(examine, data.image, **setting),), daemon=True).start()


def _quietly(call: Callable[[], object]) -> None:
    """Call what is only done ahead of time: whoever needs it hears of what is wrong."""
    with suppress(Exception):
        call()


def _drive(
    config: StudyConfig,
    console: Console,
    log: SessionLog,
    running: RunningStudy,
    started_at: datetime,
    watch: Preflight | None,
    notifier: Notifier,
    desk: Desk,
) -> None:
    checkpoints, plan = Checkpoints.of(config, running.record), PlannedEpochs(running)

    def step() -> list[str]:
        plan.tell()
        log.touch()
        desk.look()
        notifier.update(running)
        return checkpoints.tidy(running)

    progress = Progress(running, console, checkpoints=checkpoints)
    drive(
        config, console, running, checkpoints.folder, started_at=started_at, watch=watch, progress=progress,
        step=step, log=log,
    )  # fmt: skip


def _machine() -> dict[str, str]:
    return fingerprint(choose_device()) | {name: version(name) for name in ("ray", "optuna")}
