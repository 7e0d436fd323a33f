"""An engine's server lets trials in, tells how all stand, and forgets those that are gone."""

import json
import os
from typing import Any

import pytest

from tests.workers.engines import FakeEngine
from workers import serving
from workers.pulse import COMPILING, TRAINING
from workers.serving import CPU, EngineServer


@pytest.fixture
def server() -> EngineServer:
    return EngineServer(device=CPU, threads=1, slots=2, make=FakeEngine)  # type: ignore[arg-type]


def engine_of(server: EngineServer) -> Any:
    return server._engine


def begin(server: EngineServer, *numbers: int, **config: Any) -> None:
    for number in numbers:
        assert server.enter(str(number), config.get("alone", False), 0.0)
        server.begin(str(number), {"number": number, "pulse": str(number), **config})


def sign(number: int, count: int, phase: str = TRAINING) -> tuple[str, dict[str, Any]]:
    told = {"number": number, "phase": phase, "count": count, "epoch": number, "pid": 0, "node": ""}
    return str(number), told


def told_by(server: EngineServer) -> dict[str, dict[str, Any]]:
    """Return what the driver would see now, by the trial's key."""
    told: dict[str, dict[str, Any]] = {}
    server.tell(lambda key, text, **_named: told.update({key: json.loads(text)}))
    return told


def test_a_gpu_is_the_only_one_that_its_engine_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    server = EngineServer(device="3", threads=4, slots=2, make=FakeEngine)  # type: ignore[arg-type]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    assert engine_of(server).given == {"device": "cuda", "threads": 4, "slots": 2}


def test_a_trial_that_this_process_never_let_in_is_unknown(server: EngineServer) -> None:
    with pytest.raises(KeyError):
        server.begin("0", {"number": 0, "pulse": "0"})


def test_one_that_was_alone_has_company_once_it_has_told_of_an_epoch(server: EngineServer) -> None:
    begin(server, 0, alone=True)
    engine_of(server).told["0"] = [None, {"measurement": "..."}]
    assert not server.enter("1", False, 0.0)
    server.take("0", 0.0)
    assert not server.enter("1", False, 0.0)
    server.take("0", 0.0)
    assert server.enter("1", False, 0.0)


def test_the_study_ends_a_trial_by_its_number_and_none_beside_it(server: EngineServer) -> None:
    begin(server, 0, 1)
    begin(server, 2, mates=[{"number": 3, "pulse": "3"}])
    server.end_trial(3)
    server.end_trial(7)
    assert engine_of(server).trials.keys() == {"0", "1"}
    with pytest.raises(KeyError):
        server.take("2", 0.0)


def test_to_end_what_is_gone_already_is_no_mistake(server: EngineServer) -> None:
    begin(server, 0)
    server.end("0")
    server.end("0")
    assert server.enter("1", True, 0.0)


def test_a_sign_of_one_is_a_sign_of_all_as_they_take_turns(server: EngineServer) -> None:
    begin(server, 0, 1)
    engine_of(server).signed = [sign(0, 5), sign(1, 5)]
    first = told_by(server)
    engine_of(server).signed = [sign(1, 6)]
    second = told_by(server)
    for number in ("0", "1"):
        assert second[number]["count"] > first[number]["count"]
        assert (second[number]["number"], second[number]["epoch"]) == (int(number), int(number))
        assert second[number]["pid"] == os.getpid()
    assert told_by(server) == {}  # nobody has given a sign since: whoever watches may see that


def test_where_one_compiles_all_are_waited_for(server: EngineServer) -> None:
    begin(server, 0, 1)
    engine_of(server).signed = [sign(0, 1), sign(1, 2, COMPILING)]
    assert {each["phase"] for each in told_by(server).values()} == {COMPILING}
    engine_of(server).signed = [sign(1, 3)]
    assert {each["phase"] for each in told_by(server).values()} == {TRAINING}


def test_nothing_is_told_of_one_that_has_ended(server: EngineServer) -> None:
    begin(server, 0, 1)
    engine_of(server).signed = [sign(0, 1), sign(1, 1)]
    told_by(server)
    server.end("0")
    engine_of(server).signed = [sign(0, 2), sign(1, 2)]
    assert told_by(server).keys() == {"1"}


def test_a_process_whose_gpu_is_lost_lets_nobody_in_and_ends_with_the_last_of_its_trials(
    server: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(serving.os, "_exit", codes.append)
    begin(server, 0, 1)
    engine_of(server).is_lost = True
    assert not server.enter("2", False, 0.0)
    server.end("0")
    assert codes == []
    server.end("1")
    assert codes == [1]
