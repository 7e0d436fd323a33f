"""What whoever shows a study asks of its events beside what is new: the newest, and where trials stand by them."""

from collections.abc import Mapping, Sequence
from functools import partial

from sqlalchemy import RowMapping, Select, func, select

from search.core.records import Event, EventKind
from search.storage import queries, rows
from search.storage.damage import Lost
from search.storage.store import Store
from search.storage.tables import EVENT

STANDING = (  # of these the last tells whether a running trial trains, rests or is paused
    EventKind.BEGUN, EventKind.MEASURED, EventKind.RESTED, EventKind.PROMOTED, EventKind.PAUSED, EventKind.RETRIED,
)  # fmt: skip


def newest(store: Store, study: str, most: int) -> list[Event]:
    """Return a study's newest events, oldest first; what cannot be read is left out."""
    return _asked(store, study, _events().order_by(EVENT.c.seq.desc()).limit(most))[::-1]


def last(store: Store, study: str, kind: EventKind) -> Event | None:
    """Return the last event of a kind, such as what is planned by now."""
    told = _events().where(EVENT.c.kind == kind.value).order_by(EVENT.c.seq.desc()).limit(1)
    return next(iter(_asked(store, study, told)), None)


def standing(store: Store, study: str) -> Mapping[int, Event]:
    """Return the last event of each trial that tells where it stands, by the trial's number."""
    with store.snapshot() as connection:
        mine = EVENT.c.study_id == store.study_id(connection, study)
        kinds = EVENT.c.kind.in_([kind.value for kind in STANDING])
        newest = select(func.max(EVENT.c.seq)).where(mine, kinds, EVENT.c.trial.is_not(None)).group_by(EVENT.c.trial)
        found = connection.execute(_events().where(EVENT.c.seq.in_(newest))).mappings().all()
    return {event.trial: event for event in _read(store, found) if event.trial is not None}


def _events() -> Select[tuple[object, ...]]:
    return queries.whole_rows(EVENT)


def _asked(store: Store, study: str, asked: Select[tuple[object, ...]]) -> list[Event]:
    with store.snapshot() as connection:
        mine = EVENT.c.study_id == store.study_id(connection, study)
        return _read(store, connection.execute(asked.where(mine)).mappings().all())


def _read(store: Store, found: Sequence[RowMapping]) -> list[Event]:
    lost = Lost(table=EVENT.name)
    made = (
        store.damage.read(partial(rows.event_record, row), f"row {row['seq']} of {EVENT.name}", lost) for row in found
    )
    return [event for event in made if event is not None]
