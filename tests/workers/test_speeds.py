"""Networks are timed in rounds, by steps that train nothing; the memory of one is that of a process of its own."""

import pytest
import torch

from spaces.architecture import Architecture
from tests.workers.test_lesions import data as data  # a fixture
from workers import speeds
from workers.datasets import Dataset
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.speeds import Timed, peak
from workers.trainer import TrialSpec

pytestmark = pytest.mark.usefixtures("one_thread")


def timed(name: str, k: float = 0.25, batch: int = 8) -> Timed:
    spec = TrialSpec(
        architecture=Architecture(depths=(1, 1, 1), widening_factor=k), recipe=Recipe(epochs=1, batch_size=batch),
        data=DataSpec(name="digits", limit=100), seed=0,
    )  # fmt: skip
    return Timed(name=name, spec=spec)


def test_every_round_has_each_network_and_every_second_one_goes_backwards(
    data: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speeds, "peak", lambda _spec, _data: None)
    monkeypatch.setattr(speeds, "LEAST_S", 0.001)
    rows = list(speeds.speeds([timed("a"), timed("b", 0.5)], data, rounds=3))
    assert [row["network"] for row in rows] == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert all(min(row["step_ms"], row["inference_ms"]) > 0 for row in rows[2:])
    assert rows[0]["params"] < rows[1]["params"]


def test_what_is_timed_trains_nothing(data: Dataset) -> None:
    runs = speeds._Runs(timed("a"), data)
    weights = {name: each.clone() for name, each in runs.trainer.network.named_parameters()}
    runs.timed()
    assert all(torch.equal(each, weights[name]) for name, each in runs.trainer.network.named_parameters())


@pytest.mark.slow
def test_a_wider_network_holds_more_memory(data: Dataset) -> None:
    thin, wide = (peak(timed("a", k, 64).spec, data) for k in (1, 16))
    assert thin is not None
    assert wide is not None
    assert wide > thin + 4 * 2 * 10**6  # a part of its parameters and their gradients alone
