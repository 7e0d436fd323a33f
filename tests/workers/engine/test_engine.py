"""Trials of an engine are told of, to the bit, as they would be alone, whatever befalls the others."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture
from workers.checkpoint import load, save
from workers.datasets import load as read
from workers.engine.engine import Engine
from workers.engine.trial import STEPS
from workers.measurement import Measurement
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec, train

pytestmark = pytest.mark.usefixtures("one_thread")

PATIENCE_S = 60.0  # of a trial that takes a tenth of a second
DIGITS = DataSpec(name="digits", limit=320)  # ten steps of an epoch: more than a turn has
SMALL = Architecture(depths=(1, 1), widths=(4, 8), strides=(1, 2))
FLOAT = Recipe(epochs=3, batch_size=32, precision="float32", memory_format="channels_last")
# Of each way to draw random numbers in a step one: none, on units, on branches by the host, on whole samples.
SPECS = [
    TrialSpec(architecture=architecture, recipe=recipe, data=DIGITS, seed=seed)
    for seed, (architecture, recipe) in enumerate([
        (SMALL, FLOAT),
        (replace(SMALL, dropout="between", dropout_rate=0.3), replace(FLOAT, optimizer="adamw", learning_rate=0.002)),
        (replace(SMALL, dropout="branch", dropout_rate=0.3), replace(FLOAT, batch_size=16, precision="bfloat16")),
        (replace(SMALL, dropout="branch", dropout_rate=0.3, drop_unit="sample"), replace(FLOAT, monte_carlo=2)),
    ])
]  # fmt: skip


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Return an engine of four slots, whose threads have ended before the next test."""
    made = Engine(device="cpu", threads=1, slots=4)
    started: list[Any] = []
    begin = made.begin

    def noted(ticket: str, config: Any) -> None:
        begin(ticket, config)
        started.append(made._trials[ticket].thread)

    made.begin = noted  # type: ignore[method-assign]
    yield made
    made.close()
    for thread in started:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def config(spec: TrialSpec, folder: Path, **more: Any) -> dict[str, Any]:
    number = spec.seed
    return {
        "number": number, "spec": spec.to_json(), "recorded": 0, "checkpoint": str(folder / f"{number}.pt"), "gpus": 0,
        "threads": 1, "pulse": f"pulse-{number}", **more,
    }  # fmt: skip


def told(engine: Engine, ticket: str, most: int = 99) -> list[dict[str, Any]]:
    """Return what a trial tells until nothing more comes."""
    found: list[dict[str, Any]] = []
    while len(found) < most and not (found and found[-1].keys() & {"ended", "raised"}):
        told = engine.take(ticket, PATIENCE_S)
        assert told is not None
        found.append(told)
    return found


def all_told(engine: Engine, *tickets: str) -> list[list[dict[str, Any]]]:
    """Return what trials tell that are asked at once."""
    with ThreadPoolExecutor(len(tickets)) as pool:
        return list(pool.map(lambda ticket: told(engine, ticket), tickets))


def learned(measurement: Measurement) -> tuple[int, dict[str, float]]:
    return measurement.epoch, {name: value for name, value in measurement.metrics.items() if name != "peak_bytes"}


def shown(found: list[dict[str, Any]]) -> list[tuple[int, dict[str, float]]]:
    """Return of what was told all that does not hang on the machine's speed."""
    return [learned(Measurement.from_json(json.loads(each["measurement"]))) for each in found if "measurement" in each]


@lru_cache
def alone(seed: int) -> list[tuple[int, dict[str, float]]]:
    """Return what a trial shows in a loop of its own."""
    return [learned(each) for each in train(SPECS[seed], read(DIGITS))]


def begin(engine: Engine, folder: Path, *specs: TrialSpec, **more: Any) -> list[str]:
    tickets = [str(each.seed) for each in specs]
    for ticket, spec in zip(tickets, specs, strict=True):
        engine.begin(ticket, config(spec, folder, **more))
    return tickets


