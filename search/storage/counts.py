"""How much of everything there is in a database, by the numbers of rows: whatever stands in them, it counts."""

from collections.abc import Mapping

from sqlalchemy import Table, func, select

from search.storage.store import Store
from search.storage.tables import REPLICATE, STUDY, TRIAL


def trials(store: Store) -> Mapping[str, int]:
    """Return the trials of each study that has any, by its name."""
    return _rows(store, TRIAL)


def trained_again(store: Store) -> Mapping[str, int]:
    """Return the same of trainings with other seeds."""
    return _rows(store, REPLICATE)


def _rows(store: Store, of: Table) -> Mapping[str, int]:
    asked = select(STUDY.c.name, func.count()).join(of, of.c.study_id == STUDY.c.id).group_by(STUDY.c.id, STUDY.c.name)
    with store.snapshot() as connection:
        return {row.name: row[1] for row in connection.execute(asked)}
