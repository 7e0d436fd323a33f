"""Start Ray, or join it, and drive Tune over a running study. Ray's own chatter is silenced unless asked for."""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray
from ray import tune

from search.running import RunningStudy
from search.schedulers import StudyScheduler
from search.searcher import StudySearcher
from spaces.errors import InputError, StudyError
from workers.trainable import NetworkTrainable

# Tune's own loggers, files and reports repeat what is in SQL; workers stay in the folder they were started from.
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class _EachStep(tune.Callback):
    """Call a function whenever Tune has done something."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as nothing, as the running study does."""
        return (tune.Callback, ())

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002
        """Pass the word on."""
        self.call()


def start(address: str | None, *, verbose: bool) -> None:
    """Start Ray on this machine, or join the cluster at an address.

    Raises:
        StudyError: Ray could not be started or reached.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.INFO if verbose else logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
    alone: dict[str, Any] = {} if address else {"include_dashboard": False, "num_cpus": os.cpu_count()}
    try:
        ray.init(
            address=address or "local",  # never a cluster that happens to run here
            log_to_driver=verbose,
            logging_level=logging.INFO if verbose else logging.ERROR,
            runtime_env={"env_vars": QUIET} if address else None,
            **alone,
        )
    except (ConnectionError, RuntimeError, OSError) as error:
        where = f"reach Ray at {address}" if address else "start Ray"
        raise StudyError(f"cannot {where}: {str(error).splitlines()[0]}") from error


def stop() -> None:
    """Stop Ray, or leave the cluster."""
    with suppress(Exception):  # it may be gone already; there is nothing to be done about it
        ray.shutdown()


def slots(gpus: float, cpus: int, wanted: int | None) -> int:
    """Return how many trials can run at once.

    Raises:
        InputError: not even one.
    """
    total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's
    fit = int(total.get("CPU", 1) // cpus)
    if gpus:
        fit = min(fit, int(total.get("GPU", 0) / gpus + 1e-6))
    if fit < 1:
        has = f"Ray has {total.get('GPU', 0):g} and {total.get('CPU', 0):g}"
        raise InputError(f"one trial needs {gpus:g} GPU and {cpus} CPU; {has}", place="resources")
    return min(fit, wanted) if wanted else fit


def drive(
    study: RunningStudy,
    searcher: StudySearcher,
    *,
    concurrent: int,
    resources: dict[str, float],
    each: Callable[[], None],
) -> None:
    """Run until the study is over or interrupted.

    Raises:
        Exception: whatever went wrong in the driver; what was recorded stays recorded.
    """
    with tempfile.TemporaryDirectory(prefix="widefront-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(NetworkTrainable, resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StudyScheduler(study),
                num_samples=-1,
                max_concurrent_trials=concurrent,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                verbose=0,
                callbacks=[_EachStep(each)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        tuner.fit()