def befall(monkeypatch: pytest.MonkeyPatch, seed: int, act: Callable[[], object], epoch: int = 2) -> None:
    """Let something happen to one trial at the middle of an epoch, while others are at theirs."""
    step = Trainer._step

    def planted(trainer: Trainer, number: int, *given: Any, **named: Any) -> Any:
        found = step(trainer, number, *given, **named)
        if (trainer.spec.seed, trainer.epoch + 1, number) == (seed, epoch, STEPS // 2):
            act()
        return found

    monkeypatch.setattr(Trainer, "_step", planted)


def raises(error: Exception) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


def test_trials_together_are_to_the_bit_what_each_is_alone(engine: Engine, tmp_path: Path) -> None:
    found = all_told(engine, *begin(engine, tmp_path, *SPECS))
    for seed, each in enumerate(found):
        assert shown(each) == alone(seed)
        assert [one["epoch"] for one in each[:-1]] == [1, 2, 3]
        assert each[-1] == {"ended": True}
        assert ["host" in one for one in each[:-1]] == [True, False, False]


def test_turns_change_within_an_epoch(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[int] = []
    step = Trainer._step
    monkeypatch.setattr(
        Trainer, "_step",
        lambda trainer, *given, **named: (order.append(trainer.spec.seed), step(trainer, *given, **named))[1],
    )  # fmt: skip
    tickets = begin(engine, tmp_path, *SPECS[:2])
    for ticket in tickets:
        engine.take(ticket, 0)
    all_told(engine, *tickets)
    runs = sum(one != other for one, other in pairwise(order))
    assert len(order) == 60
    assert runs > 6  # more than at each of three epochs' ends


def test_weights_are_those_of_a_trial_alone(engine: Engine, tmp_path: Path) -> None:
    all_told(engine, *begin(engine, tmp_path, *SPECS[1:3]))
    for spec in SPECS[1:3]:
        path = tmp_path / f"alone-{spec.seed}.pt"
        list(train(spec, read(DIGITS), checkpoint_path=path))
        expected, found = load(path), load(tmp_path / f"{spec.seed}.pt")
        assert expected is not None
        assert found is not None
        assert all(torch.equal(held, found["network"][name]) for name, held in expected["network"].items())


def test_nothing_is_trained_that_nobody_asked_for(engine: Engine, tmp_path: Path) -> None:
    (ticket, other) = begin(engine, tmp_path, *SPECS[:2])
    assert len(told(engine, ticket, 1)) == 1
    told(engine, other)
    state = load(tmp_path / "0.pt")
    assert state is not None
    assert len(state["history"]) == 1


def test_a_trial_that_is_ended_goes_on_later_to_the_bit_from_its_checkpoint(engine: Engine, tmp_path: Path) -> None:
    (ticket, other) = begin(engine, tmp_path, *SPECS[1:3])
    first = told(engine, ticket, 1)
    engine.take(ticket, 0)  # in the middle of its second epoch perhaps
    engine.end(ticket)
    with pytest.raises(KeyError):
        engine.take(ticket, 0)
    engine.begin("again", config(SPECS[1], tmp_path, recorded=1))
    rest, beside = all_told(engine, "again", other)
    assert shown(first) + shown(rest) == alone(1)
    assert shown(beside) == alone(2)


def test_a_loss_that_is_not_finite_ends_its_own_trial_alone(engine: Engine, tmp_path: Path) -> None:
    hot = replace(SPECS[0], seed=7, recipe=replace(SPECS[0].recipe, learning_rate=1e30))
    bad, *good = all_told(engine, *begin(engine, tmp_path, hot, *SPECS[1:3]))
    assert bad[-1]["raised"]["kind"] == "not-finite"
    assert [shown(each) for each in good] == [alone(1), alone(2)]
    assert engine.take("7", PATIENCE_S) == {"ended": True}


def test_memory_that_runs_out_beside_others_convicts_nobody_and_leaves_them_untouched(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    befall(monkeypatch, 0, raises(torch.OutOfMemoryError("CUDA out of memory.")))
    tickets = begin(engine, tmp_path, *SPECS[:3])
    for ticket in tickets:
        engine.take(ticket, 0)
    bad, *good = all_told(engine, *tickets)
    assert bad[-1]["raised"]["kind"] == "killed"  # as by the kernel, whom a neighbour may have driven to it
    assert "2 more trained in its process" in bad[-1]["raised"]["message"]
    assert [shown(each) for each in good] == [alone(1), alone(2)]


def test_memory_that_runs_out_without_company_is_the_networks_fault(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    befall(monkeypatch, 0, raises(torch.OutOfMemoryError("CUDA out of memory.")))
    (found,) = all_told(engine, *begin(engine, tmp_path, SPECS[0]))
    assert found[-1]["raised"]["kind"] == "out-of-memory"


def test_a_broken_context_ends_all_and_only_who_raised_it_is_suspected(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    befall(monkeypatch, 1, raises(torch.AcceleratorError("CUDA error: device-side assert triggered")))
    found = all_told(engine, *begin(engine, tmp_path, *SPECS[:3]))
    kinds = [each[-1]["raised"]["kind"] for each in found]
    assert kinds == ["lost", "native-crash", "lost"]
    engine.begin("next", config(replace(SPECS[0], seed=9), tmp_path))
    for ticket in ("1", "next", "next"):
        last = engine.take(ticket, PATIENCE_S)
        assert last is not None
        assert last["raised"]["kind"] == "lost"
        assert "device-side assert" in last["raised"]["message"]


def test_trials_beyond_the_slots_wait_in_line_and_show_that_they_live(tmp_path: Path) -> None:
    engine = Engine(device="cpu", threads=1, slots=1)
    first, second = begin(engine, tmp_path, *SPECS[:2])
    told(engine, first, 1)
    engine.signs()
    for _ in range(2):
        assert engine.take(second, 0) is None
        ((key, sign),) = engine.signs()
        assert (key, sign["number"], sign["phase"]) == ("pulse-1", 1, "starting")
    engine.end(first)
    assert shown(told(engine, second)) == alone(1)
    engine.close()


def test_a_sign_is_told_once(engine: Engine, tmp_path: Path) -> None:
    (ticket,) = begin(engine, tmp_path, SPECS[0])
    told(engine, ticket)
    ((key, sign),) = engine.signs()
    assert (key, sign["number"]) == ("pulse-0", 0)
    assert engine.signs() == []


def test_a_pack_in_an_engine_is_the_pack_alone(engine: Engine, tmp_path: Path) -> None:
    members = [config(replace(SPECS[0], seed=20 + place), tmp_path) for place in range(2)]
    single = Engine(device="cpu", threads=1, slots=1)
    single.begin("pack", {**members[0], "mates": members[1:]})
    expected = told(single, "pack")
    single.close()
    again = [config(replace(SPECS[0], seed=20 + place), tmp_path / "again") for place in range(2)]
    engine.begin("pack", {**again[0], "mates": again[1:]})
    (other,) = begin(engine, tmp_path, SPECS[1])
    found, beside = all_told(engine, "pack", other)
    assert [(each["number"], each["epoch"]) for each in found[:-1]] == [
        (20 + place, epoch) for epoch in (1, 2, 3) for place in range(2)
    ]
    assert shown(found) == shown(expected)
    assert shown(beside) == alone(1)


def test_a_ticket_is_one_trials(engine: Engine, tmp_path: Path) -> None:
    begin(engine, tmp_path, SPECS[0])
    with pytest.raises(ValueError, match="ticket '0' is another trial's"):
        begin(engine, tmp_path, SPECS[0])


def test_numerics_of_one_trial_are_not_those_of_the_next(engine: Engine, tmp_path: Path) -> None:
    """A processor whose library is wrong computes without it, for the trial that has to alone."""
    seen: dict[int, set[bool]] = {0: set(), 1: set()}
    step = Trainer._step

    def noted(trainer: Trainer, *given: Any, **named: Any) -> Any:
        seen[trainer.spec.seed].add(bool(torch.backends.mkldnn.enabled))
        return step(trainer, *given, **named)

    trainer = Trainer(SPECS[0], read(DIGITS))
    trainer.run_epoch()
    save(tmp_path / "0.pt", {**trainer.state(), "numerics": "float32 channels_first without oneDNN"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_step", noted)
        tickets = begin(engine, tmp_path, *SPECS[:2])
        all_told(engine, *tickets)
    assert seen == {0: {False}, 1: {True}}
