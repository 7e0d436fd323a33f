"""Tell whether a file still describes the study that its name stands for, and if not, what changed.

What a study is about never changes: images, objectives, full fidelity, and how all trials are trained. What it may
propose can: space, constraints, and what of the recipe is searched.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from search.config.command import fixed
from search.config.recipe import BESIDE, RecipeForm
from search.config.study import StudyConfig, parse
from search.core.records import StudyRecord
from spaces.errors import InputError
from workers.dataspec import data_spec

# What makes two trials comparable. Budget, resources, sampler and stopping rule may change from launch to launch.
FIXED = (("data",), ("objectives",), ("recipe",), ("scheduler", "max_epochs"))
PROPOSED = (("space",), ("constraints",), ("recipe",))  # of the recipe, what is searched, or was

Difference = tuple[tuple[str, ...], str]  # where, and what it was and is


_SEARCHED = ("recipe", "constraints", "objectives", "plugins", "resources")  # what the space is searched by


def check_same(record: StudyRecord, config: StudyConfig) -> None:
    """Refuse a file whose study was begun with other data, objectives, recipe or fidelity.

    Raises:
        InputError: naming every difference.
    """
    before, now = _both(record, config)
    found = [line for at, line in _found(before, now, FIXED) if not _is_searched(at, before, now)]
    found += _other_sources(record, config)
    if found:
        raise InputError(
            f"{record.name!r} was begun with another file ({'; '.join(found)}); "
            "change it back, or give the changed study another name",
            place="study",
        )


def growth(record: StudyRecord, config: StudyConfig) -> list[str]:
    """Return a line for all that a file says otherwise of what may be proposed: `space.depth.int: [1, 4] -> [1, 3]`."""
    before, now = _both(record, config)
    found = _found(before, now, PROPOSED)
    return [line for at, line in found if at[0] != "recipe" or _is_searched(at, before, now)]


def searched(record: StudyRecord) -> StudyConfig:
    """Return of a study's file what says which networks and recipes it may propose; the images may be elsewhere.

    Raises:
        InputError: it is of another version.
    """
    known = {name: record.config[name] for name in _SEARCHED if name in record.config}
    fidelity = {"max_epochs": record.max_epochs, "grace_epochs": 1}
    try:
        return parse({"study": record.name, "data": "digits", "space": record.space, "scheduler": fidelity, **known})
    except InputError as error:
        raise InputError(f"the space of {record.name!r} is of another version: {error}") from error


def _both(record: StudyRecord, config: StudyConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a study was begun with and what a file says now, as far as they can be compared."""
    # What a recipe did not know yet when the study was begun was as it is now unless told.
    usual = RecipeForm().model_dump(mode="json", exclude_none=True)
    recipe = _leaf(record.config, ("recipe",)) or {}
    before, now = {**record.config, "recipe": _trains({**usual, **recipe})}, config.plain()
    now["recipe"] = _trains(now["recipe"])
    before["objectives"], now["objectives"] = fixed(before.get("objectives")), fixed(now["objectives"])
    if _same_images(before.get("data"), now["data"]):
        before["data"] = now["data"]
    return before, now


def _trains(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe without what changes nothing of what is trained."""
    return {name: value for name, value in recipe.items() if name not in BESIDE}


def _found(before: Mapping[str, Any], now: Mapping[str, Any], paths: tuple[tuple[str, ...], ...]) -> list[Difference]:
    return [each for path in paths for each in _differences(_leaf(before, path), _leaf(now, path), path)]


def _is_searched(at: tuple[str, ...], before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a place is of a recipe's value that is searched, or was."""
    return at[0] == "recipe" and any(isinstance(_leaf(each, at[:2]), Mapping) for each in (before, now))


def _other_sources(record: StudyRecord, config: StudyConfig) -> Iterator[str]:
    """Yield the packages that what is trained depends on, where one has changed, or is no longer asked for."""
    for name, before in record.packages.items():
        now = config.packages.get(name)
        if before.trains and (now is None or now.source != before.source):
            told = "nothing" if now is None else f"source {now.source}{now.version and f' (version {now.version})'}"
            was = before.version and f" (version {before.version})"
            yield f"plugins: {name}: source {before.source}{was} -> {told}"


def _same_images(before: Any, now: Any) -> bool:
    """Whether two descriptions of data differ at most in where they lie, which the fingerprint makes needless."""
    try:
        return data_spec(before).anywhere() == data_spec(now).anywhere()
    except InputError:  # of another version
        return bool(before == now)


def _leaf(given: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    at: Any = given
    for part in path:
        at = at.get(part) if isinstance(at, Mapping) else None
    return at


def _differences(before: Any, now: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(key), now.get(key), (*path, key))
    elif before != now:
        yield path, f"{'.'.join(path)}: {_shown(before)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
