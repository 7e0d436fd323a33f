"""Load the packages of a person's own that a file asks for, by name or by a part that an installed package offers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from search.config.command import NAME, TAKEN
from search.samplers.registry import SAMPLERS, SamplerEntry
from search.schedulers.base import Scheduler
from search.schedulers.registry import SCHEDULERS
from spaces.errors import InputError
from spaces.packages import Package, package_of, table
from workers.objectives import Objective
from workers.packages import load_parts, take_up

KINDS = ("blocks", "objectives", "datasets", "augmentations", "samplers", "schedulers")
NETWORK = "space.network"
GROUPS = tuple(f"widefront.{kind}" for kind in KINDS)  # of entry points: the name of a part = the package that has it


def load_plugins(sections: Mapping[str, Any]) -> dict[str, Package]:
    """Load what a file's sections ask for, and return it by name.

    Raises:
        InputError: a package is not there, cannot be imported, or brings what is no such part; with its place.
    """
    return {name: _loaded(name, place) for name, place in _asked(sections)}


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
    space = sections.get("space")
    network = package_of(space.get("network")) if isinstance(space, Mapping) else None
    if network:
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
