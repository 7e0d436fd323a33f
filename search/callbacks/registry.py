"""Name what can hear of a study: tools that are known, or a class of a person's own."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, cast

from search.callbacks.background import Background, Hearer
from search.callbacks.trackers import MLflow, TensorBoard, WandB
from search.core.records import StudyRecord
from spaces.errors import InputError, unknown

Make = Callable[..., Hearer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A tool: what makes its listener of a study and options, and what has to be installed for it."""

    make: Make
    module: str
    install: str


CALLBACKS: dict[str, Known] = {
    "tensorboard": Known(make=TensorBoard, module="tensorboardX", install="tensorboardX"),
    "mlflow": Known(make=MLflow, module="mlflow", install="widefront[mlflow]"),
    "wandb": Known(make=WandB, module="wandb", install="widefront[wandb]"),
}


def check(name: str, options: Mapping[str, Any]) -> None:
    """Refuse what cannot hear of a study, before there is one.

    Raises:
        InputError: nothing is known by that name, a package is not there, or it takes no such option.
    """
    make = _make(name)
    try:
        takes = list(inspect.signature(make).parameters)[1:]
    except (TypeError, ValueError) as error:  # some that are written in C have none
        raise InputError(f"{name} is no class or function of a study") from error
    for option in options:
        if option not in takes:
            raise InputError(unknown("option", option, takes))


def listeners(asked: Mapping[str, Mapping[str, Any]], study: StudyRecord) -> list[Background]:
    """Return who hears of a study, each in a thread of its own.

    Args:
        asked: options by the name of what was checked.
        study: the record.

    Raises:
        InputError: one of them cannot begin; placed at it.
    """
    found = list[Background]()
    for name, options in asked.items():
        try:
            found.append(Background(name, _make(name)(study, **options)))
        except InputError:
            raise
        except BaseException as error:  # somebody else's code
            raise InputError(f"cannot begin: {type(error).__name__}: {error}", place=f"callbacks.{name}") from error
    return found


def _make(name: str) -> Make:
    if ":" in name:
        return _own(name)
    if name not in CALLBACKS:
        raise InputError(f"{unknown('callback', name, CALLBACKS)}; a class of your own is my_package:MyListener")
    known = CALLBACKS[name]
    if find_spec(known.module) is None:
        raise InputError(f"{name} is not installed: pip install '{known.install}'")
    return known.make


def _own(name: str) -> Make:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # whatever a person's code raises
        raise InputError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise InputError(f"{name} is no class or function of a study")
    return cast("Make", found)
