"""Parts of a trained network are taken out and put back; a block that is taken out was as good as never built."""

from typing import Any

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.errors import InputError
from spaces.network import Network, build
from workers.datasets import Dataset, load
from workers.lesions import lesions
from workers.parts import NO_SHORTCUT, NOT_OURS, SHAPE_STAYS, STANDS_BESIDE, parts, swapped, without
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec

IMAGE = ImageSpec(channels=1, height=8, width=8, classes=10)
IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
SMALL: dict[str, Any] = {"widening_factor": 0.25}


pytestmark = pytest.mark.usefixtures("one_thread")


def network(**fields: Any) -> tuple[Network, Architecture]:
    """Return a network whose normalisations are not those it began with."""
    architecture = Architecture(**{"depths": (3, 1, 1), **SMALL, **fields})
    made = build(architecture, IMAGE, generator=torch.Generator().manual_seed(0))
    assert isinstance(made, Network)
    for norm in (layer for layer in made.modules() if isinstance(layer, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.running_mean, -0.5, 0.5)  # type: ignore[arg-type]  # it has one
    return made.eval(), architecture


def shorter(full: Network, gone: int, **fields: Any) -> Network:
    """Return the network that is built without a block of the first stage, with the same weights."""
    made, _ = network(depths=(2, 1, 1), **fields)
    kept = [place for place in range(3) if place != gone]
    names = {f"stages.0.{was}.": f"stages.0.{now}." for now, was in enumerate(kept)}

    def renamed(name: str) -> str:
        begins = next((each for each in names if name.startswith(each)), "")
        return names.get(begins, "") + name.removeprefix(begins)

    held = {renamed(name): value for name, value in full.state_dict().items() if f"stages.0.{gone}." not in name}
    made.load_state_dict(held)
    return made


@pytest.mark.parametrize(
    "fields",
    [
        {"block": "basic"}, {"block": "bottleneck", "widening_factor": 0.5}, {"block": "preact"},
        {"block": "basic", "order": "bn_after_addition"}, {"block": "basic", "order": "relu_only"},
        {"shortcut": "scaled", "widening_factor": 1}, {"shortcut": "exclusive", "widening_factor": 1},
        {"block": "inception"},
        {"block": "basic", "branches": 3}, {"block": "highway"},
    ],
    ids=str,
)  # fmt: skip
@torch.inference_mode()
def test_a_network_without_a_block_is_the_one_that_is_built_without_it(fields: dict[str, Any]) -> None:
    full, architecture = network(**fields)
    before = full(IMAGES)
    block = next(each for each in parts(full, plan(architecture)) if (each.what, each.place) == ("block", "1.2"))
    assert block.removable
    assert block.note == ""
    with without(block):
        assert torch.equal(full(IMAGES), shorter(full, 1, **fields)(IMAGES))
    assert torch.equal(full(IMAGES), before)


@torch.inference_mode()
def test_where_the_shape_changes_the_shortcut_and_what_follows_it_stay() -> None:
    full, architecture = network(shortcut="B")
    (block,) = (each for each in parts(full, plan(architecture)) if each.place == "2.1")
    assert block.note == SHAPE_STAYS
    read = full.stages[0](full.stem(IMAGES))
    with without(block):
        found = full.stages[1][0](read)  # type: ignore[index]  # a stage
    residual = full.stages[1][0]  # type: ignore[index]  # a stage
    assert torch.equal(found, residual.leave(residual.shortcut(read)))


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        ({"block": "basic", "shortcut": "none"}, {NO_SHORTCUT}),
        ({"block": "conv"}, {NO_SHORTCUT}),
        ({"block": "separable"}, {NO_SHORTCUT}),
        ({"block": "dense", "growth": 4}, {STANDS_BESIDE, NO_SHORTCUT}),  # a transition has none
    ],
    ids=str,
)
def test_what_has_no_shortcut_of_equal_shape_stays_and_it_is_said_why(fields: dict[str, Any], notes: set[str]) -> None:
    full, architecture = network(**fields)
    found = list(parts(full, plan(architecture)))
    assert {each.note for each in found} == notes
    assert not any(each.removable for each in found)


