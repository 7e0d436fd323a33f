"""Remember what analyses of one study have found, by what was asked."""

from collections.abc import Mapping

from sqlalchemy import String, cast, delete, func, insert, select

from search.core.analyses import Analysis, Question
from search.storage import cells, queries, rows
from search.storage.store import Store
from search.storage.tables import ANALYSIS


class Analyses:
    """Reads and writes them; each write is one short transaction."""

    def __init__(self, store: Store, study: str) -> None:
        self._store = store
        self._study = study

    def find(self, question: Question) -> Analysis | None:
        """Return what was found when this was asked before, if it was; what cannot be read was not."""
        with self._store.snapshot() as connection:
            mine = ANALYSIS.c.study_id == self._store.study_id(connection, self._study)
            same = queries.whole_rows(ANALYSIS).where(mine, ANALYSIS.c.key == question.key)
            row = connection.execute(same).mappings().one_or_none()
        return None if row is None else _read(question, row)

    def all(self) -> list[Analysis]:
        """Return every analysis that can be read, oldest first."""
        with self._store.snapshot() as connection:
            mine = ANALYSIS.c.study_id == self._store.study_id(connection, self._study)
            known = queries.whole_rows(ANALYSIS).where(mine).order_by(ANALYSIS.c.id)
            found = connection.execute(known).mappings().all()
        return [each for row in found if (question := _asked(row)) and (each := _read(question, row))]

    def stand(self) -> str:
        """Return what changes with every analysis that is kept."""
        with self._store.snapshot() as connection:
            mine = ANALYSIS.c.study_id == self._store.study_id(connection, self._study)
            told = select(func.count(), func.max(cast(ANALYSIS.c.at, String))).where(mine)
            count, last = connection.execute(told).one()
        return f"{count} {last or ''}".strip()

    def add(self, analysis: Analysis) -> None:
        """Keep what was found, in the place of what the same question had found before.

        Raises:
            StorageAway: the database does not take it now.
        """
        asked = analysis.question
        told = {
            "key": asked.key, "kind": asked.kind, "trials": rows.to_json(list(asked.trials)),
            "settings": rows.to_json(dict(asked.settings)), "weights": asked.weights,
            "fingerprint": asked.fingerprint, "images": analysis.images, "device": analysis.device,
            "found": rows.to_json([dict(row) for row in analysis.rows]), "took_s": analysis.took_s,
            "at": rows.to_utc(analysis.at),
        }  # fmt: skip
        with self._store.transaction() as connection:
            study_id = self._store.study_id(connection, self._study)
            before = (ANALYSIS.c.study_id == study_id) & (ANALYSIS.c.key == asked.key)
            connection.execute(delete(ANALYSIS).where(before))
            connection.execute(insert(ANALYSIS).values({"study_id": study_id, **told}))


def _asked(row: cells.Row) -> Question | None:
    try:
        return Question(
            kind=cells.text(row, "kind"), trials=tuple(cells.listed(row, "trials")),
            settings=cells.mapping(row, "settings"), weights=cells.text(row, "weights"),
            fingerprint=cells.text(row, "fingerprint"),
        )  # fmt: skip
    except ValueError:
        return None


def _read(question: Question, row: cells.Row) -> Analysis | None:
    try:
        found = cells.listed_of(lambda each: isinstance(each, Mapping), row, "found")
        return Analysis(
            question=question, rows=tuple(found), images=cells.whole(row, "images"), device=cells.text(row, "device"),
            took_s=cells.number(row, "took_s"), at=cells.moment(row, "at"), kept=True,
        )  # fmt: skip
    except ValueError:
        return None
