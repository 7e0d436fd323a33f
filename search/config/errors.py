"""Put what pydantic finds wrong with a study's file into our manner: the place in the file, then what is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from search.config.command import CommandForm
from search.config.sections import Form, shown
from search.config.space import FORMS
from spaces.errors import InputError, unknown

_WHOLE, _NUMBER, _LIST, _MAPPING = "is not a whole number", "is not a number", "is not a list", "is not a mapping"
_BOOLEAN, _VALUE = "is neither true nor false", "is not a number, a word, true or false"
_WORDS = {
    "int_type": _WHOLE, "int_parsing": _WHOLE, "int_parsing_size": _WHOLE, "int_from_float": _WHOLE,
    "float_type": _NUMBER, "float_parsing": _NUMBER, "finite_number": "is not a finite number",
    "bool_type": _BOOLEAN, "bool_parsing": _BOOLEAN, "string_type": "is not text; put it in quotes",
    "literal_error": "is not {expected}",
    "list_type": _LIST, "tuple_type": _LIST, "dict_type": _MAPPING, "model_type": _MAPPING,
    "greater_than_equal": "is below {ge:g}", "greater_than": "is not above {gt:g}",
    "less_than_equal": "is above {le:g}", "less_than": "is not below {lt:g}",
    "union_tag_not_found": "names none of choice, int, float",
    "string_pattern_mismatch":
        "is not a valid name: use up to 100 letters, digits and _ . + -, starting with a letter or digit",
}  # fmt: skip
_UNION = ("bool", "str")  # the first members of our unions, which pydantic adds to the place


Found = Mapping[str, Any]  # one of pydantic's ErrorDetails


def refusal(found: Sequence[Found], root: type[Form]) -> InputError:
    """Return the first thing that is wrong; an unknown key comes before what may be missing because of it."""
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = _place(first["loc"])
    if first["type"] == "extra_forbidden":
        message = unknown("key", place[-1], _known_keys(first["loc"][:-1], root))
        return InputError(message, place=".".join(place[:-1]))
    return InputError(_message(first), place=".".join(place))


def _place(loc: Sequence[int | str]) -> list[str]:
    """Return the keys that lead there, without what pydantic adds: tags, members of unions, places in lists."""
    if loc[:1] == ("objectives",) and len(loc) > 2:  # the index and the tag of a name or a command
        return [f"objectives.{loc[1]}", *map(str, loc[3:])] if len(loc) > 3 else ["objectives"]
    parts = [*loc[:2], *loc[3:]] if _tagged(loc) else list(loc)
    union = next((index for index, part in enumerate(parts) if part in _UNION and index > 1), len(parts))
    return [part for part in parts[:union] if isinstance(part, str)]


def _tagged(loc: Sequence[int | str]) -> bool:
    """Whether pydantic names a domain's word, or that a value is fixed, behind the parameter."""
    return loc[:1] in (("space",), ("recipe",)) and loc[2:3] != () and loc[2] in (*FORMS, "fixed")


def _message(found: Found) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if found["input"] is None:
        return "is empty"
    words = _WORDS.get(kind, "is not valid here")
    if found["loc"][-1] in _UNION and len(found["loc"]) > 2:
        words = "is neither a value nor a list of whole numbers" if "fixed" in found["loc"] else _VALUE
    given = shown(found["input"])
    if found["loc"][:1] == ("storage",) or "://" in given:  # it may hold a password
        given = "what is given"
    return f"{given} {words.format(**context)}"


def _known_keys(loc: Sequence[int | str], root: type[Form]) -> list[str]:
    form: Any = FORMS[str(loc[2])] if _tagged(loc) else CommandForm if loc[:1] == ("objectives",) else root
    for part in loc if form is root else ():
        form = get_args(form)[1] if get_origin(form) is dict else form.model_fields[str(part)].annotation
    return [field.alias or name for name, field in form.model_fields.items()]
