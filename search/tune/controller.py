"""Let Tune go on, and let the scheduler hear, however a worker ended.

Tune knows two ends of a worker's task, an exception and a dead actor. At any other, such as Ray's own killing for the
machine's memory, it gives up everything; and it tells a scheduler that a trial failed, but not of what. It would leave
that in a file for unpickling, in a folder that everybody on the machine may write to.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

from search.core.interrupts import interrupts
from search.tune.scheduler import StudyScheduler

IDLE_S = 0.2  # between two questions to the searcher while no trial is live


class _Actors(RayActorManager):
    def _actor_task_failed(self, tracked_actor_task: Any, exception: Exception) -> None:
        """Take whatever Ray says of a task that is not its own exception for the end of its actor."""
        if isinstance(exception, RayError) and not isinstance(exception, (RayActorError, RayTaskError)):
            ended = RayActorError(error_msg=str(exception))
            ended.__cause__ = exception
            exception = ended
        super()._actor_task_failed(tracked_actor_task, exception)


class StudyController(TuneController):
    """Tune's controller, but for how it takes failures."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._actor_manager = _Actors(resource_manager=self._actor_manager._resource_manager)

    def _update_trial_queue(self, blocking: bool = False, timeout: int = 600) -> bool:
        """Ask the searcher, and never wait here: for minutes Tune would hear no signal, and nothing be drawn."""
        found = bool(super()._update_trial_queue(blocking=False, timeout=timeout))
        if blocking and not found:
            time.sleep(IDLE_S)
        return found

    def _maybe_reuse_cached_actor(self, trial: Trial) -> bool:
        """Let a trial have an idle worker, unless one is starting for it or it is to have a fresh one.

        Tune ends the one that is starting. Where an epoch is shorter than a start, no second worker ever came to be: a
        study with room for two trained one trial at a time, and paid for a start with each. A trial whose worker
        crashed gets a fresh one, in the place of an idle one if there is any.
        """
        if not trial.config.get("fresh"):
            starting = trial not in self._resetting_trials and not self._is_waiting(trial)
            return not starting and bool(super()._maybe_reuse_cached_actor(trial))
        if self._is_waiting(trial):
            idle = self._actor_cache.pop_cached_object(trial.placement_group_factory)
            if idle is not None:
                self._remove_actor(tracked_actor=idle)
        return False

    def _maybe_cache_trial_actor(self, trial: Trial) -> bool:
        """Keep no idle worker while a trial waits for a fresh one, which needs its place."""
        if any(each.config.get("fresh") and self._is_waiting(each) for each in self._staged_trials):
            return False
        return bool(super()._maybe_cache_trial_actor(trial))

    def _is_waiting(self, trial: Trial) -> bool:
        actor = self._trial_to_actor.get(trial)
        return actor is None or not self._actor_manager.is_actor_started(actor)

    def is_finished(self) -> bool:
        """Return whether Tune has nothing to do, the launch is to end, or the study is over whatever runs still."""
        scheduler = self._scheduler_alg
        over = isinstance(scheduler, StudyScheduler) and (scheduler.study.over or scheduler.study.wishes.ended)
        return interrupts.asked or over or bool(super().is_finished())  # type: ignore[no-untyped-call]  # Ray's

    def _process_trial_failure(self, trial: Trial, exception: Any) -> None:
        """Let the scheduler hear the exception before it is told of the failure."""
        if trial in self._resetting_trials and isinstance(exception, RayActorError):
            exception = RayActorError(error_msg="the idle worker that it was given had died")  # not of this trial
        if isinstance(self._scheduler_alg, StudyScheduler):
            self._scheduler_alg.hear(exception)
        super()._process_trial_failure(trial, exception)


@contextmanager
def study_controller() -> Iterator[None]:
    """Let Tune be driven by this controller meanwhile: it takes no other by an argument."""
    tune = sys.modules["ray.tune.tune"]  # the package's attribute of that name may be something else
    kept = tune.TuneController
    tune.TuneController = StudyController  # type: ignore[attr-defined]
    try:
        yield
    finally:
        tune.TuneController = kept  # type: ignore[attr-defined]
