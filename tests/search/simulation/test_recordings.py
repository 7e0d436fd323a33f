"""A table is a catalogue of its networks: exact where it is a grid, and the nearest row where it is none."""

import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from search.samplers.catalogue import Catalogue
from search.samplers.registry import distributions
from search.simulation.recordings import RecordedCatalogue, Recordings
from search.simulation.simulator import record_of
from spaces.errors import InfeasibleArchitecture
from spaces.space import RandomTrial
from tests.search.tables import grid, read, trainings

HOLES = grid()[lambda frame: (frame["width"] + frame["depth"]) % 3 != 0]  # a table that is no grid
CONDITIONAL = pd.DataFrame(
    {
        "block": ["basic", "basic", "resnext", "resnext", "resnext"],
        "groups": [None, None, 2, 4, 8],
        "depth": [1, 2, 1, 2, 4],
        "cost": [10.0, 20.0, 12.0, 25.0, 50.0],
        "acc": [0.5, 0.6, 0.55, 0.7, 0.8],
    }
)
TABLES = {"a grid": grid(), "a table with holes": HOLES, "a table with conditions": CONDITIONAL}


def catalogue(frame: pd.DataFrame, *given: Any, **sections: Any) -> RecordedCatalogue:
    return RecordedCatalogue(read(frame, *given, **sections))


