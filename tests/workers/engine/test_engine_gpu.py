"""On CUDA trials of several plans share a process, and come to what each comes to alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture
from workers.datasets import load
from workers.device import choose_device
from workers.engine.engine import Engine
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device on this machine"),
]

DIGITS = DataSpec(name="digits")


def test_trials_of_several_plans_are_within_a_bound_what_they_are_alone(tmp_path: Path) -> None:
    plans = [Architecture(depths=(1, 1), widths=(8, 16)), Architecture(depths=(2,), widths=(16,), dropout_rate=0.2)]
    specs = [
        TrialSpec(architecture=each, recipe=Recipe(epochs=2, precision="float32"), data=DIGITS, seed=seed)
        for seed, each in enumerate(plans)
    ]
    data = load(DIGITS).to(choose_device("cuda"))
    expected = [[each.metrics["loss"] for each in train(spec, data)] for spec in specs]
    engine = Engine(device="cuda", threads=1, slots=2)
    for spec in specs:
        given: dict[str, Any] = {"number": spec.seed, "spec": spec.to_json(), "recorded": 0, "gpus": 0.5, "threads": 1}
        engine.begin(str(spec.seed), {**given, "checkpoint": str(tmp_path / f"{spec.seed}.pt")})
    reasons = [engine._trials[str(spec.seed)]._graphs for spec in specs]
    found: list[list[float]] = [[], []]
    for _ in range(2):
        for spec, losses in zip(specs, found, strict=True):
            told = engine.take(str(spec.seed), 60)
            assert told is not None
            losses.append(json.loads(told["measurement"])["metrics"]["loss"])
    for losses, wanted in zip(found, expected, strict=True):
        assert losses == pytest.approx(wanted, rel=0.05)
    assert [each.failed for each in reasons] == ["", "Dropout draws random numbers"]
    engine.close()
