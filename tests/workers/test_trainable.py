"""A worker tells the driver only what it does not have, wherever its checkpoint stands."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from spaces.architecture import Architecture
from workers import saving, trainable
from workers.checkpoint import load, save
from workers.pulse import TRAINING
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainable import NetworkTrainable
from workers.trainer import TrialSpec

pytestmark = pytest.mark.slow

SPEC = TrialSpec(
    architecture=Architecture(depths=(1, 1), widths=(4, 8), strides=(1, 2)),
    recipe=Recipe(epochs=4, batch_size=32),
    data=DataSpec(name="digits", limit=120),
    seed=3,
)


def steps(address: str, *, recorded: int, epochs: int) -> list[dict[str, Any]]:
    """Return what a new worker tells in so many steps to a driver that has recorded some epochs."""
    given = {
        "number": 7, "spec": SPEC.to_json(), "recorded": recorded, "checkpoint": address, "gpus": 0, "threads": 1,
    }  # fmt: skip
    worker = NetworkTrainable(given)
    try:
        return [worker.step() for _ in range(epochs)]
    finally:
        worker.stop()


def told(address: str, *, recorded: int, epochs: int) -> list[tuple[int, float, float]]:
    found = steps(address, recorded=recorded, epochs=epochs)
    shown = [json.loads(step["measurement"])["metrics"] for step in found]
    return [(step["epoch"], each["accuracy"], each["loss"]) for step, each in zip(found, shown, strict=True)]


@pytest.mark.parametrize("kind", ["path", "url"])
def test_from_the_one_before_a_worker_goes_on_exactly_behind_what_is_recorded(tmp_path: Path, kind: str) -> None:
    whole = told(str(tmp_path / "whole.pt"), recorded=0, epochs=4)
    address = str(tmp_path / "7.pt") if kind == "path" else f"file://{tmp_path}/7.pt"
    assert told(address, recorded=0, epochs=3) == whole[:3]
    (tmp_path / "7.pt").write_bytes(b"torn")
    assert told(address, recorded=3, epochs=1) == whole[3:]


def test_what_the_driver_never_heard_is_told_from_the_checkpoint(tmp_path: Path) -> None:
    first = told(str(tmp_path / "7.pt"), recorded=0, epochs=3)
    assert told(str(tmp_path / "7.pt"), recorded=1, epochs=2) == first[1:]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "is missing or damaged"),
        (lambda path: path.write_bytes(b"torn"), "ends after epoch 2"),
        (lambda path: save(path, {**load(path), "spec": {**SPEC.to_json(), "seed": 4}}), "is of another training"),
    ],
)
def test_what_had_to_be_trained_again_is_told_with_its_seconds_and_the_reason(
    tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    path = tmp_path / "7.pt"
    assert "again" not in steps(str(path), recorded=0, epochs=3)[-1]
    if "missing" in why or "another" in why:
        (tmp_path / "7.before.pt").unlink()
    spoil(path)
    (step,) = steps(str(path), recorded=3, epochs=1)
    again = json.loads(step["again"])
    assert (again["epochs"], again["why"]) == (1 if "ends" in why else 3, why)
    assert again["seconds"] > 0


def test_trials_that_are_trained_together_are_told_of_one_by_one(tmp_path: Path) -> None:
    alone = told(str(tmp_path / "alone.pt"), recorded=0, epochs=1)
    own = [
        {"number": 7 + place, "spec": {**SPEC.to_json(), "seed": 3 + place}, "recorded": 0, "checkpoint": str(path)}
        for place, path in enumerate([tmp_path / "7.pt", tmp_path / "8.pt"])
    ]
    worker = NetworkTrainable({**own[0], "mates": own[1:], "gpus": 0, "threads": 1})
    try:
        found = [worker.step() for _ in range(4)]
    finally:
        worker.stop()
    assert [(step["number"], step["epoch"]) for step in found] == [(7, 1), (8, 1), (7, 2), (8, 2)]
    assert ["host" in step for step in found] == [True, False, False, False]
    first = json.loads(found[0]["measurement"])
    assert first["together"] == 2
    assert first["metrics"]["loss"] == pytest.approx(alone[0][2], abs=1e-4)
    assert told(str(tmp_path / "7.pt"), recorded=1, epochs=1)[0][0] == 2  # the checkpoint is that of a trial alone


def test_a_sign_of_life_tells_of_an_epoch_before_its_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "pays", lambda _device: True)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "here"))
    signs: list[dict[str, Any]] = []
    monkeypatch.setattr(trainable, "_internal_kv_put", lambda _key, sign, **_how: signs.append(json.loads(sign)))
    given = {
        "number": 7, "spec": SPEC.to_json(), "recorded": 0, "checkpoint": str(tmp_path / "7.pt"), "gpus": 0,
        "threads": 1, "pulse": "key",
    }  # fmt: skip
    worker = NetworkTrainable(given)
    try:
        assert worker.step()["epoch"] == 1
        worker._assignment._sign(TRAINING, 1)
    finally:
        worker.stop()
    assert signs[-1]["epoch"] == 2