def test_a_block_of_a_package_stays_though_it_is_made_of_ours() -> None:
    full, architecture = network()
    stage = full.stages[0]
    assert isinstance(stage, torch.nn.Sequential)
    stage[1].__class__ = type("Mine", (type(stage[1]),), {})
    assert [each.note for each in parts(full, plan(architecture)) if not each.removable] == [NOT_OURS]


@pytest.mark.parametrize(
    ("fields", "count"), [({"block": "merge_run"}, 2), ({"block": "inception"}, 2), ({"branches": 3}, 3)], ids=str
)
@torch.inference_mode()
def test_each_of_several_branches_goes_by_itself(fields: dict[str, Any], count: int) -> None:
    full, architecture = network(**fields)
    found = list(parts(full, plan(architecture)))
    branches = [each for each in found if each.place.startswith("1.2.")]
    assert [each.place for each in branches] == [f"1.2.{number}" for number in range(1, count + 1)]
    block = full.stages[0][1]  # type: ignore[index]  # a stage
    read = torch.rand(2, full.stages[0][0](full.stem(IMAGES)).shape[1], 8, 8)  # type: ignore[index]  # a stage
    with without(*branches):
        without_all = block(read)
    for other in block.branches:
        for layer in other.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):  # the last one makes what is added
                torch.nn.init.zeros_(layer.weight)
                torch.nn.init.zeros_(layer.bias)
    assert torch.equal(block(read), without_all)


@torch.inference_mode()
def test_two_blocks_change_places_and_come_back() -> None:
    full, _ = network()
    before, blocks = full(IMAGES), full.stages[0]
    assert isinstance(blocks, torch.nn.Sequential)
    with swapped(blocks, 1):
        assert not torch.equal(full(IMAGES), before)
    assert torch.equal(full(IMAGES), before)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load(DataSpec(name="digits", limit=100))


def trainer(data: Dataset, **fields: Any) -> tuple[Trainer, Architecture]:
    architecture = Architecture(**{"depths": (3, 1, 1), **SMALL, **fields})
    spec = TrialSpec(
        architecture=architecture, recipe=Recipe(epochs=1, batch_size=25), data=DataSpec(name="digits"), seed=0
    )
    made = Trainer(spec, data)
    made.run_epoch()
    return made, architecture


def test_every_part_has_a_row_with_the_error_on_the_validation_images(data: Dataset) -> None:
    trained, architecture = trainer(data)
    rows = list(lesions(trained, plan(architecture), blocks=2, draws=3, seed=1))
    assert [row["what"] for row in rows] == ["whole"] + ["block"] * 5 + ["draw"] * 3 + ["swap", "shallow", "deep"]
    assert rows[0]["error"] == pytest.approx(1 - trained.history[-1].metrics["accuracy"])
    assert [row["place"] for row in rows[1:6]] == ["1.1", "1.2", "1.3", "2.1", "3.1"]
    assert len({row["place"] for row in rows[6:9]}) == 3
    assert rows[9]["place"] == "1.2 and 1.3"  # the first block widens
    assert all(row["change"] == pytest.approx(row["error"] - rows[0]["error"]) for row in rows)
    assert list(lesions(trained, plan(architecture), blocks=2, draws=3, seed=1)) == rows


def test_where_there_are_few_ways_each_is_taken_once(data: Dataset) -> None:
    trained, architecture = trainer(data)
    rows = list(lesions(trained, plan(architecture), blocks=4, draws=100))
    assert len([row for row in rows if row["what"] == "draw"]) == 5
    with pytest.raises(InputError, match="5 blocks can be taken out, not 6"):
        list(lesions(trained, plan(architecture), blocks=6, draws=1))


def test_a_draw_of_all_but_nothing_is_the_part_alone(data: Dataset) -> None:
    trained, architecture = trainer(data)
    rows = list(lesions(trained, plan(architecture), blocks=1, draws=100))
    by_place = [{row["place"]: row["error"] for row in rows if row["what"] == what} for what in ("block", "draw")]
    assert by_place[0] == by_place[1]
