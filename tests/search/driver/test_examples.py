"""Hold the ready spaces to what their files promise."""

from pathlib import Path
from typing import Any

import pytest

from search.config.study import StudyConfig, load
from search.driver.inspection import look_ahead
from search.driver.preview import Missing
from spaces.architecture import ImageSpec
from spaces.counting import cost
from spaces.errors import InputError
from spaces.kinds import KINDS
from spaces.names import named
from spaces.space import SearchSpace
from workers.sources import known_image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
FILES = [ROOT / "space.yaml", *sorted((ROOT / "spaces" / "examples").glob("*.yaml"))]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def example(name: str) -> StudyConfig:
    return load(ROOT / "spaces" / "examples" / f"{name}.yaml", [])


def members(space: SearchSpace, **wanted: Any) -> list[dict[str, Any]]:
    found = space.sample(400, seed=0)
    return [params for params in found if wanted.items() <= params.items()]


@each_file
def test_a_ready_space_can_be_looked_over_before_its_images_are_here(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workers.sources.read_torchvision", _absent)
    monkeypatch.setattr("workers.sources.DEBIAN_FASHION", tmp_path)
    config = load(path, [])
    data, seen = look_ahead(config)
    assert seen.share_allowed > 0.5
    if config.data_spec.name == "digits":
        assert data.image == ImageSpec(channels=1, height=8, width=8, classes=10)
    else:
        assert isinstance(data, Missing)
        assert data.image == known_image(config.data_spec)
        assert data.name in data.why


def _absent(*_given: object, **_named: object) -> None:
    raise InputError("is not here")


def test_the_space_of_all_blocks_has_every_kind_there_is() -> None:
    space = example("residual-all").search_space
    assert set(space.parameters[0].domain.values()) == KINDS.keys()
    known = members(space)
    assert {params["block"] for params in known} == KINDS.keys()


def test_every_kind_of_block_in_it_can_be_built_and_is_allowed() -> None:
    config = example("residual-all")
    allowed = set()
    _, seen = look_ahead(config)
    for params, counted in seen.allowed:
        assert all(excess <= 0 for excess in config.violations(counted).values())
        allowed.add(params["block"])
    assert allowed == KINDS.keys()


def test_cardinality_is_weighed_against_width_at_about_the_same_cost() -> None:
    space = example("resnext-cifar").search_space
    alike: dict[tuple[Any, ...], list[int]] = {}
    for params in space.members():
        others = tuple(value for name, value in params.items() if name != "cardinality")
        alike.setdefault(others, []).append(cost(space.architecture(params), ImageSpec()).macs)
    assert all(len(macs) == 6 for macs in alike.values())
    assert all(max(macs) < 1.25 * min(macs) for macs in alike.values())


def test_the_wide_space_holds_the_papers_networks() -> None:
    space = example("wide-cifar").search_space
    for name, params in (
        ("wrn-40-4", {"depth": 6, "widening_factor": 4, "kernels": "3,3", "dropout": "none"}),
        ("wrn-28-10", {"depth": 4, "widening_factor": 10, "kernels": "3,3", "dropout": "none"}),
        ("wrn-40-2-b131", {"depth": 6, "widening_factor": 2, "kernels": "1,3,1", "dropout": "none"}),
    ):
        assert space.contains(params)
        assert space.architecture(params).digest == named(name).architecture.digest
