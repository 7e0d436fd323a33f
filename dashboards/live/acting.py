"""Ask a study's launch for what a page's buttons say: whoever shows the token may, a page of another site may not."""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from dashboards.live.commands import STARTED, Commands
from search.core.environment import hide
from search.core.requests import RequestKind, trial_number
from search.storage import asking
from search.storage.finding import find
from search.storage.store import Store
from spaces.errors import InputError, unknown, visible

VARIABLE = "WIDEFRONT_PAGE_TOKEN"  # which a launch gives its page's process, since everybody sees command lines
BY = "the page"
STARS = {"star": True, "unstar": False}
NOTE = "note"
ASKED = tuple(kind.value for kind in RequestKind if kind is not RequestKind.TRAIN)  # which a command checks first
KINDS = (*ASKED, RequestKind.TRAIN.value, *STARS, NOTE, *STARTED)


def new_token() -> str:
    """Return one that nobody guesses."""
    return secrets.token_urlsafe(24)


class Acting:
    """What a page may ask."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        behind: Sequence[str] = (),
        seen: Callable[[], object] = lambda: None,
        written: str = "",
    ) -> None:
        """Write nothing yet.

        Args:
            url: the database.
            token: that a request has to show.
            behind: names of proxies before this server, from whose pages requests may come.
            seen: called when something was written, so that it is shown.
            written: the database as people read it.
        """
        self.commands = Commands(url, written=written, without=(VARIABLE,))
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
        """Ask or note, by one row, or start a command that does, and return a line for people.

        Raises:
            WidefrontError: it is refused, or the database does not take it now.
        """
        kind, study = str(told.get("kind")), told.get("study")
        if not isinstance(study, str) or not study:
            raise InputError("name a study", place="study")
        if kind == RequestKind.TRAIN or kind in STARTED:
            line = self._by_command(kind, self._known(study), told)
            self._seen()
            return line
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
                raise InputError(unknown("request", kind, KINDS), place="kind")
        self._seen()
        return visible(hide(line))

    def _known(self, study: str) -> str:
        """Return a study's name as the database has it, since commands are given no text of a browser's."""
        with Store.open(self._url, create=False, migrate=False) as store:
            return find(store, study).name

    def _by_command(self, kind: str, study: str, told: Mapping[str, Any]) -> str:
        if kind == RequestKind.TRAIN:
            return self.commands.train(study, _text(told.get("text")), BY)
        return f"begun: {self.commands.start(kind, study, trial_number(told.get('trial')))}"


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise InputError("a text is required", place="text")
    return given


def _values(given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError("values by their names are required", place="values")
    return given
