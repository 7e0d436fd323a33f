"""Tell whether a file still describes the study that its name stands for, and if not, what changed."""

from collections.abc import Iterator, Mapping
from typing import Any

from search.config.recipe import RecipeForm
from search.config.study import StudyConfig
from search.core.records import StudyRecord
from spaces.errors import InputError
from workers.dataspec import data_spec

# What makes two trials comparable. Budget, resources, sampler and stopping rule may change from launch to launch.
FIXED = (("data",), ("space",), ("objectives",), ("constraints",), ("recipe",), ("scheduler", "max_epochs"))


def check_same(record: StudyRecord, config: StudyConfig) -> None:
    """Refuse a file whose study was begun with other data, space, objectives, constraints, recipe or fidelity.

    Raises:
        InputError: naming every difference.
    """
    # What a recipe did not know yet when the study was begun was as it is now unless told.
    usual = RecipeForm().model_dump(mode="json", exclude_none=True)
    recipe = _leaf(record.config, ("recipe",)) or {}
    before = {**record.config, "recipe": {**usual, **recipe}}
    now = config.plain()
    if _same_images(before.get("data"), now["data"]):
        before["data"] = now["data"]
    found = [line for path in FIXED for line in _differences(_leaf(before, path), _leaf(now, path), path)]
    found += _other_sources(record, config)
    if found:
        raise InputError(
            f"{record.name!r} was begun with another file ({'; '.join(found)}); "
            "change it back, or give the changed study another name",
            place="study",
        )


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


def _differences(before: Any, now: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(key), now.get(key), (*path, key))
    elif before != now:
        yield f"{'.'.join(path)}: {_shown(before)} -> {_shown(now)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
