"""Whatever ends a worker's task ends at most its actor, and the scheduler hears of what."""

import sys
from contextlib import suppress
from typing import Any, cast

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ActorUnschedulableError, OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.tune.execution.tune_controller import TuneController

from search.tune.controller import StudyController, _Actors, study_controller
from search.tune.scheduler import StudyScheduler
from tests.search.bench import Bench


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Give the exceptions that Ray's own manager of actors is told of."""
    made: list[Exception] = []
    monkeypatch.setattr(RayActorManager, "_actor_task_failed", lambda _self, _task, exception: made.append(exception))
    return made


@pytest.fixture
def actors() -> _Actors:
    made: _Actors = cast(Any, _Actors).__new__(_Actors)
    return made


NAMELESS: list[RayError] = [
    cast(Any, OutOfMemoryError)("ended for memory"), cast(Any, ActorUnschedulableError)("nowhere"), RayError("x"),
]  # fmt: skip


@pytest.mark.parametrize("error", NAMELESS)
def test_an_end_that_tune_has_no_name_for_is_an_actors_death(
    actors: _Actors, taken: list[Exception], error: RayError
) -> None:
    actors._actor_task_failed(None, error)
    assert isinstance(taken[0], RayActorError)
    assert str(taken[0]) == str(error)
    assert taken[0].__cause__ is error


def test_what_tune_knows_and_what_is_not_rays_stays_as_it_is(actors: _Actors, taken: list[Exception]) -> None:
    raised: RayTaskError = cast(Any, RayTaskError)("step", "Traceback", ValueError(), ip="127.0.0.1")
    errors = [RayActorError(), raised, ValueError("the driver's own")]
    for error in errors:
        actors._actor_task_failed(None, error)
    assert all(found is error for found, error in zip(taken, errors, strict=True))


class Controller(StudyController):
    """Be a controller of which only failures matter."""

    def __init__(self, scheduler: StudyScheduler) -> None:
        self._scheduler_alg = scheduler
        self._resetting_trials: set[Any] = set()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Give what Tune's own controller is told of."""
    made: list[tuple[Any, Any]] = []

    def note(_self: TuneController, trial: Any, exception: Any) -> None:
        made.append((trial, exception))

    monkeypatch.setattr(TuneController, "_process_trial_failure", note)
    return made


def test_the_scheduler_hears_the_exception_itself(bench: Bench, told: list[tuple[Any, Any]]) -> None:
    scheduler, error, trial = StudyScheduler(bench.open()), RayActorError(), cast(Any, "trial")
    Controller(scheduler)._process_trial_failure(trial, error)
    assert scheduler._heard is error
    assert told == [(trial, error)]


def test_an_idle_worker_that_had_died_was_not_ended_for_the_next_trial(
    bench: Bench, told: list[tuple[Any, Any]]
) -> None:
    scheduler, trial = StudyScheduler(bench.open()), cast(Any, "trial")
    controller = Controller(scheduler)
    controller._resetting_trials.add(trial)
    ended = RayActorError(error_msg="killed")
    ended.__cause__ = NAMELESS[0]
    controller._process_trial_failure(trial, ended)
    assert scheduler._heard is told[0][1]
    assert (str(scheduler._heard), cast(Any, scheduler._heard).__cause__) == (
        "the idle worker that it was given had died", None
    )  # fmt: skip


def test_tune_has_its_own_controller_back_whatever_happens() -> None:
    tune: Any = sys.modules["ray.tune.tune"]
    seen = []
    with suppress(ZeroDivisionError), study_controller():
        seen.append(tune.TuneController)
        raise ZeroDivisionError
    assert seen == [StudyController]
    assert tune.TuneController is TuneController


def test_a_launch_that_is_asked_to_end_is_finished(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TuneController, "is_finished", lambda _self: False)
    running = bench.open()
    controller = Controller(StudyScheduler(running))
    assert not controller.is_finished()
    running.wishes.ended = True
    assert controller.is_finished()
    assert not running.over
