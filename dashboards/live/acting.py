"""Ask a study's launch for what a page's buttons say: whoever shows the token may, a page of another site may not."""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from search.core.environment import hide
from search.core.requests import RequestKind
from search.storage import asking
from spaces.errors import InputError, unknown, visible

VARIABLE = "WIDEFRONT_PAGE_TOKEN"  # which a launch gives its page's process, since everybody sees command lines
BY = "the page"
STARS = {"star": True, "unstar": False}
NOTE = "note"
ASKED = tuple(kind.value for kind in RequestKind if kind is not RequestKind.TRAIN)  # which a command checks first


def new_token() -> str:
    """Return one that nobody guesses."""
    return secrets.token_urlsafe(24)


class Acting:
    """What a page may ask."""

    def __init__(
        self, url: str, token: str, *, behind: Sequence[str] = (), seen: Callable[[], object] = lambda: None
    ) -> None:
        """Write nothing yet.

        Args:
            url: the database.
            token: that a request has to show.
            behind: names of proxies before this server, from whose pages requests may come.
            seen: called when something was written, so that it is shown.
        """
        self._url = url
        self._token = token.encode()
        self._behind = {name.lower() for name in behind}
        self._seen = seen

    def allows(self, token: str) -> bool:
        """Whether it is the token, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def is_from_here(self, origin: str, host: str) -> bool:
        """Whether a request comes from this server's own page, by the headers `Origin` and `Host` of a browser."""
        try:
            told = urlsplit(origin)
            name = (told.hostname or "").lower()
        except ValueError:
            return False
        own = told.scheme in ("http", "https") and bool(name)
        return own and (told.netloc.lower() == host.lower() or name in self._behind)

    def act(self, told: Mapping[str, Any]) -> str:
        """Ask or note, by one row, and return a line for people.

        Raises:
            WidefrontError: it is refused, or the database does not take it now.
        """
        kind, study = str(told.get("kind")), told.get("study")
        if not isinstance(study, str) or not study:
            raise InputError("name a study", place="study")
        with asking.opened(self._url) as store:
            if kind in STARS or kind == NOTE:
                made = asking.note(
                    store, study, told.get("trial"), star=STARS.get(kind),
                    text=_text(told.get("text")) if kind == NOTE else None, by=BY,
                )  # fmt: skip
                line = f"noted of trial {made.trial}"
            elif kind in ASKED:
                request = asking.ask(store, study, kind, _values(told.get("values", {})), by=BY)
                waits = "" if request.session is not None else "; no launch is running, and the next one takes it"
                line = f"asked: {request}{waits}"
            else:
                raise InputError(unknown("request", kind, (*ASKED, *STARS, NOTE)), place="kind")
        self._seen()
        return visible(hide(line))


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise InputError("a text is required", place="text")
    return given


def _values(given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError("values by their names are required", place="values")
    return given
