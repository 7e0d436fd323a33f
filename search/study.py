"""Wire a study together: the one place that knows every part."""

import time
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from search import cluster
from search.budget import Budget
from search.config import StudyConfig
from search.dry_run import Missing
from search.fellows import Alone, Fellows, Sharing
from search.fronts import front_trials
from search.identity import check_same
from search.journal import FOLDER, Journal
from search.outbox import Outbox, send
from search.progress import Progress
from search.proposer import Proposer
from search.recorder import Recorder
from search.rungs import Rungs, rung_levels, share_kept
from search.running import RunningStudy
from search.samplers import make_sampler
from search.searcher import StudySearcher
from search.sessions import SessionLog, alive_s
from search.store import Store
from search.survey import Survey, survey
from search.trial import State, StudyRecord
from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.datasets import Dataset, load
from workers.device import choose_device, fingerprint
from workers.objectives import OBJECTIVES
from workers.sources import known_image


def look(config: StudyConfig) -> tuple[Dataset, Survey]:
    """Read the data and look over the space: everything that can be wrong before Ray starts is said here.

    Raises:
        InputError: naming its place in the file.
    """
    data = _read(config)
    return data, _survey(config, data.image)


def look_ahead(config: StudyConfig) -> tuple[Dataset | Missing, Survey]:
    """Look over the space, also where a public data set is not here yet.

    Raises:
        InputError: naming its place in the file.
    """
    try:
        return look(config)
    except InputError as error:
        image = known_image(config.data_spec)
        if error.place != f"data.{config.data_spec.title}" or image is None:  # the images are there: something is wrong
            raise
        return Missing(name=config.data_spec.title, image=image, why=str(error)), _survey(config, image)


def _read(config: StudyConfig) -> Dataset:
    make_sampler(config.sampler.name, 0)
    rungs_of(config, 2)
    try:
        data = load(config.data_spec)
    except InputError as error:
        raise error.at("data") from error
    if data.classes < 2:
        raise InputError("all images are of one class; at least two are needed", place="data")
    return data


def _survey(config: StudyConfig, image: ImageSpec) -> Survey:
    return survey(config.search_space, image, config.violations, batch=config.recipe.batch_size)


def rungs_of(config: StudyConfig, classes: int) -> Rungs:
    """Return the rungs that a file asks for."""
    scheduler = config.scheduler
    chance = 1 / classes
    return Rungs(
        rule=scheduler.name,
        levels=rung_levels(scheduler.grace_epochs, scheduler.max_epochs, scheduler.reduction_factor),
        keep=share_kept(scheduler.name, scheduler.reduction_factor, scheduler.keep),
        floor_accuracy=chance + scheduler.floor * (1 - chance),
    )


def begin(store: Store, config: StudyConfig, data: Dataset, seen: Survey) -> StudyRecord:
    """Return the study's record: the stored one if the file still describes it, else a new one.

    Raises:
        InputError: the name stands for a study of another file, or of other data.
    """
    stored = store.study(config.study)
    record = _record(config, data, seen)
    if stored is None:
        store.add_study(record)
        return record
    check_same(stored, config)
    if stored.config.get("fingerprint") != data.fingerprint:
        raise InputError(f"the images are not those that {config.study!r} was begun with", place="data")
    kept = replace(record, bounds=stored.bounds, created_at=stored.created_at)
    store.update_config(config.study, kept)
    return kept


def _record(config: StudyConfig, data: Dataset, seen: Survey) -> StudyRecord:
    bounds = {}
    for name in config.objectives:
        if OBJECTIVES[name].static:
            ends = seen.ends(lambda cost, name=name: OBJECTIVES[name].value(cost, None))  # type: ignore[misc]
            bounds[name] = (OBJECTIVES[name].value(ends[0][1], None), OBJECTIVES[name].value(ends[1][1], None))
    return StudyRecord(
        name=config.study,
        objectives=config.objectives,
        space=config.plain()["space"],
        config={**config.plain(), "fingerprint": data.fingerprint},
        max_epochs=config.scheduler.max_epochs,
        rungs=rungs_of(config, data.classes).levels if config.scheduler.name != "fifo" else (),
        classes=data.classes,
        image=(data.image.channels, data.image.height, data.image.width),
        bounds=bounds,
        created_at=datetime.now(UTC),
    )


def open_running(
    store: Store, config: StudyConfig, record: StudyRecord, fellows: Fellows | None = None
) -> RunningStudy:
    """Return the study ready to go on from what is recorded."""
    fellows = fellows or Alone()
    journal = _journal(store, record, fellows)
    trials = store.trials(record.name)
    channels, height, width = record.image
    # Reseeded by how much is recorded, so that a study that goes on does not propose its beginning again.
    seed = config.sampler.seed + 7919 * len(trials) + (104_729 * (fellows.session or 0) if fellows.shared else 0)
    proposer = Proposer(
        config.search_space,
        ImageSpec(channels=channels, height=height, width=width, classes=record.classes),
        make_sampler(config.sampler.name, seed),
        [OBJECTIVES[name].direction for name in record.objectives],
        config.violations,
        seed,
        batch=config.recipe.batch_size,
    )
    running = RunningStudy(
        record=record,
        outbox=Outbox(Recorder(store, record, config.search_space, shared=fellows.shared), journal),
        proposer=proposer,
        rungs=rungs_of(config, record.classes),
        budget=Budget(**config.budget.model_dump()),
        rates=config.resources.rates,
        fellows=fellows,
        limit_s=config.resources.hours_per_trial and config.resources.hours_per_trial * 3600,
        seed=config.sampler.seed,
        earlier_s=alive_s(store.sessions(record.name)),
    )
    try:
        running.restore(trials, store.rejections(record.name))
    except BaseException:
        running.recorder.close()
        raise
    return running


