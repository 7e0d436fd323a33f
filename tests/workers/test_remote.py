"""A worker that trains in an engine tells what the engine does, and of what it failed where the engine ended."""

import json
from typing import Any

import pytest

from spaces.errors import TrialFailure
from tests.workers.engines import Actor, unavailable
from workers import remote
from workers.kinds import FailureKind
from workers.remote import RemoteTrainable


class Ray:
    """Be of Ray what a worker asks: the actor, whose methods answer at once."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def __getattr__(self, method: str) -> Any:
        return type("Method", (), {"remote": lambda _self, *given: (method, given)})()

    def get(self, asked: tuple[str, tuple[Any, ...]]) -> Any:
        return self.actor.call(asked[0], *asked[1])


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> Actor:
    made = Actor()
    monkeypatch.setattr(remote, "ray", Ray(made))
    monkeypatch.setattr(remote, "LOOK_S", 0.0)
    monkeypatch.setattr(RemoteTrainable, "_find", lambda _self: Ray(made))
    return made


def config(number: int = 0, **changed: Any) -> dict[str, Any]:
    return {"number": number, "pulse": f"key-{number}", "gpus": 0.25, "alone": False, **changed}


def epoch(number: int) -> dict[str, Any]:
    return {"epoch": number, "number": 0, "measurement": json.dumps({"epoch": number})}


def raised(kind: str) -> dict[str, Any]:
    return {"raised": {"kind": kind, "message": "why", "details": "where"}}


def failure_of(worker: RemoteTrainable) -> TrialFailure:
    with pytest.raises(TrialFailure) as found:
        worker.step()
    return found.value


def test_each_step_returns_the_next_thing_that_the_engine_has_to_tell(actor: Actor) -> None:
    actor.told["key-0"] = [None, epoch(1), None, None, epoch(2)]
    worker = RemoteTrainable(config())
    assert [worker.step(), worker.step()] == [epoch(1), epoch(2)]
    assert actor.engine.trials["key-0"]["number"] == 0


def test_the_next_trial_of_a_worker_is_begun_as_the_one_before_is_ended(actor: Actor) -> None:
    actor.told |= {"key-0": [epoch(1)], "key-1": [epoch(1)]}
    worker = RemoteTrainable(config())
    worker.step()
    assert worker.reset_config(config(1))
    assert actor.engine.trials == {}
    worker.step()
    assert actor.engine.trials.keys() == {"key-1"}
    worker.cleanup()
    assert actor.engine.trials == {}


def test_what_a_trial_failed_of_is_what_the_engine_says(actor: Actor) -> None:
    actor.told["key-0"] = [raised(FailureKind.NOT_FINITE)]
    failure = failure_of(RemoteTrainable(config()))
    assert (failure.kind, failure.message, failure.details) == (FailureKind.NOT_FINITE, "why", "where")
    assert actor.engine.trials == {}


@pytest.mark.parametrize("kind", [FailureKind.OUT_OF_MEMORY, FailureKind.KILLED])
def test_where_others_train_beside_it_a_lack_of_memory_is_no_trials_fault_and_alone_it_is(
    kind: FailureKind, actor: Actor
) -> None:
    actor.told["key-0"] = [raised(kind)]
    assert failure_of(RemoteTrainable(config())).kind == FailureKind.TOGETHER
    actor.told["key-0"] = [raised(kind)]
    assert failure_of(RemoteTrainable(config(alone=True))).kind == kind
    actor.told["key-0"] = [epoch(1), raised(kind)]
    worker = RemoteTrainable(config(alone=True))
    worker.step()  # from now on others may be beside it
    assert failure_of(worker).kind == FailureKind.TOGETHER


@pytest.mark.parametrize("ends_at", ["take", "begin"])
def test_an_engine_that_ends_convicts_nobody_but_who_was_alone_in_it(ends_at: str, actor: Actor) -> None:
    for alone, kind in ((False, FailureKind.TOGETHER), (True, FailureKind.LOST)):
        actor.ends[ends_at] = unavailable()
        failure = failure_of(RemoteTrainable(config(alone=alone)))
        assert failure.kind == kind
        assert failure.message.startswith("its engine ended: ")


def test_a_trial_that_a_new_process_does_not_know_was_in_the_one_that_ended(actor: Actor) -> None:
    actor.told["key-0"] = [epoch(1)]
    worker = RemoteTrainable(config())
    worker.step()
    actor.begin_anew()
    assert failure_of(worker).kind == FailureKind.TOGETHER


def test_an_engine_that_ends_is_nothing_to_who_waits_to_be_let_in(actor: Actor) -> None:
    actor.told["key-0"] = [epoch(1)]
    actor.ends["enter"] = unavailable()
    assert RemoteTrainable(config(alone=True)).step() == epoch(1)
    assert actor.asked == ["enter", "enter", "begin", "take"]


def test_who_was_let_in_by_a_process_that_ended_is_let_in_anew(actor: Actor) -> None:
    actor.told["key-0"] = [epoch(1)]
    actor.ends["begin"] = KeyError("key-0")  # the next process, which never let it in
    assert RemoteTrainable(config()).step() == epoch(1)
    assert actor.asked == ["enter", "begin", "enter", "begin", "take"]
