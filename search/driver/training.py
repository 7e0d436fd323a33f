"""Let Ray train a running study, whatever it is that is trained: trials, or seeds of networks that are known."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich.console import Console

from search.config.study import StudyConfig
from search.core.records import StudyRecord
from search.core.terminal import say
from search.driver.progress import Progress
from search.study.running import RunningStudy
from search.tune import run as cluster
from search.tune.engines import Engines
from search.tune.nodes import Need
from search.tune.preflight import ANSWER_S, SLOWER, Preflight, check_storage
from search.tune.probe import question
from search.tune.searcher import StudySearcher
from search.tune.watch import Watch
from workers.places import Folder, is_on_disk
from workers.sources import DataSpec


def need_of(config: StudyConfig) -> Need:
    """Return what one trial takes of a machine."""
    return Need(gpus=config.resources.gpus_per_trial, cpus=config.resources.cpus_per_trial)


def watch_of(
    config: StudyConfig,
    console: Console,
    record: StudyRecord,
    folder: Folder,
    started_at: datetime,
    *,
    sqlite_on_driver: bool = False,
) -> Preflight:
    """Return who asks the nodes of a cluster that was joined, whether they see the folder of checkpoints too."""
    need = need_of(config)
    check_storage(config.storage, need, allowed=sqlite_on_driver)
    took_s = (datetime.now(UTC) - started_at).total_seconds()  # reading the data here is the most of it
    return Preflight(
        asked=question(folder, config.data_spec, record.fingerprint, gpu=need.gpus > 0, packages=record.needed),
        need=need,
        say=partial(say, console),
        patience_s=ANSWER_S + SLOWER * took_s,
    )


def _engines(config: StudyConfig, pulses: Watch, worker: dict[str, Any]) -> Engines | None:
    """Return the engines that trials share, if they do, and let those who hand them out and watch them know."""
    if not config.engine:
        return None
    engines = Engines(pulses.launch, need_of(config))
    worker["engines"] = pulses.launch
    pulses.end_alone = engines.end_trial
    if pulses.patience.epoch_slack is not None:  # an epoch that all have part in may come after one that none had
        slack = pulses.patience.epoch_slack * engines.most
        pulses.patience = replace(pulses.patience, epoch_slack=slack)
    return engines


def drive(
    config: StudyConfig,
    console: Console,
    running: RunningStudy,
    folder: Folder,
    *,
    started_at: datetime,
    watch: Preflight | None,
    progress: Progress,
    step: Callable[[], Iterable[str]],
    log: AbstractContextManager[object] | None = None,
    data_of: Callable[[int], DataSpec] | None = None,
) -> None:
    """Let Ray train a running study to its end, or until somebody asks to stop.

    Args:
        config: of the study.
        console: where lines are said.
        running: what is trained: trials, or seeds of their networks.
        folder: of its checkpoints.
        started_at: when the command began.
        watch: who asks the nodes of a cluster that was joined.
        progress: drawn meanwhile.
        step: called again and again; returns lines to say.
        log: open meanwhile.
        data_of: what a trial is trained on, by its number, where not all are on the same.
    """
    if watch:
        watch.first()
    room = cluster.room(need_of(config), config.resources.concurrent_trials, joined=watch is not None)
    worker = {
        "checkpoints": str(folder),
        "gpus": config.resources.gpus_per_trial,
        "threads": config.resources.cpus_per_trial,
        "on_disk": is_on_disk(folder),
    }
    pulses = Watch(running, config.resources.patience)
    engines = _engines(config, pulses, worker)
    searcher = StudySearcher(running, config.full_recipe, config.data_spec, worker, room.limit, pulses.begin, data_of)
    running.account.spent.startup_s = (datetime.now(UTC) - started_at).total_seconds()
    began = time.monotonic()
    with log or nullcontext(), progress:

        def look() -> None:
            running.account.running_s = time.monotonic() - began
            running.look_at_start()
            running.deliver()
            progress.update()
            for line in (*step(), *room.news(), *running.news()):
                say(console, line)
            if watch:
                watch.later()

        cluster.drive(running, searcher, room=room, watch=pulses, each=look, engines=engines)
        look()