def _journal(store: Store, record: StudyRecord, fellows: Fellows) -> Journal:
    """Return this launch's journal, after sending those of launches that died before they could."""
    for path in sorted(FOLDER.glob(f"{record.label}*.journal")):
        owner = path.name.removeprefix(f"{record.label}.").removesuffix("journal").rstrip(".")
        if not (fellows.shared and owner.isdigit() and store.is_living(int(owner))):
            send(Journal(path), store, record.name)
    return Journal(FOLDER / f"{record.label}.{f'{fellows.session}.' if fellows.shared else ''}journal")


def run(
    config: StudyConfig,
    console: Console,
    *,
    address: str | None,
    verbose: bool,
    started_at: datetime,
    share: bool = False,
) -> RunningStudy:
    """Run a study until it is over or interrupted, and return it.

    Args:
        config: the file.
        console: where it is shown.
        address: of a Ray cluster to join.
        verbose: show what Ray says.
        started_at: when the command began.
        share: let other launches that ask for the same work on the study too.

    Raises:
        InputError: something in the file is wrong; said before Ray starts.
    """
    data, seen = look(config)
    with _store(config) as store, store.hold(config.study, shared=share), ExitStack() as stack:
        record = begin(store, config, data, seen)
        session = store.open_session(record.name, started_at=started_at, machine=_machine())
        if share:
            stack.enter_context(store.living(session))
        fellows = Sharing(store, record.name, session) if share else Alone(session)
        running = open_running(store, config, record, fellows)
        with closing(running.recorder):
            if running.over:
                return running
            _make_folder(checkpoint_folder(config, record))
            console.print(_opening(config, data, seen, running), markup=False, highlight=False, soft_wrap=True)
            cluster.start(address, verbose=verbose)
            try:
                _drive(config, console, SessionLog(store, running, session), running, started_at)
            finally:
                cluster.stop()
    return running


def _store(config: StudyConfig) -> Store:
    try:
        return Store.open(config.storage)
    except InputError as error:
        raise error.at("storage") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}", place="checkpoints") from error


def _opening(config: StudyConfig, data: Dataset, seen: Survey, running: RunningStudy) -> str:
    """Return the first line of a launch, said while Ray starts."""
    recorded = f"going on from {len(running.trials)} recorded trials" if running.trials else "a new study"
    return (
        f"{config.study}: {recorded}; {data.name}, {len(data.train_labels):,} + {len(data.val_labels):,} images; "
        f"{seen.share_allowed:.0%} of the space allowed; starting Ray"
    )


def _drive(config: StudyConfig, console: Console, log: SessionLog, running: RunningStudy, started_at: datetime) -> None:
    resources, folder = config.resources, checkpoint_folder(config, running.record)
    concurrent = cluster.slots(resources.gpus_per_trial, resources.cpus_per_trial, resources.concurrent_trials)
    worker = {
        "checkpoints": str(folder),
        "gpus": resources.gpus_per_trial,
        "threads": resources.cpus_per_trial,
    }
    searcher = StudySearcher(running, config.full_recipe, config.data_spec, worker)
    running.spent.startup_s = (datetime.now(UTC) - started_at).total_seconds()
    began = time.monotonic()
    with log, Progress(running, console) as progress:

        def each() -> None:
            running.spent.running_s = time.monotonic() - began
            running.deliver()
            progress.update()
            log.touch()
            tidy_checkpoints(running, folder)

        cluster.drive(
            running,
            searcher,
            concurrent=concurrent,
            resources={"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
            each=each,
        )
        each()


def checkpoint_folder(config: StudyConfig, record: StudyRecord) -> Path:
    """Return the absolute folder of a study's checkpoints, the same for every worker and every launch.

    The moment the study began is part of it: a study of the same name in another database is another one.
    """
    began = record.created_at.astimezone(UTC) if record.created_at else datetime.min
    return Path(config.checkpoints).absolute() / f"{record.name}-{began:%Y%m%dT%H%M%S}"


def tidy_checkpoints(running: RunningStudy, folder: Path) -> None:
    """Keep the checkpoints of running trials and of the front; remove those of the others, once each."""
    ended = {number for number, trial in running.trials.items() if trial.state is not State.RUNNING}
    if ended <= running.tidied | running.kept:
        return  # nobody has ended since the last look
    running.kept = {trial.number for trial in front_trials(running.record, list(running.trials.values()))}
    for number in ended - running.tidied - running.kept:
        for file in (folder / f"{number}.pt", *folder.glob(f".{number}.pt.*")):  # and what a killed writer left
            file.unlink(missing_ok=True)
        running.tidied.add(number)


def _machine() -> dict[str, str]:
    return fingerprint(choose_device()) | {name: version(name) for name in ("ray", "optuna")}
