"""Read an architecture, or changes to one, and an image from what commands are given."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError, unknown
from spaces.fields import FIELDS, LISTS

MOST_CLASSES = 1_000_000


def read_settings(texts: Sequence[str], stages: int = 3) -> dict[str, Any]:
    """Return the fields that texts of the form `field=value` name; `depth=n` stands for n blocks in every stage.

    Raises:
        InputError: a text is of another form, or names no field.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"{text!r} is not of the form field=value")
        if name == "depth":
            if not value.strip().isdigit():
                raise InputError(f"depth {value!r} is not a whole number of at least 1")
            found["depths"] = (value_of(value),) * stages
        elif name not in FIELDS:
            raise InputError(unknown("field", name, ("depth", *FIELDS)))
        else:
            found[name] = value if name in LISTS and value not in ("null", "None") else value_of(value)
    return found


def value_of(text: str) -> Any:
    """Return a number, a truth or nothing as JSON writes them, a number as people do (`.5`), or the text itself."""
    for read in (json.loads, float):
        try:
            return read(text)
        except (ValueError, RecursionError):
            pass
    return text


def with_settings(architecture: Architecture, texts: Sequence[str]) -> Architecture:
    """Return the architecture with the fields that texts of the form `field=value` name; of two for one, the later.

    Raises:
        InputError: a text has another form, or the fields make no architecture; placed at `--set`.
    """
    try:
        return replace(architecture, **read_settings(texts, len(architecture.depths)))
    except InputError as error:
        raise error.at("--set") from error
    except TypeError as error:
        message = f"a value is of the wrong kind for its field ({', '.join(texts)})"
        raise InputError(message, place="--set") from error


def load_architecture(path: Path) -> tuple[Architecture, ImageSpec]:
    """Return the architecture of a JSON file and the image it is for.

    The file holds an object of its fields, or one that holds that as `architecture`, perhaps beside `image` (channels,
    height, width) and `classes`, as `spaces.describe --json` writes it; without them the image is CIFAR-10's.

    Raises:
        InputError: the file cannot be read or holds none; placed at the file.
    """
    described, image = _read_json(path), ImageSpec()
    try:
        if isinstance(described.get("architecture"), dict):
            sizes = described.get("image", (image.channels, image.height, image.width))
            image = read_image("x".join(map(str, sizes)), described.get("classes", image.classes), prefix="")
            described = described["architecture"]
        return Architecture.from_json(described), image
    except InputError as error:
        raise error.at(str(path)) from error
    except TypeError as error:
        raise InputError("a value is of the wrong kind for its field", place=str(path)) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", place=str(path)) from error
    except (ValueError, RecursionError) as error:  # text that is not UTF-8 is a ValueError, too
        raise InputError(f"is not JSON: {error}", place=str(path)) from error
    if not isinstance(described, dict):
        raise InputError("holds no object of an architecture's fields", place=str(path))
    return described


def read_image(text: str, classes: int, *, prefix: str = "--") -> ImageSpec:
    """Return the image of channels, height and width that a text such as `3x32x32` names.

    Raises:
        InputError: it names none, or there is no class; placed at image or classes behind the prefix.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})x([1-9]\d{0,5})", text, re.ASCII)
    if found is None:
        raise InputError(f"{text!r} is not channels, height and width such as 3x32x32", place=f"{prefix}image")
    if classes < 1 or classes > MOST_CLASSES:
        raise InputError(
            f"{classes} is {'below 1' if classes < 1 else f'above {MOST_CLASSES:,}'}", place=f"{prefix}classes"
        )
    channels, height, width = map(int, found.groups())
    return ImageSpec(channels=channels, height=height, width=width, classes=classes)
