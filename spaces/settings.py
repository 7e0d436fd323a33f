"""Read fields of an architecture from texts such as `depths=3,4,6,3`, as commands take them."""

import json
from collections.abc import Sequence
from typing import Any

from spaces.errors import InputError, unknown
from spaces.fields import FIELDS, LISTS


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
            found["depths"] = (_value(value),) * len(found.get("widths", range(stages)))
        elif name not in FIELDS:
            raise InputError(unknown("field", name, ("depth", *FIELDS)))
        else:
            found[name] = value if name in LISTS else _value(value)
    return found


def _value(text: str) -> Any:
    """Return a number, a truth or nothing as JSON writes them, a number as people do (`.5`), or the text itself."""
    for read in (json.loads, float):
        try:
            return read(text)
        except ValueError:
            pass
    return text
