"""A study goes on only with what it was begun with; what makes trials no different may change."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from search.config.identity import check_same, growth, searched
from search.config.study import StudyConfig, parse
from search.core.records import StudyRecord
from spaces.errors import InputError

MakeStudy = Callable[..., StudyRecord]

FILE: dict[str, Any] = {
    "study": "front",
    "data": {"name": "digits", "validation": 0.2},
    "space": {"block": {"choice": ["basic", "preact"]}, "depth": {"int": [1, 4]}, "shortcut": "B"},
    "objectives": ["accuracy", "macs"],
    "constraints": {"params": "<= 1e6"},
    "scheduler": {"name": "pareto-asha", "max_epochs": 9},
    "budget": {"trials": 60},
}


def changed(path: str, value: object) -> StudyConfig:
    """Return the file with one value changed, or taken away where the value is None."""
    file = json.loads(json.dumps(FILE))
    *sections, leaf = path.split(".")
    at = file
    for section in sections:
        at = at.setdefault(section, {})
    at[leaf] = value
    if value is None:
        del at[leaf]
    return parse(file)


@pytest.fixture
def record(make_study: MakeStudy) -> StudyRecord:
    """Give the study as it comes back from the database: through JSON, with what the driver adds."""
    return make_study(
        "front", config=json.loads(json.dumps({**parse(FILE).plain(), "fingerprint": "0123456789abcdef"}))
    )


def test_the_same_file_describes_the_same_study(record: StudyRecord) -> None:
    check_same(record, parse(FILE))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("budget.trials", 600),
        ("budget.hours", 2.5),
        ("resources", {"gpus_per_trial": 0.5, "cpus_per_trial": 3, "concurrent_trials": 7}),
        ("sampler", {"name": "nsga2", "seed": 5}),
        ("scheduler.name", "asha"),
        ("scheduler.grace_epochs", 2),
        ("scheduler.reduction_factor", 2),
        ("scheduler.floor", 0.1),
        ("recipe.record", "flow"),
        ("storage", "sqlite:///elsewhere.db"),
        ("checkpoints", "elsewhere"),
        ("data", "digits"),  # the same in other words
    ],
)
def test_what_makes_trials_no_different_may_change(record: StudyRecord, path: str, value: object) -> None:
    check_same(record, changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "difference"),
    [
        ("data.validation", 0.1, "data.validation: 0.2 -> 0.1"),
        ("data.limit", 500, "data.limit: nothing -> 500"),
        ("data", "fashion-mnist", "data: {'name': 'digits', 'validation': 0.2} -> fashion-mnist"),
        ("data", {"name": "npz", "path": "a", "validation": 0.2}, "data.name: digits -> npz; data.path: nothing -> a"),
        ("objectives", ["accuracy", "params"], "objectives: ['accuracy', 'macs'] -> ['accuracy', 'params']"),
        ("objectives", ["macs", "accuracy"], "objectives: ['accuracy', 'macs'] -> ['macs', 'accuracy']"),
        ("recipe.learning_rate", 0.05, "recipe.learning_rate: 0.1 -> 0.05"),
        ("recipe.precision", "float32", "recipe.precision: auto -> float32"),
        ("scheduler.max_epochs", 27, "scheduler.max_epochs: 9 -> 27"),
    ],
)
def test_what_makes_trials_different_is_refused_before_and_after(
    record: StudyRecord, path: str, value: object, difference: str
) -> None:
    with pytest.raises(InputError) as refused:
        check_same(record, changed(path, value))
    assert str(refused.value) == (
        f"study: 'front' was begun with another file ({difference}); "
        "change it back, or give the changed study another name"
    )


@pytest.mark.parametrize(
    ("path", "value", "difference"),
    [
        ("space.depth.int", [1, 3], "space.depth.int: [1, 4] -> [1, 3]"),
        ("space.block.choice", ["basic"], "space.block.choice: ['basic', 'preact'] -> ['basic']"),
        ("space.shortcut", "A", "space.shortcut: B -> A"),
        ("space.shortcut", None, "space.shortcut: B -> nothing"),
        ("space.widening_factor", 2, "space.widening_factor: nothing -> 2"),
        ("constraints.params", "<= 2e6", "constraints.params: <= 1e6 -> <= 2e6"),
        ("constraints", None, "constraints.params: <= 1e6 -> nothing"),
        ("constraints.macs", "<= 1G", "constraints.macs: nothing -> <= 1G"),
        ("recipe.momentum", {"choice": [0.8, 0.9]}, "recipe.momentum: 0.9 -> {'choice': [0.8, 0.9]}"),
    ],
)
def test_what_may_be_proposed_can_change(record: StudyRecord, path: str, value: object, difference: str) -> None:
    now = changed(path, value)
    check_same(record, now)
    assert growth(record, now) == [difference]
    assert growth(record, parse(FILE)) == []


def test_what_is_searched_is_read_again_from_a_record(record: StudyRecord) -> None:
    again = searched(replace(record, space=FILE["space"]))
    assert (again.search_space, again.bounds) == (parse(FILE).search_space, parse(FILE).bounds)
    assert again.full_recipe == parse(FILE).full_recipe
    with pytest.raises(InputError, match="the space of 'front' is of another version"):
        searched(replace(record, space={"nonsense": 1}))


def test_every_difference_is_named(record: StudyRecord) -> None:
    file = {**FILE, "constraints": {"params": "<= 5e5", "macs": "<= 1M"}, "recipe": {"batch_size": 128, "crop": 2}}
    with pytest.raises(InputError) as refused:
        check_same(record, parse(file))
    for difference in ("recipe.crop: nothing -> 2", "recipe.batch_size: 64 -> 128"):
        assert difference in str(refused.value)
    assert growth(record, parse(file)) == ["constraints.params: <= 1e6 -> <= 5e5", "constraints.macs: nothing -> <= 1M"]


def test_writing_a_default_out_changes_nothing(record: StudyRecord) -> None:
    check_same(record, changed("recipe.learning_rate", 0.1))
    check_same(record, changed("space.depth.step", 1))


def test_the_order_of_keys_changes_nothing(record: StudyRecord) -> None:
    check_same(record, parse(dict(reversed(FILE.items()))))
    check_same(record, parse({**FILE, "space": dict(reversed(FILE["space"].items()))}))


def test_what_a_recipe_did_not_know_yet_is_as_it_is_unless_told(record: StudyRecord) -> None:
    recipe = dict(record.config["recipe"])
    del recipe["monte_carlo"], recipe["balance"]
    older = replace(record, config={**record.config, "recipe": recipe})
    check_same(older, parse(FILE))
    with pytest.raises(InputError, match=r"recipe.monte_carlo: 0 -> 20"):
        check_same(older, changed("recipe.monte_carlo", 20))
    with pytest.raises(InputError, match=r"recipe.balance: none -> sampling"):
        check_same(older, changed("recipe.balance", "sampling"))


@pytest.mark.parametrize(
    ("data", "moved"),
    [
        ({"folder": "pictures", "size": 32}, {"folder": "/mnt/backup/pictures", "size": 32}),
        ({"npz": "a.npz"}, {"npz": "${WHERE}/b.npz"}),
        ({"torchvision": "MNIST"}, {"torchvision": "MNIST", "root": "/data"}),
        ({"npz": "a.npz"}, {"npz": "a.npz", "scale": 65535}),  # what it makes of the images, the fingerprint tells
        ({"folder": "pictures"}, {"folder": "pictures", "scale": 4095}),
    ],
)
def test_images_are_the_same_wherever_they_lie(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch, data: dict[str, Any], moved: dict[str, Any]
) -> None:
    monkeypatch.setenv("WHERE", "/mnt/other")
    study = make_study("front", config=parse({**FILE, "data": data}).plain())
    check_same(study, parse({**FILE, "data": moved}))
    with pytest.raises(InputError, match=r"data\.limit"):
        check_same(study, parse({**FILE, "data": {**moved, "limit": 500}}))
