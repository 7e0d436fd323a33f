"""Read what is new each second, and bring it to every browser from the event on that it has seen last."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from dashboards import claimed, findings
from dashboards.live import payload
from dashboards.live.details import details
from dashboards.live.watched import MOST, Found, Watched
from search.core.environment import hide
from search.core.records import StudyRecord
from search.storage.store import Store
from search.storage.url import shown_url
from spaces.errors import StudyError, WidefrontError, first_line, visible

EVERY_S = 1.0
MOST_PAUSED = 100  # trials that are listed by their gain

Plain = dict[str, Any]


def now() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a browser; with a number, whoever comes back asks behind it."""

    kind: str
    data: Plain
    seq: int | None = None


class Feed:
    """The studies of one database as they are now."""

    def __init__(self, url: str, study: str | None, *, written: str = "", clock: Callable[[], datetime] = now) -> None:
        """Read nothing yet.

        Args:
            url: the database; it need not be there yet.
            study: the one to show where a browser names none; else the newest.
            written: the database as commands name it.
            clock: tells the time.
        """
        self.study = study
        self.written = written or shown_url(url)
        self.trouble = ""  # one line, while nothing can be read
        self.names: tuple[str, ...] = ()
        self._url = url
        self._clock = clock
        self._store: Store | None = None
        self._studies: dict[str, Watched] = {}
        self._asked: set[str] = set()  # studies that a browser has named
        self._rows: dict[str, tuple[int, str]] = {}  # as text, by study and event
        self._looking, self._lock = Lock(), Lock()  # around reading SQL; around what was read
        self._news = asyncio.Event()

    def look(self) -> bool:
        """Read what is new in every study that anybody watches, and say whether more waits; what fails is told."""
        with self._looking:
            try:
                more = self._look(self._opened())
            except Exception as error:  # a page that stands still and does not say so is worse than any of them
                self.trouble, more = self._said(error), False
                self._close()
            else:
                self.trouble = ""
            return more

    def _look(self, store: Store) -> bool:
        records = {record.name: record for record in store.studies()}
        with self._lock:
            self.names = tuple(records)
            for name in self._studies.keys() - records.keys():
                del self._studies[name]
        watched = {self.chosen(None), *self._asked, *self._studies} & records.keys()
        more = [self._look_at(store, records[name]) for name in sorted(watched)]
        return any(more)

    def _look_at(self, store: Store, record: StudyRecord) -> bool:
        """Bring one study up to date, and say whether there may be more; a reading of all goes on beside questions."""
        known = self._studies.get(record.name)
        if known is None or (known.study.label, known.study.max_epochs) != (record.label, record.max_epochs):
            return self._read(store, record)
        news = known.ask(store)
        if news.of_another_space:
            return self._read(store, record)
        with self._lock:
            known.study = record
            known.hear(news)
        return len(news.events) >= MOST

    def _read(self, store: Store, record: StudyRecord) -> bool:
        """Read all of a study; who asks meanwhile is answered by what was known."""
        fresh = Watched(store, record)
        with self._lock:
            self._studies[record.name] = fresh
            self._rows.pop(record.name, None)
        return False

    def _opened(self) -> Store:
        """Return the store, of what there is now.

        Raises:
            WidefrontError: there is none, or none that can be read.
        """
        if self._store is not None and not self._store.is_current:
            self._close()
        if self._store is None:
            store = Store.open(self._url, create=False, migrate=False)
            if store.behind:
                with closing(store):
                    raise StudyError(
                        f"{store.shown_url} is of an older version; its next launch, or search.front, brings it forward"
                    )
            self._store = store
        return self._store

    def _close(self) -> None:
        if self._store is not None:
            with suppress(Exception):  # it is of no use any more, whatever it says
                self._store.close()
            self._store = None

    def _said(self, error: Exception) -> str:
        """Return a line for people: a value that was looked up is named as commands name it."""
        known = isinstance(error, (WidefrontError, OSError))
        line = str(error) if known else f"{type(error).__name__}: {first_line(error)}"
        return visible(hide(line).replace("${WIDEFRONT_STORAGE}", self.written))

    def close(self) -> None:
        """Let go of the database."""
        with self._looking:
            self._close()

    def chosen(self, name: str | None) -> str:
        """Return the study that is shown where a browser names one, or none."""
        return name or self.study or (self.names[-1] if self.names else "")

    def state(self, name: str | None) -> str:
        """Return all that a page needs to begin, as JSON: the study, or what is waited for."""
        name = self._ask_for(name)
        with self._lock:
            watched = self._studies.get(name)
            told: Plain = {"studies": self.names, "trouble": self.trouble, "waiting": self._waiting(name)}
            if watched is None:
                return json.dumps(told)
            begun = list(watched.events)[-payload.SHOWN :]
            told |= {
                "seq": watched.seq,
                "study": payload.about(watched),
                "head": payload.head(watched, self._clock()),
                "front": payload.front(watched),
                "events": payload.events(watched, begun),
            }
            return f'{json.dumps(told)[:-1]}, "rows": {self._rows_text(name, watched)}}}'

    def _ask_for(self, name: str | None) -> str:
        name = self.chosen(name)
        if name in self.names:
            self._asked.add(name)
        return name

    def _rows_text(self, name: str, watched: Watched) -> str:
        seq, text = self._rows.get(name, (-2, ""))
        if seq != watched.seq:
            text = json.dumps(payload.rows(watched), separators=(",", ":"))
            self._rows[name] = (watched.seq, text)
        return text

    def _waiting(self, name: str) -> str:
        if name in self._studies:
            return ""
        if name in self.names:
            return f"reading the trials of {name}"
        return f"the study {name} has not begun yet" if name else "there is no study yet"

    def trial(self, name: str | None, number: int) -> Plain | None:
        """Return all that is known of one trial, if there is one."""
        with self._lock:
            watched = self._studies.get(self.chosen(name))
            trial = watched.trials.get(number) if watched else None
            return details(watched, trial, self.written) if watched and trial else None

    def analyses(self, name: str | None) -> str:
        """Return what analyses have found, and what was found of claims, as the part of a page that shows it."""
        with self._lock:
            watched = self._studies.get(self.chosen(name))
            found = watched.found if watched else Found("", ())
        return "\n".join([*findings.parts(found.analyses), *claimed.parts(found.verdicts, self.written)])

    def gains(self, name: str | None) -> Plain:
        """Return the trials that rest at rungs with what the front is expected to gain by each; it may take a while."""
        with self._lock:
            watched = self._studies.get(self.chosen(name))
            paused = watched.paused() if watched else None
        told = paused.gains()[:MOST_PAUSED] if paused else []
        return {"paused": len(paused.resting) if paused else 0, "rows": told}

    def messages(self, name: str, after: int, label: str) -> list[Message]:
        """Return what a browser has to hear that knows a study, by its label, up to an event."""
        with self._lock:
            watched = self._studies.get(name)
            told = {"trouble": self.trouble, "waiting": self._waiting(name), "studies": self.names}
            if watched is None:
                return [Message("head", told)]
            if watched.label != label or not watched.floor <= after <= watched.seq:
                return [Message("anew", {})]
            update = [Message("update", self._update(watched, after), watched.seq)] if after < watched.seq else []
            return [*update, Message("head", {**told, "head": payload.head(watched, self._clock())})]

    def _update(self, watched: Watched, after: int) -> Plain:
        news = [event for event in watched.events if event.seq > after]
        told: Plain = {
            "rows": payload.rows(watched, after),
            "events": payload.events(watched, news[-payload.SHOWN :]),
            "parameters": watched.parameters,
        }
        return told | ({"front": payload.front(watched)} if watched.front_seq > after else {})

    async def watch(self) -> None:
        """Look again and again, each second, and at once where more waits."""
        while True:
            more = await asyncio.to_thread(self.look)
            self._news.set()
            self._news = asyncio.Event()
            if not more:
                await asyncio.sleep(EVERY_S)

    async def follow(
        self, name: str | None, after: int, label: str, over: Callable[[], bool]
    ) -> AsyncIterator[Message]:
        """Yield what a browser has to hear, as it comes, until it has to begin anew or this server ends.

        Args:
            name: of the study.
            after: the event that the browser has seen last.
            label: of the study as the browser knows it.
            over: whether this server ends.
        """
        name, head = self.chosen(name), None
        while not over():
            news = self._news
            for message in await asyncio.to_thread(self.messages, name, after, label):
                after = after if message.seq is None else message.seq
                if message.kind != "head" or message.data != head:
                    yield message
                if message.kind == "anew":
                    return
                head = message.data if message.kind == "head" else head
            with suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), EVERY_S)
        await asyncio.to_thread(self.look)
        for message in await asyncio.to_thread(self.messages, name, after, label):
            yield message
        yield Message("bye", {})
