"""Start Ray, or join it, and drive Tune over a running study. Ray's own chatter is silenced unless asked for."""

import logging
import os
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray import tune
from ray._private import worker as ray_worker

from search.core.environment import HOW_TOKEN, without
from search.core.interrupts import interrupts
from search.study.running import RunningStudy
from search.tune.controller import study_controller
from search.tune.engines import Engines
from search.tune.hush import hushed
from search.tune.nodes import Need, Room
from search.tune.oom import OomWatcher
from search.tune.scheduler import StudyScheduler
from search.tune.scratch import scratch
from search.tune.searcher import StudySearcher
from search.tune.spared import ASKED_WORKERS, spared, uncounted
from search.tune.watch import Watch
from spaces.errors import InputError, StudyError, WidefrontError, first_line
from spaces.packages import copy_to
from workers.cores import cores
from workers.remote import RemoteTrainable
from workers.trainable import NetworkTrainable

# Tune's own loggers, files and reports repeat what is in SQL; workers stay in the folder they were started from.
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}

_PRINT = ray_worker.print_to_stdstream


class _Calls(tune.Callback):
    """Call a function at what Tune tells of."""

    def __init__(self, call: Callable[..., None]) -> None:
        self.call = call

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as nothing, as the running study does."""
        return (tune.Callback, ())


class _EachStep(_Calls):
    """Call it whenever Tune has done something."""

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002
        """Pass the word on."""
        self.call()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """Forget Tune's own statistics of a trial that has ended, half of what it keeps of each for good."""
        trial.metric_analysis.clear()
        trial.metric_n_steps.clear()


class _Ended(_Calls):
    """Call it with the configuration of each trial that has ended, however it has."""

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """Pass on that it goes on no further: its worker may be kept, and hears of it with the next trial."""
        self.call(trial.config)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """Pass on that it failed: its worker may not have been able to."""
        self.call(trial.config)


def start(address: str | None, *, verbose: bool, private: Collection[str] = (), packages: Collection[str] = ()) -> None:
    """Start Ray on this machine, where nobody else can reach it, or join the cluster at an address.

    Args:
        address: of a cluster.
        verbose: show what Ray says.
        private: environment variables that no worker gets to see.
        packages: of a person's own, whose sources workers are sent.

    Raises:
        StudyError: Ray could not be started or reached.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.INFO if verbose else logging.ERROR)
    logging.getLogger("ray.tune.tune").setLevel(logging.INFO if verbose else logging.CRITICAL)  # of trials that failed
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
    try:
        with _gathered(packages) as sent:
            _join(address, private, verbose, sent) if address else _start_here(private, verbose, sent)
    except WidefrontError:
        raise
    except Exception as error:  # Ray raises bare ones too
        where = f"reach Ray at {address}" if address else "start Ray"
        raise StudyError(f"cannot {where}: {first_line(error)}") from error
    interrupts.listen_again()  # Ray puts its own way of dying at SIGTERM


@contextmanager
def _gathered(packages: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield what Ray is told, so that it sends workers the files of packages, those and no others, as Ray starts."""
    if not packages:
        yield {}
        return
    with TemporaryDirectory(prefix="widefront-") as folder:
        yield {"py_modules": [str(place) for place in copy_to(Path(folder), packages)]}


