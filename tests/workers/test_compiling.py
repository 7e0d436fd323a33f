"""Steps are compiled where that pays, and a training that cannot be compiled trains all the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.workers.test_trainer import SMALL, learned, spec, toy
from workers import checkpoint, compiling
from workers.compiling import COST_S, SAVED, Compiling
from workers.pulse import COMPILING, no_beat
from workers.trainer import Trainer, train

pytestmark = pytest.mark.usefixtures("one_thread")
DROPPING = replace(SMALL, dropout="between", dropout_rate=0.3)


class Same(nn.Module):
    """Stands for what torch compiles: the same network by another name."""

    def __init__(self, network: nn.Module, calls: list[int]) -> None:
        super().__init__()
        self.given = (network,)  # no part of it
        self.calls = calls

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(len(x))
        found: Tensor = self.given[0](x)
        return found


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Return a list that grows with each batch that a compiled network is given."""
    calls: list[int] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiling, "_missing", lambda: "")
    monkeypatch.setattr(torch, "compile", lambda network, **_how: Same(network, calls))
    return calls


def broken(after: int) -> Callable[..., nn.Module]:
    """Return what compiles to a network that draws, and fails at some step."""

    def compile_(network: nn.Module, **_how: Any) -> nn.Module:
        calls: list[int] = []

        def fail(_module: nn.Module, _given: Any) -> None:
            torch.rand(3)
            if len(calls) == after:
                raise RuntimeError("no luck\nand more of it")

        made = Same(network, calls)
        made.register_forward_pre_hook(fail)
        return made

    return compile_


@pytest.mark.parametrize(
    ("how", "steps", "step_s", "on"),
    [
        ("auto", 18 * 9, 0.005, False),  # digits
        ("auto", 390 * 9, 0.3, True),  # CIFAR-10 in full, on a core
        ("never", 390 * 9, 0.3, False),
        ("always", 1, 0.0, True),
        ("auto", 1000, COST_S / SAVED / 1000 * 1.01, True),
        ("auto", 1000, COST_S / SAVED / 1000 * 0.99, False),
    ],
)
def test_it_is_done_where_it_saves_more_than_it_takes(how: str, steps: int, step_s: float, on: bool) -> None:
    made = Compiling(how)
    made.consider(steps, step_s)
    assert made.on is on


def test_steps_are_compiled_from_the_epoch_on_at_whose_beginning_it_pays(
    compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "COST_S", 0.0)
    made, phases = Trainer(spec(), toy()), list[str]()
    made.beat = phases.append
    made.run_epoch(ahead=3)
    assert compiled == []  # how long a step takes is not known yet
    made.run_epoch(ahead=2)
    made.run_epoch()
    assert compiled == [32] * 6
    assert phases.count(COMPILING) == 1


def test_evaluation_and_the_last_batches_before_an_epoch_that_is_not_measured_are_not(compiled: list[int]) -> None:
    made = Trainer(spec(compile="always"), toy(32 * 10))
    made.run_epoch(measure=False)
    assert len(compiled) == 2
    made.run_epoch()
    assert len(compiled) == 12


def test_the_next_epoch_that_is_measured_is_sure_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    run = Trainer.run_epoch

    def telling(self: Trainer, **how: Any) -> Any:
        told.append(how["ahead"])
        return run(self, **how)

    monkeypatch.setattr(Trainer, "run_epoch", telling)
    list(train(spec(epochs=5), toy(), measured=[1, 4]))
    list(train(spec(epochs=2), toy()))
    assert told == [1, 3, 2, 1, 1, 2, 1]


def test_who_goes_on_is_compiled_as_before(compiled: list[int], tmp_path: Path) -> None:
    given = spec(compile="always")
    first = train(given, toy(), checkpoint_path=tmp_path / "0.pt")
    next(first)
    first.close()
    state = checkpoint.load(tmp_path / "0.pt")
    assert state is not None
    assert state["compiled"] == {"on": True, "failed": ""}
    auto = Trainer(spec(), toy())
    auto.resume(state)
    assert auto.compiling.on
    del state["compiled"]  # of before
    auto.resume(state)
    assert not auto.compiling.on
    assert len(compiled) == 3


@pytest.mark.parametrize("after", [0, 4])
def test_where_it_fails_the_network_trains_as_without_and_the_checkpoint_says_why(
    after: int, compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", broken(after))
    plain, made = Trainer(spec(SMALL), toy()), Trainer(spec(SMALL, compile="always"), toy())
    for _ in range(2):
        assert learned(plain.run_epoch()) == learned(made.run_epoch())
    assert made.state()["compiled"] == {"on": False, "failed": "no luck"}
    assert compiled == []


def test_what_a_failed_attempt_has_drawn_is_drawn_again(compiled: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", broken(0))
    plain, made = Trainer(spec(DROPPING), toy()), Trainer(spec(DROPPING, compile="always"), toy())
    assert learned(plain.run_epoch()) == learned(made.run_epoch())
    assert compiled == []


def test_without_a_compiler_nobody_waits_for_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch, "compile", lambda *_given, **_how: pytest.fail("it was asked"))
    made = Compiling("always")
    assert made.step(nn.Linear(2, 2), lambda network: network(torch.ones(1, 2)).sum(), no_beat).isfinite()
    assert made.failed == "there is no C++ compiler no-such-compiler here"


def test_code_is_kept_for_processors_that_can_do_the_same(tmp_path: Path) -> None:
    said = "processor\t: {}\nmodel name\t: Some CPU\ncpu MHz\t\t: {}\nflags\t\t: fpu {}\n"
    told = tmp_path / "cpuinfo"

    def named(*numbers: object) -> str:
        told.write_text(said.format(*numbers))
        return compiling.processor(told)

    assert named(0, 2100.0, "avx2") == named(1, 3400.0, "avx2")
    assert named(0, 2100.0, "avx2") != named(0, 2100.0, "avx2 avx512f")
    assert compiling.processor(tmp_path / "none") == compiling.processor(tmp_path / "none")


def test_what_a_step_itself_has_no_memory_for_is_no_fault_of_the_compiler(compiled: list[int]) -> None:
    def run(_network: nn.Module) -> Tensor:
        raise torch.OutOfMemoryError("much")

    made = Compiling("always")
    with pytest.raises(torch.OutOfMemoryError):
        made.step(nn.Linear(2, 2), run, no_beat)
    assert (made.failed, compiled) == ("", [])


@pytest.mark.slow
def test_what_torch_compiles_learns_what_it_would_have_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    tiny = replace(SMALL, depths=(1,), widths=(8,))
    plain, made = Trainer(spec(tiny), toy()), Trainer(spec(tiny, compile="always"), toy())
    for _ in range(2):
        one, other = plain.run_epoch(), made.run_epoch()
        assert learned(one) == pytest.approx(learned(other), rel=0.02)
    assert made.compiling.to_json()["on"] is (not compiling._missing())
