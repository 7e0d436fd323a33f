"""Load what packages of a person's own bring to training: objectives, data sets, augmentations, and their blocks.

Whatever says what is trained names the packages that it needs, each with the hash of its source: a worker that has
another version is told so, and trains nothing.
"""

import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from spaces.errors import InputError
from spaces.packages import LOADED, Package, load, source_of, table
from workers.augment import OWN
from workers.objectives import OBJECTIVES, Objective, checked
from workers.sources import DATASETS, Source

_OWNERS: dict[tuple[str, str], str] = {}  # the package of each part, by its table and its name


def load_parts(name: str) -> tuple[Package, ModuleType]:
    """Import a package and take up what a worker needs of it.

    Raises:
        InputError: it cannot be imported, or a part of it is none or has the name of another.
    """
    package, module = load(name)
    for key, objective in table(module, "OBJECTIVES", Objective).items():
        _check_objective(key, checked(objective), name)
    take_up(module, "OBJECTIVES", Objective, OBJECTIVES)
    take_up(module, "DATASETS", Source, DATASETS)
    take_up(module, "AUGMENTATIONS", Callable, OWN)
    return package, module


def take_up(module: ModuleType, which: str, kind: Any, known: dict[str, Any]) -> None:
    """Add a table of a package to the one that has been known.

    Raises:
        InputError: it is no such table, or a name is known already.
    """
    for key, part in table(module, which, kind).items():
        if key in known and _OWNERS.get((which, key)) != module.__name__:
            raise InputError(f"{which.lower()} of {module.__name__}: {key!r} has the name of another")
        _OWNERS[which, key] = module.__name__
        known[key] = part


def _check_objective(key: str, objective: Objective, package: str) -> None:
    if objective.name != key:
        raise InputError(f"objective {key!r} of {package} has the name {objective.name!r}")
    found: Callable[..., float] | None = objective.count if objective.static else objective.measure or objective.read
    if found is None:
        raise InputError(f"objective {key!r} of {package} has no {'count' if objective.static else 'measure'}")


def _prefer_what_was_sent() -> None:
    """Let what PYTHONPATH names come first: Ray puts what was sent there, and the driver's own folder before it."""
    sent = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.path[:] = [*sent, *(place for place in sys.path if place not in sent)]


def require(packages: Mapping[str, str]) -> None:
    """Load packages, each of which has to have the source that is named.

    Args:
        packages: the hash of the source by the name.

    Raises:
        InputError: one is not here, or is another version.
    """
    if not isinstance(packages, Mapping):
        raise InputError(f"packages {packages!r} are no mapping from names to hashes")
    if packages:
        _prefer_what_was_sent()
    for name, source in packages.items():
        here = LOADED[name].source if name in LOADED else source_of(name)
        if here != source:
            raise InputError(f"package {name} has source {here} here; {source} is wanted")
        load_parts(name)  # not before: nobody runs by a file's word what is not what it means
