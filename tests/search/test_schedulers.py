"""Ray's scheduler passes on what trials show and why they fail, and tells Ray who goes on."""

import pickle
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from ray import cloudpickle
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.tune.schedulers import TrialScheduler

from search.running import RunningStudy
from search.schedulers import StudyScheduler, failure_of
from search.trial import KILLED, LOST, State, TrialRecord
from spaces.errors import TrialFailure
from tests.search.bench import Bench, learn
from workers.measurement import Measurement


@dataclass
class RayTrial:
    """Stand in for Ray's own record of a trial."""

    config: dict[str, Any]


def hand_out(running: RunningStudy) -> RayTrial:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return RayTrial({"number": trial.number})


def tell(scheduler: StudyScheduler, trial: RayTrial, measurement: Measurement) -> str:
    """Tell what Ray would: the measurement among a dozen entries of Ray's own."""
    result = {**measurement.to_json(), "training_iteration": 7, "trial_id": "x", "done": False, "config": trial.config}
    return scheduler.on_trial_result(None, cast(Any, trial), result)


def fail(scheduler: StudyScheduler, trial: RayTrial, error: BaseException) -> None:
    """Let the scheduler hear of an error as Tune's controller does, and then that the trial has failed."""
    scheduler.hear(error)
    scheduler.on_trial_error(None, cast(Any, trial))


def in_a_task(cause: Exception) -> RayTaskError:
    """Return what Ray makes of an exception that a worker raised."""
    made: RayTaskError = cast(Any, RayTaskError)("step", "Traceback: of the worker", cause, ip="127.0.0.1")
    return made


def dumps(value: object) -> bytes:
    """Pickle as Ray does."""
    pickled: bytes = cast(Any, cloudpickle).dumps(value)
    return pickled


def test_a_result_is_recorded_and_the_trial_goes_on(bench: Bench) -> None:
    running = bench.open()
    trial = hand_out(running)
    measured = learn(running.trials[0], 1)
    assert tell(StudyScheduler(running), trial, measured) == TrialScheduler.CONTINUE
    assert running.recorder.store.trials("bench")[0].measurements == (measured,)


def test_ray_hears_when_a_trial_stops_at_a_rung(bench: Bench) -> None:
    running = bench.open()
    trial = hand_out(running)
    low = replace(learn(running.trials[0], 1), accuracy=0.1)
    assert tell(StudyScheduler(running), trial, low) == TrialScheduler.STOP
    assert running.trials[0].state is State.STOPPED


def test_ray_hears_when_a_trial_is_trained_in_full(bench: Bench) -> None:
    running = bench.open()
    scheduler, trial = StudyScheduler(running), hand_out(running)
    heard = [tell(scheduler, trial, learn(running.trials[0], epoch)) for epoch in range(1, 10)]
    assert heard == [TrialScheduler.CONTINUE] * 8 + [TrialScheduler.STOP]
    assert running.trials[0].state is State.COMPLETE


def test_ray_hears_that_a_trial_which_has_ended_stops(bench: Bench) -> None:
    running = bench.open()
    scheduler, trial = StudyScheduler(running), hand_out(running)
    fail(scheduler, trial, in_a_task(TrialFailure("data", "no images")))
    assert tell(scheduler, trial, learn(running.trials[0], 1)) == TrialScheduler.STOP


def test_a_failure_is_recorded_with_the_workers_words(bench: Bench) -> None:
    running = bench.open()
    fail(StudyScheduler(running), hand_out(running), in_a_task(TrialFailure("not-finite", "loss is nan", "where")))
    trial = running.recorder.store.trials("bench")[0]
    assert (trial.state, trial.reason, trial.failure_details) == (State.FAILED, "not-finite: loss is nan", "where")


def test_a_lost_actor_lets_its_trial_wait(bench: Bench) -> None:
    running = bench.open()
    fail(StudyScheduler(running), hand_out(running), RayActorError())
    assert (running.trials[0].state, running.trials[0].attempts) == (State.RUNNING, 1)
    assert list(running.waiting) == [0]


def test_an_actor_that_leaves_no_word_lets_its_trial_wait(bench: Bench) -> None:
    running = bench.open()
    StudyScheduler(running).on_trial_error(None, cast(Any, hand_out(running)))
    assert (running.trials[0].state, running.trials[0].attempts) == (State.RUNNING, 1)


# What Ray's account of an error means


def facts(failure: TrialFailure) -> tuple[str, str, str]:
    return failure.kind, failure.message, failure.details


@pytest.mark.parametrize("kind", ["not-finite", "out-of-memory", "data", "crash"])
def test_a_failure_that_a_worker_raised_comes_as_it_went(kind: str) -> None:
    error = in_a_task(TrialFailure(kind, "so it is", "its traceback"))
    assert facts(failure_of(error)) == (kind, "so it is", "its traceback")
    assert facts(failure_of(cast(Any, error).as_instanceof_cause())) == (kind, "so it is", "its traceback")


def test_any_other_exception_of_a_worker_is_a_crash() -> None:
    failure = failure_of(in_a_task(ValueError("first line\nsecond line")))
    assert (failure.kind, failure.message) == ("crash", "ValueError: first line")
    assert "Traceback: of the worker" in failure.details
    assert failure_of(in_a_task(KeyError())).message == "KeyError: "


def test_a_worker_that_ray_ended_for_memory_is_told_apart() -> None:
    failure = failure_of(cast(Any, OutOfMemoryError)("a worker was killed"))
    assert (failure.kind, failure.message) == (KILLED, "Ray ended its worker for the machine's memory")


@pytest.mark.parametrize("error", [RayActorError(), RayError("x"), OSError("y")])
def test_what_no_worker_reported_is_a_lost_worker(error: BaseException) -> None:
    failure = failure_of(error)
    assert failure.kind == LOST
    assert failure.message
    assert "\n" not in failure.message


def test_no_error_at_all_is_a_lost_worker_too() -> None:
    assert failure_of(None).kind == LOST
    assert failure_of(RayError("")).message == "no word from its worker"


def test_a_failure_travels_from_worker_to_driver() -> None:
    failure = pickle.loads(pickle.dumps(TrialFailure("data", "no images", "where")))
    assert facts(failure) == ("data", "no images", "where")


def test_ray_may_pickle_a_scheduler_and_a_study_and_gets_no_address(bench: Bench) -> None:
    running = bench.open()
    hand_out(running)
    for pickled in (dumps(StudyScheduler(running)), dumps(running)):
        assert b"sqlite" not in pickled
        assert bench.url.encode() not in pickled
        assert len(pickled) < 2000
    copy = cast(Any, cloudpickle.loads(dumps(StudyScheduler(running))))
    assert isinstance(copy, StudyScheduler)
    assert not isinstance(copy.study, RunningStudy)
