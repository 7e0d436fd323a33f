"""Load the packages of a person's own that a file asks for, by name or by a part that an installed package offers."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from search.config.command import NAME, TAKEN
from search.samplers.registry import SAMPLERS, SamplerEntry
from search.schedulers.base import Scheduler
from search.schedulers.registry import SCHEDULERS
from spaces.errors import InputError
from spaces.packages import TABLES, Package, package_of, source_of, table
from workers.objectives import Objective
from workers.packages import load_parts, take_up

KINDS = ("blocks", "objectives", "datasets", "augmentations", "samplers", "schedulers")
NETWORK = "space.network"
BROUGHT = (*TABLES, "SAMPLERS", "SCHEDULERS")
GROUPS = tuple(f"widefront.{kind}" for kind in KINDS)  # of entry points: the name of a part = the package that has it


def check_unchanged(packages: Mapping[str, Package]) -> None:
    """Refuse packages whose files are others now than were loaded: workers would be sent those.

    Raises:
        InputError: naming the first.
    """
    for name, package in packages.items():
        if source_of(name) != package.source:
            why = "has changed since it was imported here: start Python, or the notebook's kernel, anew"
            raise InputError(f"package {name} {why}", place="plugins")


def load_plugins(sections: Mapping[str, Any]) -> dict[str, Package]:
    """Load what a file's sections ask for, and return it by name.

    Raises:
        InputError: a package is not there, cannot be imported, or brings what is no such part; with its place.
    """
    found = {name: _loaded(name, place) for name, place in _asked(sections)}
    network = _network(sections)
    for place, name in enumerate(sections.get("plugins") or ()):
        if name != network and not any(hasattr(sys.modules[name], each) for each in BROUGHT):
            raise InputError(f"package {name} brings nothing: it has none of {', '.join(BROUGHT)}",
                             place=f"plugins.{place}")  # fmt: skip
    return found


def _network(sections: Mapping[str, Any]) -> str | None:
    """Return the package whose function builds whole networks."""
    space = sections.get("space")
    return package_of(space.get("network")) if isinstance(space, Mapping) else None


def _loaded(name: str, place: str) -> Package:
    try:
        package, module = load_parts(name)
        _check_names(table(module, "OBJECTIVES", Objective), name)
        take_up(module, "SAMPLERS", SamplerEntry, SAMPLERS)
        take_up(module, "SCHEDULERS", Scheduler, SCHEDULERS)
    except InputError as error:
        raise error.at(place) from error
    return replace(package, trains=True) if place == NETWORK else package


def _check_names(objectives: Iterable[str], package: str) -> None:
    """Refuse names by which trials have something else, or that no table can have as a column."""
    for name in objectives:
        if name in TAKEN or not NAME.fullmatch(name):
            why = "is the name of something else" if name in TAKEN else "is no name of letters, digits and underscores"
            raise InputError(f"objective {name!r} of {package} {why}: take another")


def _asked(sections: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = sections.get("plugins") or []
    if isinstance(given, str) or not isinstance(given, (list, tuple)):
        raise InputError(f"{given!r} is no list of packages such as [my_package]", place="plugins")
    yield from ((name, f"plugins.{place}") for place, name in enumerate(given))
    if network := _network(sections):
        yield network, NETWORK
    offered = [each for group in GROUPS for each in entry_points(group=group)]
    if offered:
        words = set(_words(sections))
        yield from ((each.module, _place(each)) for each in offered if each.name in words)


def _place(offered: EntryPoint) -> str:
    return f"{offered.group}.{offered.name}"


def _words(value: Any) -> Iterator[str]:
    """Yield every text in plain values, keys included: one may be the name of a part."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from (*_words(key), *_words(each))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _words(each)