def _start_here(private: Collection[str], verbose: bool, sent: dict[str, Any]) -> None:
    """Start Ray; its processes inherit the environment of this moment.

    A worker's threads sleep while they wait for each other. Left to themselves they spin, and where others are busy, as
    the driver is, two of them took two to eight times the processor time so (a small network, n = 2).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with without(private, os.environ), spared(logs=verbose):
        for tries_left in (2, 1, 0):
            try:  # "local" is never a cluster that runs here
                own: dict[str, Any] = {"runtime_env": sent} if sent else {}
                own |= {"num_cpus": cores(), "include_dashboard": False}
                # Ray does not start by a name that its version does not know, and tells nobody why.
                own |= {"_system_config": ASKED_WORKERS} if tries_left else {}
                _init("local", verbose, **own, **_folder())
                break
            except Exception as error:  # on a busy machine one of its processes does not see another in time
                if not tries_left or isinstance(error, OSError):
                    raise
                stop()


MOST_BYTES = 107 - len("/ray/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store")  # of a socket's path


def _folder() -> dict[str, str]:
    """Return where Ray keeps its sockets, if a usual place has so long a path that none could be made there.

    Raises:
        StudyError: a person has asked for that place.
    """
    asked, usual = os.environ.get("RAY_TMPDIR"), os.environ.get("TMPDIR", "")
    if asked is not None and len(os.fsencode(asked)) > MOST_BYTES:
        raise StudyError(f"RAY_TMPDIR has {len(os.fsencode(asked))} bytes, and sockets take at most {MOST_BYTES}")
    return {"_temp_dir": "/tmp/ray"} if asked is None and len(os.fsencode(usual)) > MOST_BYTES else {}


def _join(address: str, private: Collection[str], verbose: bool, sent: dict[str, Any]) -> None:
    """Join a cluster; its workers have the environment that it was started in, and of that what is private blank."""
    blank = {name: "" for name in sorted(private) if name in os.environ}
    with hushed(verbose=verbose) as said:  # of a token that is wrong it says 20 times the same
        try:
            _init(address, verbose, runtime_env={"env_vars": {**QUIET, **blank}, **sent})
        except Exception as error:
            if "AuthToken" in said() or "Unauthenticated" in said():
                raise StudyError(f"{address} asks for a token, and there is no right one here: {HOW_TOKEN}") from error
            raise


def asks_for_token() -> bool:
    """Whether the cluster that was joined lets in only who has its token: then this process had to show one."""
    return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"


def _init(address: str, verbose: bool, **options: Any) -> None:
    level = logging.INFO if verbose else logging.ERROR
    # What Ray has to say of a lost node, 20 lines of its log with it, comes by a way that no level closes.
    ray_worker.print_to_stdstream = _PRINT if verbose else _say_nothing  # type: ignore[assignment]
    ray.init(address=address, log_to_driver=verbose, logging_level=level, **options)


def _say_nothing(_data: object, **_named: bool) -> None:
    """Take the place of Ray's printing."""


def stop() -> None:
    """Stop Ray, or leave the cluster."""
    with suppress(Exception):  # it may be gone already; there is nothing to be done about it
        ray.shutdown()
    interrupts.listen_again()


def room(need: Need, wanted: int | None, *, joined: bool) -> Room:
    """Return how many trials there is room for, now and later.

    Raises:
        InputError: not even for one, on this machine alone; a cluster may grow.
    """
    found = Room(need=need, wanted=wanted, joined=joined)
    found.look()
    if found.waits and not joined:
        total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's
        has = f"Ray has {total.get('GPU', 0):g} and {total.get('CPU', 0):g}"
        raise InputError(f"one trial needs {need.gpus:g} GPU and {need.cpus} CPU; {has}", place="resources")
    return found


def drive(
    study: RunningStudy,
    searcher: StudySearcher,
    *,
    room: Room,
    watch: Watch,
    each: Callable[[], None],
    engines: Engines | None = None,
) -> None:
    """Run until the study is over or interrupted.

    Args:
        study: what is trained.
        searcher: over it.
        room: for trials.
        watch: for signs of life.
        each: called again and again.
        engines: in which trials train; nothing: each in a process of its own.

    Raises:
        Exception: whatever went wrong in the driver; what was recorded stays recorded.
    """
    watcher = OomWatcher(here=not room.joined)
    watcher.see_all()
    trainable = NetworkTrainable if engines is None else RemoteTrainable
    shared: list[tune.Callback] = []
    if engines is not None:
        shared = [_EachStep(engines.look), _Ended(lambda config: engines.end(config["pulse"]))]
    with scratch() as folder, study_controller(), uncounted(), engines or nullcontext():
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": room.need.cpus, "gpu": room.need.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StudyScheduler(study, watcher, watch),
                num_samples=-1,
                max_concurrent_trials=room.most,  # the searcher keeps to less, as the room is
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=folder,
                verbose=0,
                callbacks=[_EachStep(watch.look), _EachStep(each), *shared],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        tuner.fit()
