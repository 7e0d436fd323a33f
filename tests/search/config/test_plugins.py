"""A file names packages of a person's own, or a part that an installed one offers."""

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from search.config import plugins
from search.config.identity import check_same
from search.config.study import StudyConfig, parse
from search.samplers.registry import SAMPLERS, check_sampler
from search.schedulers.registry import SCHEDULERS
from spaces.errors import InputError
from spaces.packages import LOADED
from tests import factories
from tests.own_packages import Own, own

__all__ = ["own"]

PARTS = """
from search.samplers.registry import SAMPLERS as OURS
from search.schedulers.registry import Fifo
from spaces.blocks import Residual
from spaces.packages import Block
from workers.objectives import Objective

class Patient(Fifo):
    summary = "trains every trial in full, patiently"

BLOCKS = {"mine": Block(build=Residual)}
OBJECTIVES = {"size": Objective(name="size", title="size", unit="1", direction="minimize", static=True,
                                count=lambda architecture, image: sum(architecture.depths))}
SAMPLERS = {"dice": OURS["random"]}
SCHEDULERS = {"patient": Patient}
"""
PLAIN: dict[str, Any] = {"study": "s", "data": "digits", "space": {"depth": {"int": [1, 2]}}}
FILE: dict[str, Any] = {
    "study": "s", "plugins": ["own"], "data": "digits", "space": {"block": {"choice": ["basic", "mine"]}, "depth": 1},
    "objectives": ["accuracy", "size"], "constraints": {"size": "<= 3"}, "sampler": "dice", "scheduler": "patient",
}  # fmt: skip


def test_every_part_of_a_package_can_be_named_in_the_file(own: Own) -> None:
    own.write(PARTS)
    config = parse(FILE)
    assert config.packages["own"].blocks == {"mine": "basic"}
    assert config.bounds["size"].limit == 3
    assert "patient" in SCHEDULERS
    assert "dice" in SAMPLERS
    assert config.plain()["plugins"] == ["own"]
    check_sampler("dice")


def test_files_without_plugins_say_nothing_of_them() -> None:
    assert "plugins" not in parse(PLAIN).plain()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["nowhere_at_all"], "plugins.0: there is no package nowhere_at_all here"),
        ("own", r"plugins: 'own' is no list of packages such as \[my_package\]"),
        ([3], "plugins.0: 3 is no name of a Python package"),
        ({"own": 1}, "plugins: .* is no list"),
    ],
)
def test_what_is_no_package_is_told_with_its_place(given: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse({**FILE, "plugins": given})


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("SAMPLERS = {'dice': 3}", r"plugins.0: own.SAMPLERS\['dice'\] is no SamplerEntry"),
        ("SCHEDULERS = {'patient': 3}", r"plugins.0: own.SCHEDULERS\['patient'\] is no Scheduler"),
        ("SCHEDULERS = {'patient': int}", r"plugins.0: own.SCHEDULERS\['patient'\] is no Scheduler"),
        (
            "from search.samplers.registry import SAMPLERS",
            "samplers of own: 'front' has the name of",
        ),
    ],
)
def test_a_part_that_is_none_is_told_with_its_place(own: Own, part: str, said: str) -> None:
    own.write(f"{part}\n")
    with pytest.raises(InputError, match=said):
        parse({**PLAIN, "plugins": ["own"]})


def test_an_installed_package_is_loaded_where_the_file_names_a_part_of_it(
    own: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write(PARTS)
    offered = EntryPoints([EntryPoint(name="mine", value="own", group="widefront.blocks")])
    monkeypatch.setattr(plugins, "entry_points", lambda group: offered.select(group=group))
    assert not parse(PLAIN).packages
    assert "own" not in LOADED
    assert list(parse({**PLAIN, "space": {"block": {"choice": ["basic", "mine"]}}}).packages) == ["own"]


def begun(config: StudyConfig) -> dict[str, Any]:
    """Return what a study's record holds of its file."""
    told = {name: package.to_json() for name, package in config.packages.items()}
    return {**config.plain(), "packages": told}


def test_a_study_does_not_go_on_with_another_source_of_what_it_trains(own: Own) -> None:
    own.write(PARTS)
    config = parse(FILE)
    record = factories.study(config=begun(config))
    check_same(record, config)
    config._packages = {}
    with pytest.raises(InputError, match=r"plugins: own: source [0-9a-f]{16} -> nothing"):
        check_same(record, config)


def test_what_only_decides_may_change(own: Own) -> None:
    own.write("from search.samplers.registry import SAMPLERS as OURS\nSAMPLERS = {'dice': OURS['random']}\n")
    config = parse(
        {"study": "s", "plugins": ["own"], "data": "digits", "space": {"depth": {"int": [1, 2]}}, "sampler": "dice"}
    )
    record = factories.study(config=begun(config))
    config._packages = {}
    assert not record.needed
    check_same(record, config)


@pytest.mark.parametrize(
    ("name", "why"), [("seed", "something else"), ("depth", "something else"), ("a b", "no name of")]
)
def test_an_objective_has_a_name_of_its_own(own: Own, name: str, why: str) -> None:
    own.write(
        "from workers.objectives import Objective\n"
        f"MINE = Objective(name={name!r}, title='t', unit='u', direction='minimize', static=False, measure=len)\n"
        "OBJECTIVES = {MINE.name: MINE}\n"
    )
    with pytest.raises(InputError, match=f"plugins.0: objective '{name}' of own is .*{why}"):
        plugins.load_plugins({"plugins": ["own"]})


def test_a_package_that_brings_nothing_is_told_but_one_that_builds_the_networks(own: Own) -> None:
    own.write("BLOCK = {}\ndef build(image): ...\n")
    with pytest.raises(InputError, match=r"plugins.0: package own brings nothing: it has none of BLOCKS, OBJECTIVES"):
        plugins.load_plugins({"plugins": ["own"]})
    assert list(plugins.load_plugins({"plugins": ["own"], "space": {"network": "own:build"}})) == ["own"]


@pytest.mark.parametrize("name", [[], {}, None, 3, "a b"])
def test_what_is_no_name_is_refused_with_its_place(name: Any) -> None:
    with pytest.raises(InputError, match=r"plugins.0: .* is no name of a Python package"):
        plugins.load_plugins({"plugins": [name]})


def test_a_package_that_is_written_again_after_it_was_imported_is_not_sent(own: Own) -> None:
    path = own.write(PARTS)
    found = plugins.load_plugins({"plugins": ["own"]})
    plugins.check_unchanged(found)
    path.write_text(PARTS + "# more\n")
    with pytest.raises(InputError, match="plugins: package own has changed since it was imported here: start Python"):
        plugins.check_unchanged(found)


def test_flow_is_not_recorded_of_networks_whose_blocks_nobody_knows(own: Own) -> None:
    own.write("def build(image, depth): ...\n")
    file = {**PLAIN, "plugins": ["own"], "space": {"network": "own:build", "depth": {"int": [1, 2]}}}
    parse(file)
    with pytest.raises(InputError, match=r"recipe.record: flow is of blocks, and nobody knows those"):
        parse({**file, "recipe": {"record": "flow"}})
