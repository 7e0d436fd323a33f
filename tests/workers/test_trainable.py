"""A worker tells the driver only what it does not have, wherever its checkpoint stands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spaces.architecture import Architecture
from workers.checkpoint import load, save
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
