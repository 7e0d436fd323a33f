"""Say on a study's page in Optuna Dashboard what it is about, where it was written and where there is more."""

import shlex
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from search.config.study import StudyConfig
from search.core.commands import command
from search.core.environment import hide
from search.core.records import StudyRecord
from search.core.units import format_number_of
from search.driver.summary import quoted
from spaces.errors import visible


def attributes(config: StudyConfig, record: StudyRecord) -> dict[str, str]:
    """Return the user attributes of a study in Optuna's tables, each one line that holds no secret.

    Args:
        config: the file that it was launched by.
        record: of it.
    """
    told = {
        "data": _data(record),
        "file": config.file or "none: it was given as values",
        "version": ", ".join(f"{name} {_version(name)}" for name in ("widefront", "optuna")),
        "trained in full": format_number_of("epoch", record.max_epochs),
        "live page": f"{command('dashboards.live')} {quoted(config)} --study {shlex.quote(record.name)}",
    }
    return {name: visible(hide(text)) for name, text in told.items()}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # sources that are not installed
        return "not installed"


def _data(record: StudyRecord) -> str:
    """Return what the images are, as the file says it: variables that it names are not looked up."""
    given: Any = record.config.get("data", "")
    named = ", ".join(f"{name} {value}" for name, value in given.items()) if isinstance(given, dict) else str(given)
    size = "x".join(map(str, record.image))
    mark = f", fingerprint {record.fingerprint[:12]}" if record.fingerprint else ""
    return f"{named}: images of {size}, {record.classes} classes{mark}"
