"""Ray's scheduler passes on what trials show and why they fail, and tells Ray who goes on."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any, cast
from uuid import uuid4

import pytest
from ray import cloudpickle
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import (
    ActorDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)
from ray.tune.schedulers import TrialScheduler

from search.core.interrupts import interrupts
from search.core.records import State, TrialRecord
from search.study.running import RunningStudy
from search.tune.failures import failure_of
from search.tune.scheduler import StudyScheduler
from spaces.errors import TrialFailure
from tests.search.bench import Bench, learn
from workers.kinds import FailureKind
from workers.measurement import Measurement


@dataclass
class RayTrial:
    """Stand in for Ray's own record of a trial."""

    config: dict[str, Any]
    trial_id: str = field(default_factory=lambda: uuid4().hex)


def hand_out(running: RunningStudy) -> RayTrial:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return RayTrial({"number": trial.number})


def tell(scheduler: StudyScheduler, trial: RayTrial, measurement: Measurement) -> str:
    """Tell what Ray would: the measurement among a dozen entries of Ray's own."""
    result = {
        "measurement": json.dumps(measurement.to_json()),
        "training_iteration": 7,
        "trial_id": "x",
        "done": False,
        "config": trial.config,
    }
    return scheduler.on_trial_result(None, cast(Any, trial), result)


def fail(scheduler: StudyScheduler, trial: RayTrial, error: BaseException) -> None:
    """Let the scheduler hear of an error as Tune's controller does, and then that the trial has failed."""
    scheduler.hear(error)
    scheduler.on_trial_error(None, cast(Any, trial))


NO_WORD = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker "
    "unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) the process was"
)
SIGTERM = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker "
    "exits unexpectedly. Worker exits with an exit code 1. The process receives a SIGTERM."
)
ENDED_BY_RAY = (
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: 9c0d) was "
    "1.51GB used / 23.54GB limit (0.064130)\nOOM kill reason: Memory usage exceeded threshold\n"
)


def died(how: str) -> ActorDiedError:
    """Return Ray's account of an actor that died, as Ray 2.60 words it."""
    place = ActorDiedErrorContext(
        class_name="A", actor_id=b"0" * 16, pid=2185, node_ip_address="192.0.2.2", error_message=how
    )
    made: ActorDiedError = cast(Any, ActorDiedError)(place)
    return made


class OomWatching:
    """Watch machines, of which the kernels of some have just ended a process."""

    def __init__(self, *killing: str) -> None:
        self.killing = killing
        self.seen: list[str] = []

    def see(self, address: str) -> None:
        """Note it."""
        self.seen.append(address)

    def oom_killed(self, address: str) -> bool:
        """Say so of some."""
        return address in self.killing


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
    low = learn(running.trials[0], 1).showing(accuracy=0.1)
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
    assert list(running.queue) == [0]


def test_a_worker_that_died_after_the_launch_was_asked_to_end_costs_no_attempt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, asked = bench.open(), Event()
    asked.set()
    monkeypatch.setattr(interrupts, "_asked", asked)
    fail(StudyScheduler(running), hand_out(running), RayActorError())
    assert (running.trials[0].state, running.trials[0].attempts) == (State.RUNNING, 0)


def test_an_actor_that_leaves_no_word_lets_its_trial_wait(bench: Bench) -> None:
    running = bench.open()
    StudyScheduler(running).on_trial_error(None, cast(Any, hand_out(running)))
    assert (running.trials[0].state, running.trials[0].attempts) == (State.RUNNING, 1)


def test_what_a_scheduler_heard_of_one_trial_is_not_said_of_another(bench: Bench) -> None:
    running = bench.open()
    scheduler, first, second = StudyScheduler(running), hand_out(running), hand_out(running)
    fail(scheduler, first, in_a_task(TrialFailure("data", "no images")))
    scheduler.on_trial_error(None, cast(Any, second))
    assert (running.trials[0].state, running.trials[1].state) == (State.FAILED, State.RUNNING)