def asked(offered: Catalogue, **fixed: Any) -> dict[str, Any]:
    """Return what a trial of Optuna's gets whose choices are fixed."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(fixed)
    return offered.suggest(study.ask())  # type: ignore[arg-type]  # its stubs are narrower


# What a table tells


SEEDS = pd.concat([trainings((0.1, 0.2), (0.4, 0.6)).assign(seed=1), trainings((0.3, 0.5), (0.4,)).assign(seed=2)])


def test_a_network_is_as_good_as_the_mean_of_its_trainings() -> None:
    assert read(SEEDS).final("acc").tolist() == pytest.approx([0.35, 0.6])  # what ended early says nothing
    assert read(SEEDS).final("cost").tolist() == [10, 20]


def test_a_network_that_never_came_to_full_fidelity_is_as_good_as_none() -> None:
    found = read(trainings((0.1, 0.2), (0.9,), (0.9, np.nan)))
    np.testing.assert_array_equal(found.final("acc"), [0.2, np.nan, np.nan])


def test_trainings_and_their_epochs_are_counted() -> None:
    assert read(SEEDS).seeds.tolist() == [2, 2]
    assert read(SEEDS).steps.tolist() == [[2, 2], [2, 1]]


def test_a_measurement_tells_its_epoch_and_the_seconds_since_the_one_before() -> None:
    found = read(trainings((0.1, 0.2, 0.3), paces=[2.5]).replace({"epoch": {1: 4, 2: 12, 3: 108}}))
    shown = [found.measurement(0, 0, step) for step in range(3)]
    assert [each.epoch for each in shown] == [4, 12, 108]
    assert [each.wall_s for each in shown] == [2.5, 2.5, 2.5]
    assert [each.metrics for each in shown] == [{"acc": 0.1}, {"acc": 0.2}, {"acc": 0.3}]


def test_a_table_may_say_what_accuracy_is() -> None:
    found = read(trainings((0.1, 0.2)).assign(accuracy=[0.3, 0.4]), {"classes": 10})
    assert [found.measurement(0, 0, step).metrics["accuracy"] for step in (0, 1)] == [0.3, 0.4]


def test_objectives_are_read_from_what_is_known_and_what_an_epoch_showed() -> None:
    found = read(trainings((0.1, 0.2), (0.3, 0.4)))
    study = record_of(found, ())
    cost = RecordedCatalogue(found).describe({"net": 1}).cost
    values = [study.objective(name).value(cost, found.measurement(1, 0, 0)) for name in study.objectives]
    assert values == [0.3, 20]
    assert np.isnan(study.objective("acc").value(cost, None))
    assert [study.objective(name).minimised(1.0) for name in study.objectives] == [-1, 1]
    assert [study.objective(name).quality for name in study.objectives] == [True, False]


def test_recordings_travel_to_other_processes() -> None:
    found: Recordings = pickle.loads(pickle.dumps(read(grid())))
    assert found.final("acc").tolist() == read(grid()).final("acc").tolist()
    assert RecordedCatalogue(found).coordinates()[1] is not None


# What a table offers


@pytest.mark.parametrize("name", TABLES)
def test_a_catalogue_offers_the_tables_networks_and_no_others(name: str) -> None:
    offered = catalogue(TABLES[name])
    members = list(offered.members())
    assert members == list(offered.recordings.networks)
    assert offered.size == offered.product == len(members)
    rng = random.Random(0)
    for _ in range(200):
        assert offered.draw(rng) in members
        assert offered.suggest(RandomTrial(rng)) in members
        assert offered.near(rng.choice(members), rng) in members


@pytest.mark.parametrize("name", TABLES)
def test_every_network_can_be_asked_for(name: str) -> None:
    offered = catalogue(TABLES[name])
    for place, params in enumerate(offered.members()):
        assert asked(offered, **params) == params
        assert offered.index(params) == place
        assert offered.index(dict(reversed(params.items()))) == place


def test_every_network_is_drawn_as_likely() -> None:
    offered, rng = catalogue(HOLES), random.Random(0)
    drawn = [offered.index(offered.draw(rng)) for _ in range(6000)]
    assert np.bincount(drawn, minlength=offered.size).min() > 6000 / offered.size * 0.8


def test_what_is_not_there_is_taken_for_the_nearest_that_is() -> None:
    offered = catalogue(trainings((0.1,), (0.2,), (0.3,)).assign(net=[1, 10, 20], depth=[1, 1, 9]))
    assert offered.suggest(RandomTrial(random.Random(0))) in list(offered.members())
    space = {"net": {"int": [1, 20]}, "depth": {"int": [1, 9]}}
    spaced = catalogue(trainings((0.1,), (0.2,), (0.3,)).assign(net=[1, 10, 20], depth=[1, 1, 9]), space=space)
    assert asked(spaced, net=2, depth=1) == {"net": 1, "depth": 1}
    assert asked(spaced, net=9, depth=2) == {"net": 10, "depth": 1}
    assert asked(spaced, net=15, depth=8) == {"net": 20, "depth": 9}


def test_the_nearest_is_found_among_networks_with_other_parameters() -> None:
    offered = catalogue(CONDITIONAL)
    assert asked(offered, block="basic", depth=4) == {"block": "basic", "depth": 2}
    assert asked(offered, block="resnext", groups=8, depth=4) == {"block": "resnext", "groups": 8, "depth": 4}


def test_a_neighbour_on_a_grid_differs_in_at_most_two_parameters_and_mostly_by_a_step() -> None:
    offered, rng, here = catalogue(grid()), random.Random(0), {"width": 3, "depth": 2}
    near = [offered.near(here, rng) for _ in range(300)]
    steps = [sum(abs(int(params[name]) - value) for name, value in here.items()) for params in near]
    assert sum(step <= 1 for step in steps) > 150
    assert set(steps) > {0, 1, 2}


def test_a_neighbour_in_a_table_with_holes_is_mostly_close() -> None:
    offered, rng = catalogue(grid(30)[lambda frame: (frame["width"] + frame["depth"]) % 3 != 0]), random.Random(0)
    found = [int(offered.near({"width": 15, "depth": 1}, rng)["width"]) for _ in range(200)]
    assert np.median([abs(width - 15) for width in found]) <= 4


# What is known of a network


def test_a_network_is_described_by_its_row() -> None:
    offered = catalogue(trainings((0.5,), (0.6,)).assign(digest=["a", "b"], macs=[5, 6]))
    described = offered.describe({"net": 1})
    assert described.digest == "b"
    assert described.allowed
    assert described.cost.more == {"cost": 20, "macs": 6}  # type: ignore[attr-defined]  # a table's
    assert described.cost.training_bytes == 0  # nothing stops for the machine's memory


def test_a_network_that_is_not_there_cannot_be_described() -> None:
    with pytest.raises(InfeasibleArchitecture, match=r"no row has \{'net': 7\}"):
        catalogue(trainings((0.5,), (0.6,))).describe({"net": 7})


def test_traits_are_all_that_is_known_and_above_0() -> None:
    offered = catalogue(trainings((0.5,), (0.6,), costs=[0.0, 3.0]).assign(macs=[5, 6]))
    first, second = (offered.traits(offered.describe({"net": net})) for net in (0, 1))
    assert second == (3, 6)
    assert 0 < first[0] < 1e-9


Read = Callable[[Any], float]


@pytest.mark.parametrize(
    ("costs", "direction", "seen"),
    [
        ([1.0, 100.0], "minimize", [0, np.log(100)]),
        ([1.0, 100.0], "maximize", [0, -np.log(100)]),
        ([0.0, 100.0], "minimize", [0, 100]),  # no logarithm where one is 0
        ([-3.0, 100.0], "maximize", [3, -100]),
    ],
)
def test_a_known_objective_is_minimised_on_a_log_axis_where_it_is_above_0(
    costs: list[float], direction: str, seen: list[float]
) -> None:
    objectives = {"acc": "maximize", "cost": {"direction": direction, "known": True}}
    offered = catalogue(trainings((0.5,), (0.6,), costs=costs), {"objectives": objectives})
    learned, known = offered.coordinates()
    assert learned is None
    assert known is not None
    assert [known(offered.describe({"net": net})) for net in (0, 1)] == pytest.approx(seen)


def test_parameters_are_optunas_too() -> None:
    offered = catalogue(CONDITIONAL)
    words = distributions(offered.parameters)
    for params in offered.members():
        for name, value in params.items():
            assert words[name]._contains(words[name].to_internal_repr(value))
