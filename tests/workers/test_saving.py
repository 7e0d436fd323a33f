"""Checkpoints that are written while the next epoch trains: an epoch is told only once its own is on disk."""

import math
from collections.abc import Iterator
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.errors import TrialFailure
from tests.workers.test_trainer import same_state, shown, spec, toy
from workers import saving
from workers.augment import Augment
from workers.checkpoint import Checkpoint, load
from workers.measurement import Measurement
from workers.trainer import Trainer, TrialSpec, train

pytestmark = pytest.mark.usefixtures("one_thread")

LONG_S = 20.0  # that nobody waits for but where something is wrong
GIVEN = spec(epochs=4)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a processor do what only a GPU does."""
    monkeypatch.setattr(saving, "pays", lambda _device: True)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tell which epochs are trained by now."""
    found: list[int] = []
    run = Trainer.run_epoch

    def counted(self: Trainer, **how: Any) -> Measurement:
        measurement = run(self, **how)
        found.append(measurement.epoch)
        return measurement

    monkeypatch.setattr(Trainer, "run_epoch", counted)
    return found


def moved(path: Path | None = None, given: TrialSpec = GIVEN, **how: Any) -> Iterator[Measurement]:
    return train(given, toy(how=Augment(crop=1, flip=True)), checkpoint_path=path, **how)


def test_on_a_processor_they_are_written_at_once_and_on_a_gpu_beside_the_training() -> None:
    assert [saving.pays(torch.device(name)) for name in ("cpu", "cuda:1")] == [False, True]


def test_nothing_else_comes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = list(moved(tmp_path / "at-once.pt"))
    monkeypatch.setattr(saving, "pays", lambda _device: True)
    assert shown(list(moved(tmp_path / "beside.pt"))) == shown(at_once)
    assert shown(list(moved())) == shown(at_once)
    assert same_state(load(tmp_path / "at-once.before.pt"), load(tmp_path / "beside.before.pt"))  # with momenta
    last = [load(tmp_path / name) for name in ("at-once.pt", "beside.pt")]
    assert all(held is not None and held["optimizer"] is None and len(held["history"]) == 4 for held in last)


@pytest.mark.usefixtures("beside")
def test_an_epoch_is_on_disk_before_it_is_told_and_nothing_is_being_written_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[str] = []
    save = Checkpoint.save

    def watched(self: Checkpoint, state: dict[str, Any]) -> None:
        at_work.append(current_thread().name)
        save(self, state)
        at_work.pop()

    monkeypatch.setattr(Checkpoint, "save", watched)
    told = 0
    for measurement in moved(tmp_path / "7.pt"):
        held = load(tmp_path / "7.pt")
        assert held is not None
        assert held["history"][-1] == measurement.to_json()
        assert not at_work
        told += 1
    assert told == 4


@pytest.mark.usefixtures("beside")
def test_a_file_holds_its_epoch_though_it_is_written_after_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    further = Event()
    save, run = Checkpoint.save, Trainer.run_epoch

    def late(self: Checkpoint, state: dict[str, Any]) -> None:
        assert current_thread() is not main_thread()
        assert len(state["history"]) != 1 or further.wait(LONG_S), "the next epoch waits for the file"
        save(self, state)

    def run_epoch(self: Trainer, **how: Any) -> Measurement:
        found = run(self, **how)
        if found.epoch == 2:
            further.set()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", late)
        patched.setattr(Trainer, "run_epoch", run_epoch)
        first = moved(tmp_path / "7.pt")
        assert next(first).epoch == 1
        first.close()
    held = load(tmp_path / "7.pt")
    assert held is not None
    assert len(held["history"]) == 1
    assert shown(list(moved(tmp_path / "7.pt"))) == shown(list(moved()))  # from what the file holds


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, [2, 3, 4, 4]),
        ({"measured": [2]}, [2, 2, 4, 4]),
        ({"decided": [1, 3]}, [1, 3, 3, 4]),
        ({"measured": [2], "decided": []}, [2, 3, 4, 4]),
    ],
)
def test_nothing_is_trained_ahead_of_a_decision(
    how: dict[str, Any], expected: list[int], tmp_path: Path, trained: list[int]
) -> None:
    assert [len(trained) for _ in moved(tmp_path / "7.pt", **how)] == expected


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_trial_interrupted_after_any_epoch_ends_as_if_it_had_not_been(tmp_path: Path, epoch: int) -> None:
    first = moved(tmp_path / "7.pt")
    *_, last = (next(first) for _ in range(epoch))
    first.close()
    held = load(tmp_path / "7.pt")
    assert held is not None
    assert len(held["history"]) == last.epoch == epoch  # what was trained ahead is lost
    assert shown(list(moved(tmp_path / "7.pt"))) == shown(list(moved()))


@pytest.mark.usefixtures("beside")
def test_a_disk_that_is_full_ends_the_trial_before_the_epoch_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Checkpoint.save

    def full(self: Checkpoint, state: dict[str, Any]) -> None:
        if len(state["history"]) == 2:
            raise OSError(28, "No space left on device")
        save(self, state)

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", full)
        run = moved(tmp_path / "7.pt")
        assert next(run).epoch == 1
        with pytest.raises(OSError, match="No space left"):
            next(run)
    assert shown(list(moved(tmp_path / "7.pt"))) == shown(list(moved()))


@pytest.mark.usefixtures("beside")
def test_a_trial_that_fails_tells_the_epochs_before_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer._loss

    def fail_in_the_third(self: Trainer, images: Tensor, labels: Tensor, network: nn.Module) -> Tensor:
        return step(self, images, labels, network) * (math.nan if self.epoch == 2 else 1)

    monkeypatch.setattr(Trainer, "_loss", fail_in_the_third)
    run = moved(tmp_path / "7.pt")
    assert [next(run).epoch, next(run).epoch] == [1, 2]
    with pytest.raises(TrialFailure, match="in epoch 3"):
        next(run)
    held = load(tmp_path / "7.pt")
    assert held is not None
    assert len(held["history"]) == 2


@pytest.mark.usefixtures("beside")
def test_whoever_watches_hears_of_an_epoch_as_soon_as_it_is_trained(tmp_path: Path) -> None:
    heard: list[int] = []
    run = moved(tmp_path / "7.pt", trained=heard.append)
    assert [(each.epoch, len(heard)) for each in run] == [(1, 2), (2, 3), (3, 4), (4, 4)]
    assert heard == [1, 2, 3, 4]
