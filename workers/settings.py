"""Read what commands are given, and say in one line what is wrong with it."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError, TrialFailure, WidefrontError
from workers.dataspec import data_spec
from workers.device import use_threads
from workers.sources import DataSpec


def exit_code(command: Callable[[], None]) -> int:
    """Run a command and return 0; what is wrong is a line on stderr and 2, or 1 where a network failed."""
    try:
        command()
    except (WidefrontError, OSError) as error:  # what cannot be written is said by the system
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, TrialFailure) else 2
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command about one network takes: `--set`, `--device` and `--threads`."""
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="a field of the architecture")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="for computing on a processor")


def set_threads(count: int) -> None:
    """Let this process compute on so many threads.

    Raises:
        InputError: there are none; placed at `--threads`.
    """
    if count < 1:
        raise InputError(f"{count} is below 1", place="--threads")
    use_threads(count)


def read_architecture(settings: Sequence[str], base: Architecture | None = None) -> Architecture:
    """Return the architecture that texts of the form `field=value` describe.

    Args:
        settings: of two for one field, the later one counts.
        base: holds the fields that none names; without it they are at their default.

    Raises:
        InputError: a text has another form, or the fields make no architecture; placed at `--set`.
    """
    described: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"{setting!r} is not of the form field=value", place="--set")
        described[name] = read_value(text)
    given = f" ({', '.join(settings)})"
    return _from_json({**(base.to_json() if base else {}), **described}, place="--set", given=given)


def read_value(text: str) -> Any:
    """Return a number, a tuple of numbers (`2,2,2`) or the text itself."""
    if "," in text:
        return tuple(read_value(part) for part in text.split(","))
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def load_architecture(path: Path) -> Architecture:
    """Return the architecture of a JSON file: an object of its fields, or one that holds it as `architecture`.

    Raises:
        InputError: the file cannot be read or holds none; placed at the file.
    """
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", place=str(path)) from error
    except (ValueError, RecursionError) as error:  # text that is not UTF-8 is a ValueError, too
        raise InputError(f"is not JSON: {error}", place=str(path)) from error
    if isinstance(described, dict) and isinstance(described.get("architecture"), dict):
        described = described["architecture"]
    if not isinstance(described, dict):
        raise InputError("holds no object of an architecture's fields", place=str(path))
    return _from_json(described, place=str(path))


def _from_json(described: dict[str, Any], *, place: str, given: str = "") -> Architecture:
    try:
        return Architecture.from_json(described)
    except InputError as error:
        raise error.at(place) from error
    except TypeError as error:
        raise InputError(f"a value is of the wrong kind for its field{given}", place=place) from error


def read_data(text: str) -> DataSpec:
    """Return the data that a name or a JSON object describes.

    Raises:
        InputError: it describes none; placed at `--data`.
    """
    try:
        return data_spec(json.loads(text) if text.startswith("{") else text)
    except json.JSONDecodeError as error:
        raise InputError(f"{text!r} is not JSON: {error}", place="--data") from error
    except InputError as error:
        raise error.at("--data") from error


def read_image(text: str, classes: int) -> ImageSpec:
    """Return the image of channels, height and width that a text such as `3x32x32` names.

    Raises:
        InputError: it names none, or there is no class; placed at `--image` or `--classes`.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})x([1-9]\d{0,5})", text, re.ASCII)
    if found is None:
        raise InputError(f"{text!r} is not channels, height and width such as 3x32x32", place="--image")
    if classes < 1:
        raise InputError(f"{classes} is below 1", place="--classes")
    channels, height, width = map(int, found.groups())
    return ImageSpec(channels=channels, height=height, width=width, classes=classes)
