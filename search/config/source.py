"""Read a study's file: YAML text, `--set` and `${NAME}` in, plain values out; every error names its place."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import yaml

from search.core.environment import expand
from spaces.errors import InputError


def read(
    path: Path, settings: Sequence[str] = (), environment: Mapping[str, str] | None = os.environ
) -> dict[str, Any]:
    """Return what a file says, unchecked; for arguments and errors see `load`."""
    return expand_all(read_sections(path, settings), environment, path)


def expand_all(given: dict[str, Any], environment: Mapping[str, str] | None, path: Path) -> dict[str, Any]:
    """Return what a file says with every `${NAME}` looked up; with no environment they stay as they stand."""
    try:
        return {key: _expanded(value, environment, key) for key, value in given.items()}
    except RecursionError as error:  # an anchor and its alias can tie a knot
        raise InputError("a part of the file holds itself", place=str(path)) from error


def read_sections(path: Path, settings: Sequence[str]) -> dict[str, Any]:
    """Return what a file says, `--set` included; no `${NAME}` is looked up."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)  # of a device there may be no end
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(getattr(error, "strerror", None) or "is not text", place=str(path)) from error
    given = _mapping(text, str(path), "is not a mapping of study, data, space and so on")
    for setting in settings:
        replace_leaf(given, setting)
    return given


MOST_CHARACTERS = 1_000_000  # of a file
MOST_VALUES = 100_000


class _Loader(yaml.SafeLoader):
    """Read YAML safely, scalars by the core schema of YAML 1.2, and no key twice.

    By YAML 1.1, as PyYAML reads it, `1:30` is 90, `010` is 8, `1e6` is text and `no` is false; editors read otherwise.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # PyYAML's own copies it so
    _composed = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node, or refuse a file of so many that to read them all takes long."""
        self._composed += 1
        if self._composed > MOST_VALUES:
            raise InputError(f"holds more than {MOST_VALUES:,} values")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping, or refuse a key that would silently replace an earlier one."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<: *name`, whose keys may be overridden
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise InputError(f"key {key!r} is not a word (put it in quotes)", place=f"line {_line(key_node)}")
            if key in seen:
                raise InputError(f"key {key!r} stands twice", place=f"line {_line(key_node)}")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


_CORE = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
for _name, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_pattern})\Z"), _first)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)


def _real(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)).lower().replace(".inf", "inf").replace(".nan", "nan"))


_Loader.add_constructor("tag:yaml.org,2002:int", _whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _real)


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for with every alias written out; each node is looked at once."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = 0  # one that holds itself is refused where it is read
    inner = (
        [part for pair in node.value for part in pair]
        if isinstance(node, yaml.MappingNode)
        else (node.value if isinstance(node, yaml.SequenceNode) else [])
    )
    known[id(node)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(node)]


def values_by_name(text: str, place: str) -> dict[str, Any]:
    """Return values by their names, of YAML text; no `${NAME}` is looked up.

    Raises:
        InputError: it holds anything else.
    """
    return _mapping(text, place, "lines of the form `depth: 3` are required")


def _mapping(text: str, place: str, otherwise: str) -> dict[str, Any]:
    try:
        given = _read(text)
    except InputError as error:
        raise InputError(error.message, place=f"{place} {error.place}".strip()) from error
    if not isinstance(given, dict):
        raise InputError(otherwise, place=place)
    return given


def _read(text: str) -> Any:
    """Return what a YAML text holds; the place of an error is its line."""
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"is longer than {MOST_CHARACTERS:,} characters, which are the most")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if _size(node, {}) > MOST_VALUES:
                raise InputError(f"holds more than {MOST_VALUES:,} values once its aliases are written out")
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}" if mark else ""
        problem = f"{error.context} {error.problem}" if str(error.problem).startswith("but") else error.problem
        raise InputError(f"is not YAML: {problem}", place=place) from error
    except (yaml.YAMLError, ValueError) as error:  # a character that may not be, a date that is none
        raise InputError(f"is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise InputError("is not YAML that can be read: it is nested too deeply") from error


_ALONE = {"checkpoints": "folder"}  # what the value of a section is that is no mapping; of all others, its name


def replace_leaf(given: dict[str, Any], setting: str) -> None:
    """Put a value into a file's sections by a text such as `scheduler.max_epochs=3`."""
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise InputError(f"{setting!r} is not of the form section.key=value", place="--set")
    *sections, leaf = path.split(".")
    at = given
    for section in sections:
        inner = at.get(section)
        if not isinstance(inner, dict):
            inner = at[section] = {} if inner is None else {_ALONE.get(section, "name"): inner}
        at = inner
    try:
        at[leaf] = _read(text)
    except InputError as error:
        raise InputError(error.message, place=f"--set {path}") from error


def _expanded(value: Any, environment: Mapping[str, str] | None, place: str) -> Any:
    if isinstance(value, dict):
        return {key: _expanded(inner, environment, f"{place}.{key}".lstrip(".")) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expanded(inner, environment, place) for inner in value]
    return expand(value, environment, place=place) if isinstance(value, str) else value
