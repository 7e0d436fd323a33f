"""Whatever ends a worker's task ends at most its actor, and the scheduler hears of what."""

import sys
from contextlib import suppress
from types import SimpleNamespace
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


class Waiting:
    """Be a trial of Ray's that waits for a worker."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}


@pytest.fixture
def reusing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Controller:
    """Give a controller that has an idle worker for whoever it is told to have one."""
    monkeypatch.setattr(TuneController, "_maybe_reuse_cached_actor", lambda _self, _trial: True)
    controller = Controller(StudyScheduler(bench.open()))
    controller._trial_to_actor = {}
    controller._actor_manager = SimpleNamespace(is_actor_started=lambda actor: actor == "has its resources")
    return controller


def test_an_idle_worker_is_not_put_in_the_place_of_one_that_is_starting(reusing: Controller) -> None:
    """Tune would end that one, and where starts are slower than epochs no second worker would ever come to be."""
    starting, without_resources, nobodys = cast(Any, Waiting()), cast(Any, Waiting()), cast(Any, Waiting())
    reusing._trial_to_actor = {starting: "has its resources", without_resources: "waits for a node"}
    assert not reusing._maybe_reuse_cached_actor(starting)
    assert reusing._maybe_reuse_cached_actor(without_resources)
    assert reusing._maybe_reuse_cached_actor(nobodys)


def test_a_trial_that_has_taken_over_an_idle_worker_keeps_it(reusing: Controller) -> None:
    trial = cast(Any, Waiting())
    reusing._trial_to_actor = {trial: "has its resources"}
    reusing._resetting_trials.add(trial)
    assert reusing._maybe_reuse_cached_actor(trial)


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
