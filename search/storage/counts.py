"""How much of everything there is in a database, by the numbers of rows: whatever stands in them, it counts."""

from collections.abc import Mapping

from sqlalchemy import Table, func, select

from search.storage.store import Store
from search.storage.tables import ANALYSIS, REPLICATE, STUDY, TRIAL


def trials(store: Store) -> Mapping[str, int]:
    """Return the trials of each study that has any, by its name."""
    return _rows(store, TRIAL)


def trained_again(store: Store) -> Mapping[str, int]:
    """Return the same of trainings with other seeds."""
    return _rows(store, REPLICATE)


def analysed_s(store: Store) -> Mapping[str, float]:
    """Return the seconds that the analyses of each study took which are kept, by its name."""
    asked = select(STUDY.c.name, func.sum(ANALYSIS.c.took_s)).join(ANALYSIS, ANALYSIS.c.study_id == STUDY.c.id)
    with store.snapshot() as connection:
        grouped = connection.execute(asked.group_by(STUDY.c.id, STUDY.c.name))
        return {row.name: float(row[1]) for row in grouped}


def _rows(store: Store, of: Table) -> Mapping[str, int]:
    asked = select(STUDY.c.name, func.count()).join(of, of.c.study_id == STUDY.c.id).group_by(STUDY.c.id, STUDY.c.name)
    with store.snapshot() as connection:
        return {row.name: row[1] for row in connection.execute(asked)}
