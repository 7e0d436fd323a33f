"""Every objective keeps one contract, those not written yet included."""

import math
from collections.abc import Callable

import pytest

from spaces.cost import NAMES, Cost
from workers.measurement import Measurement
from workers.objectives import OBJECTIVES

STATIC = [name for name, objective in OBJECTIVES.items() if objective.static]
MORE = {name: 55.0 + place for place, name in enumerate(STATIC) if name not in NAMES}
COST = Cost(params=11, macs=22, activations=33, weight_bytes=44, more=MORE)
KNOWN = {**COST.to_json(), **MORE}
LEARNED = [name for name, objective in OBJECTIVES.items() if not objective.static]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_has_a_name_a_title_a_unit_and_a_direction(name: str) -> None:
    objective = OBJECTIVES[name]
    assert objective.name == name
    assert objective.title.strip()
    assert objective.unit.strip()
    assert objective.direction in ("minimize", "maximize")


@pytest.mark.parametrize("name", STATIC)
def test_a_static_objective_is_known_before_training_and_does_not_change(
    name: str, make_measurement: Callable[..., Measurement]
) -> None:
    objective = OBJECTIVES[name]
    assert objective.value(COST, None) == objective.value(COST, make_measurement(7)) == KNOWN[name]
    assert objective.direction == "minimize"


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_objective_is_not_known_before_training(
    name: str, make_measurement: Callable[..., Measurement]
) -> None:
    objective = OBJECTIVES[name]
    assert math.isnan(objective.value(COST, None))
    field = {"epoch_s": "train_s"}.get(name, name)
    assert objective.value(COST, make_measurement(1, **{"eval_s": 0.0, field: 0.625})) == 0.625


@pytest.mark.parametrize("name", OBJECTIVES)
def test_of_minimised_values_the_better_is_less(name: str) -> None:
    objective = OBJECTIVES[name]
    worse, better = (0.25, 0.5) if objective.direction == "maximize" else (0.5, 0.25)
    assert objective.minimised(better) < objective.minimised(worse)
    assert abs(objective.minimised(better)) == better


def test_accuracy_is_to_be_high_and_loss_low() -> None:
    assert OBJECTIVES["accuracy"].direction == "maximize"
    assert OBJECTIVES["loss"].direction == "minimize"
    assert [OBJECTIVES["accuracy"].minimised(0.9), OBJECTIVES["loss"].minimised(0.9)] == [-0.9, 0.9]


def test_every_count_of_a_cost_can_be_an_objective() -> None:
    assert set(STATIC) >= set(COST.to_json())


def test_what_training_reveals_is_either_quality_or_a_measured_cost_between_fixed_ends() -> None:
    for name in LEARNED:
        low, high = OBJECTIVES[name].ends or (0, 0)
        assert OBJECTIVES[name].quality == (OBJECTIVES[name].worst is not None) == (not 0 < low < high)


def test_a_share_runs_from_0_at_the_best_to_1_at_chance_or_the_largest_cost() -> None:
    def share(name: str, value: float, bounds: tuple[float, float] | None = None) -> float:
        return OBJECTIVES[name].share(value, classes=10, bounds=bounds)

    assert [share("accuracy", value) for value in (1.0, 0.55, 0.1, 0.0)] == pytest.approx([0, 0.5, 1, 1])
    assert [share("loss", value) for value in (0.0, math.log(10) / 2, 9.0)] == pytest.approx([0, 0.5, 1])
    assert [share("roc_auc", value) for value in (1.0, 0.75, 0.5)] == pytest.approx([0, 0.5, 1])
    assert [share("macs", value, (1e4, 1e6)) for value in (1e4, 1e5, 1e6, 1e9)] == pytest.approx([0, 0.5, 1, 1])
    assert share("macs", 1e5, (1e5, 1e5)) == 0.5


def test_a_latency_that_nobody_asked_for_is_not_known(make_measurement: Callable[..., Measurement]) -> None:
    assert math.isnan(OBJECTIVES["latency_ms"].value(COST, make_measurement(1)))
