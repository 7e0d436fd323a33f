"""What happened in a study, in order: whoever wants what is new asks behind the last number that it has seen."""

from sqlalchemy import Connection, insert, select, text

from search.core.records import Event
from search.storage import rows
from search.storage.tables import EVENT

# PostgreSQL gives numbers before transactions end: without this lock 12 could be seen while 11 is still to come, and
# whoever asks behind 12 would miss it.
_FOR_SO_LONG = text("SET LOCAL lock_timeout = '20s'")
_RECENT = 1000  # events among which one that is brought twice is looked for
_IN_ORDER = text("SELECT pg_advisory_xact_lock(hashtext('nas_event'), :study)")


def add(connection: Connection, study_id: int, *events: Event) -> None:
    """Write events in the transaction of what they tell; they stay with it or go with it."""
    if connection.dialect.name == "postgresql":
        connection.execute(_FOR_SO_LONG)  # a launch that was stopped in the midst of it may hold it for ever
        connection.execute(_IN_ORDER, {"study": study_id})
    connection.execute(insert(EVENT), [{"study_id": study_id, **rows.event_values(event)} for event in events])


def is_told(connection: Connection, study_id: int, event: Event) -> bool:
    """Whether an event is written already, as where a journal is brought twice."""
    values = rows.event_values(event)
    recent = select(EVENT).where(EVENT.c.study_id == study_id).order_by(EVENT.c.seq.desc()).limit(_RECENT).subquery()
    same = [recent.c[name].is_not_distinct_from(values[name]) for name in ("at", "kind", "trial", "text")]
    return connection.execute(select(recent.c.seq).where(*same)).first() is not None