def test_every_machine_is_watched_from_its_first_result_on(bench: Bench) -> None:
    running = bench.open()
    watching, trial = OomWatching(), hand_out(running)
    result = {"measurement": json.dumps(learn(running.trials[0], 1).to_json()), "node_ip": "10.0.0.7"}
    StudyScheduler(running, watching).on_trial_result(None, cast(Any, trial), result)
    assert watching.seen == ["10.0.0.7"]


def test_a_worker_that_the_kernel_ended_twice_had_no_memory(bench: Bench) -> None:
    running = bench.open()
    scheduler, trial = StudyScheduler(running, OomWatching("192.0.2.2")), hand_out(running)
    fail(scheduler, trial, died(NO_WORD))
    assert (running.trials[0].state, running.trials[0].attempts) == (State.RUNNING, 1)
    fail(scheduler, trial, died(NO_WORD))
    assert running.trials[0].failure_kind == "out-of-memory"


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


@pytest.mark.parametrize(
    "error", [RayActorError(), RayError("x"), OSError("y"), NodeDiedError("z"), WorkerCrashedError()]
)
def test_what_no_worker_reported_is_a_lost_worker(error: BaseException) -> None:
    failure = failure_of(error, killed=lambda _: True)  # nobody is asked about a death without a place
    assert failure.kind == FailureKind.LOST
    assert failure.message
    assert "\n" not in failure.message


def test_a_failure_in_rays_own_part_of_the_worker_is_known_by_what_raised_it() -> None:
    assert failure_of(in_a_task(MemoryError())).kind == "out-of-memory"
    assert failure_of(in_a_task(ConnectionResetError(104, "Connection reset by peer"))).kind == "connection"
    assert failure_of(in_a_task(RayError("an object was lost"))).kind == FailureKind.LOST
    assert failure_of(in_a_task(cast(Any, TaskCancelledError)())).kind == FailureKind.LOST


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_worker_that_ray_ended_for_memory_is_of_its_own_kind(wrapped: bool) -> None:
    error: BaseException = cast(Any, OutOfMemoryError)(ENDED_BY_RAY)
    if wrapped:  # as the controller hands it on
        ended = RayActorError(error_msg=str(error))
        ended.__cause__ = error
        error = ended
    failure = failure_of(error)
    assert (failure.kind, failure.details) == (FailureKind.KILLED, ENDED_BY_RAY)
    assert failure.message == "Ray ended its worker for the machine's memory: 1.51GB used / 23.54GB"
    assert failure_of(cast(Any, OutOfMemoryError)("other words")).kind == FailureKind.KILLED


WITH_A_WORD = "worker 2185 on 192.0.2.2 died: Worker exits unexpectedly. Worker exits with an exit code 1. The process"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (NO_WORD, "worker 2185 on 192.0.2.2 died without a word: killed, or crashed in native code"),
        (SIGTERM, f"{WITH_A_WORD} receives a SIGTERM."),
        ("The actor died because its node has died. Node Id: 00", "the node of worker 2185 on 192.0.2.2 died"),
    ],
)
def test_the_message_says_who_died_where_and_how(how: str, message: str) -> None:
    assert facts(failure_of(died(how)))[:2] == (FailureKind.LOST, message)


@pytest.mark.parametrize("kind", [FailureKind.TOGETHER, FailureKind.LOST])
def test_who_computed_as_a_signal_ended_the_engine_is_told_from_those_beside_it(kind: FailureKind) -> None:
    ended = in_a_task(TrialFailure(kind, "its engine ended: Socket closed"))
    culprit = failure_of(ended, traceback="Fatal Python error: Segmentation fault\n")
    assert facts(culprit)[:2] == (FailureKind.NATIVE_CRASH, "SIGSEGV")
    assert failure_of(ended, traceback="").kind == kind


@pytest.mark.parametrize("how", [SIGTERM, "The actor died because its node has died."])
def test_a_death_that_ray_can_explain_is_no_question_to_the_kernel(how: str) -> None:
    assert failure_of(died(how), killed=lambda _: True).kind == FailureKind.LOST


def test_the_kernel_is_asked_of_the_machine_where_the_worker_died() -> None:
    failure = failure_of(died(NO_WORD), killed=lambda address: address == "192.0.2.2")
    assert facts(failure)[:2] == (FailureKind.KILLED, "the kernel of 192.0.2.2 ended its worker for memory")
    assert failure_of(died(NO_WORD), killed=lambda address: address == "192.0.2.3").kind == FailureKind.LOST


