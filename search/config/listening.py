"""What a file says of who hears of a study: `callbacks`, and `notify` with its addresses in variables alone."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from search.config.sections import Form, shown
from search.core.environment import variables
from spaces.errors import InputError

Happening = Literal["finished", "failed", "front", "overdue", "budget"]
_HIDDEN = re.compile(r"(?:[A-Za-z]+://)?(?:\$\{\w+\}|[/:@?&=,])+")  # tgram://${BOT}/${CHAT}: nothing else stands there
HAPPENINGS: tuple[str, ...] = get_args(Happening)


def _mapping(given: object) -> object:
    """Return a list of names, and of names with options, as a mapping."""
    if not isinstance(given, (list, tuple)):
        if isinstance(given, Mapping):
            return given  # as it is stored
        raise ValueError(f"{shown(given)} is no list such as [tensorboard, {{mlflow: {{uri: ...}}}}]")
    found: dict[object, object] = {}
    for each in given:
        named = [each] if isinstance(each, str) else [*each] if isinstance(each, Mapping) else []
        if (twice := next((name for name in named if name in found), None)) is not None:
            raise ValueError(f"{shown(twice)} stands twice")
        if isinstance(each, str):
            found[each] = {}
        elif isinstance(each, Mapping) and len(each) == 1:
            ((name, options),) = each.items()
            found[name] = {} if options is None else options
        else:
            raise ValueError(f"{shown(each)} is neither a name nor one with options, such as {{mlflow: {{uri: ...}}}}")
    return found


Callbacks = Annotated[dict[str, dict[str, Any]], BeforeValidator(_mapping)]


def _listed(given: object) -> object:
    return [given] if isinstance(given, str) else given


class NotifyForm(Form):
    """Where word is sent, and of what."""

    urls: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    on: Annotated[tuple[Happening, ...], BeforeValidator(_listed)] = Field(default=("finished", "failed", "overdue"))


def check_secrets(written: Mapping[str, Any]) -> None:
    """Refuse an address of which anything is written out but its kind, since most hold a secret and the file is stored.

    Args:
        written: the file's sections, no variable looked up.

    Raises:
        InputError: placed at the address, which is no part of the message.
    """
    notify = written.get("notify")
    urls = notify.get("urls") if isinstance(notify, Mapping) else None
    for place, url in enumerate(urls if isinstance(urls, (list, tuple)) else [urls]):
        if url is not None and (not isinstance(url, str) or not variables(url) or not _HIDDEN.fullmatch(url)):
            raise InputError(
                "an address may hold a secret, and the file is kept with the study: put it into a variable and name "
                "that alone, such as ${NTFY_URL}", place=f"notify.urls.{place}",
            )  # fmt: skip
