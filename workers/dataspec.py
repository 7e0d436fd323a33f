"""Turn what a person wrote under `data:` into a DataSpec. Takes plain values; knows nothing of YAML."""

from collections.abc import Mapping

from spaces.errors import InputError, did_you_mean
from workers.sources import DATASETS, DataSpec, check_keys

COMMON = ("name", "validation", "test", "split_seed", "limit", "augment")


def data_spec(given: str | Mapping[str, object]) -> DataSpec:
    """Return the specification for `digits`, `{name: digits, validation: 0.1}`, `{folder: path}` and the like.

    Without `augment` the data set's own is used; `augment: none` switches it off.

    Raises:
        InputError: its place is the key that is wrong.
    """
    if isinstance(given, str):
        return DataSpec(name=given)
    if not isinstance(given, Mapping):
        raise InputError(f"{given!r} is neither the name of a data set nor a mapping; known are {', '.join(DATASETS)}")
    described = _named({str(key): value for key, value in given.items()})
    source = DATASETS.get(str(described["name"]))
    if source is not None:  # else DataSpec says that the name is unknown
        check_keys(described, [*COMMON, *filter(None, [source.needs]), *source.takes])
    return DataSpec.from_json({**described, "augment": _augment(described), "size": _size(described)})


def _named(given: Mapping[str, object]) -> dict[str, object]:
    """Write `{folder: path}` out as `{name: folder, path: path}`."""
    if "name" in given:
        return dict(given)
    short = {name: source.needs for name, source in DATASETS.items() if source.needs}
    key = next((key for key in given if key in DATASETS), None)
    if key is None:
        raise InputError(f"names no data set: give name, {', '.join(short)}{_hint(given, short)}")
    if key not in short:
        raise InputError(f"takes no value; write `{key}` alone, or {{name: {key}, ...}}", place=key)
    if short[key] in given:
        raise InputError(f"{short[key]} is given twice: `{key}: ...` already says it", place=short[key])
    return {"name": key, **{short[key] if name == key else name: value for name, value in given.items()}}


def _hint(given: Mapping[str, object], short: Mapping[str, str]) -> str:
    strange = [key for key in given if key not in COMMON]
    return f"; unknown key {strange[0]!r}{did_you_mean(strange[0], short)}" if strange else ""


def _augment(described: Mapping[str, object]) -> Mapping[str, object] | None:
    given = described.get("augment")
    if given == "none":
        return {}
    if given is not None and not isinstance(given, Mapping):
        raise InputError(f"{given!r} is neither none nor a mapping such as {{crop: 4, flip: true}}", place="augment")
    return given


def _size(described: Mapping[str, object]) -> tuple[object, ...] | None:
    """Return a height and a width; one number stands for both."""
    given = described.get("size")
    if given is None:
        return None
    return tuple(given) if isinstance(given, (list, tuple)) else (given, given)