def test_a_node_that_was_taken_away_is_told_from_a_worker_that_could_not_begin() -> None:
    preempted = failure_of(RayActorError(error_msg=str(died(NO_WORD)), preempted=True), lambda _: True)
    assert facts(preempted)[:2] == (FailureKind.PREEMPTED, "the node of worker 2185 on 192.0.2.2 was taken away")
    begun = RayActorError(error_msg="The actor died\n ModuleNotFoundError: no torch\n", actor_init_failed=True)
    assert failure_of(begun).message == "its worker could not begin: ModuleNotFoundError: no torch"
    assert failure_of(RayActorError(error_msg="", actor_init_failed=True)).kind == FailureKind.LOST


def test_no_error_at_all_is_a_lost_worker_too() -> None:
    assert failure_of(None).kind == FailureKind.LOST
    assert failure_of(RayError("")).message == "worker exited without an error"


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


# Trials that are trained together

SHORT = {"name": "fifo", "max_epochs": 2}


def packed(running: RunningStudy, count: int = 3) -> RayTrial:
    """Hand out trials as one of Ray's."""
    first, *others = [hand_out(running).config for _ in range(count)]
    return RayTrial({**first, "mates": others})


def tell_of(scheduler: StudyScheduler, trial: RayTrial, number: int, **told: object) -> str:
    result = {"number": number, **{name: json.dumps(each) for name, each in told.items()}}
    return scheduler.on_trial_result(None, cast(Any, trial), result)


def end(scheduler: StudyScheduler, trial: RayTrial, number: int) -> list[str]:
    """Let one of a pack be trained to its end."""
    study = scheduler.study
    shown = [learn(study.trials[number], epoch) for epoch in range(1, study.record.max_epochs + 1)]
    return [tell_of(scheduler, trial, number, measurement=each.to_json()) for each in shown]


def test_a_pack_goes_on_until_the_last_of_it_is_over(make_bench: Callable[..., Bench]) -> None:
    running = make_bench(scheduler=SHORT).open()
    scheduler, trial = StudyScheduler(running), packed(running)
    failure = {"kind": "not-finite", "message": "the loss is nan in epoch 1", "details": ""}
    assert end(scheduler, trial, 2) == [TrialScheduler.CONTINUE] * 2
    assert tell_of(scheduler, trial, 0, failure=failure) == TrialScheduler.CONTINUE
    assert end(scheduler, trial, 1) == [TrialScheduler.CONTINUE, TrialScheduler.STOP]
    states = [running.trials[number].state for number in range(3)]
    assert states == [State.FAILED, State.COMPLETE, State.COMPLETE]
    assert running.trials[0].failure_kind == "not-finite"


def test_who_is_tried_again_alone_goes_on_while_the_pack_that_it_left_does(make_bench: Callable[..., Bench]) -> None:
    running = make_bench(scheduler=SHORT).open()
    scheduler, pack = StudyScheduler(running), packed(running)
    tell_of(scheduler, pack, 0, failure={"kind": "native-crash", "message": "SIGSEGV", "details": ""})
    alone = hand_out(running)
    assert alone.config["number"] == 0
    assert end(scheduler, alone, 0) == [TrialScheduler.CONTINUE, TrialScheduler.STOP]
    assert end(scheduler, pack, 1) == [TrialScheduler.CONTINUE] * 2
    assert end(scheduler, pack, 2) == [TrialScheduler.CONTINUE, TrialScheduler.STOP]
    assert running.trials[0].state is State.COMPLETE


def test_the_death_of_a_worker_is_told_of_all_who_were_still_trained_there(make_bench: Callable[..., Bench]) -> None:
    running = make_bench(scheduler=SHORT).open()
    scheduler, trial = StudyScheduler(running), packed(running)
    end(scheduler, trial, 1)
    fail(scheduler, trial, died(NO_WORD))
    assert [running.trials[number].attempts for number in range(3)] == [1, 0, 1]
    assert running.trials[1].state is State.COMPLETE
