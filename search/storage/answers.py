"""Remember what commands have found of networks: for every study of the database that asks the same of a device."""

from datetime import UTC, datetime

from sqlalchemy import select

from search.storage import cells, queries, rows
from search.storage.store import Store
from search.storage.tables import ANSWER
from workers.command import Answer


class Answers:
    """Reads and writes them in a study's database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, key: str, digest: str) -> Answer | None:
        """Return what a command has found of a network, if it was asked; what cannot be read was not."""
        with self._store.snapshot() as connection:
            asked = select(ANSWER.c.value, ANSWER.c.deviation, ANSWER.c.took_s).where(
                ANSWER.c.command == key, ANSWER.c.digest == digest
            )
            row = connection.execute(asked).one_or_none()
        if row is None or not cells.is_number(row.value):
            return None
        deviation = row.deviation if cells.is_number(row.deviation) else None
        return Answer(value=row.value, deviation=deviation, took_s=row.took_s if cells.is_number(row.took_s) else 0.0)

    def add_answer(self, key: str, digest: str, name: str, answer: Answer) -> None:
        """Keep what it has found; what is kept already stays.

        Args:
            key: of the command: `workers.command.Command.key`.
            digest: of the network.
            name: of the objective.
            answer: that the command gave.

        Raises:
            StorageAway: the database does not take it now.
        """
        values = {
            "command": key, "digest": digest, "name": name, "value": answer.value, "deviation": answer.deviation,
            "took_s": answer.took_s, "at": rows.to_utc(datetime.now(UTC)),
        }  # fmt: skip
        with self._store.transaction() as connection:
            insert = queries.INSERTS[self._store.dialect]
            connection.execute(insert(ANSWER).values(values).on_conflict_do_nothing())
