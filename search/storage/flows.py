"""Remember what came through each block of a network in training, where that is recorded (`recipe: {record: flow}`)."""

from collections.abc import Iterable

from sqlalchemy import Connection, insert

from search.core.analyses import Row
from search.storage import cells, queries
from search.storage.tables import FLOW, TRIAL
from workers.measurement import Measurement


def add(connection: Connection, trial_id: int, measurements: Iterable[Measurement]) -> None:
    """Write what measurements tell, in the transaction of theirs; most tell nothing."""
    told = [
        {
            "trial_id": trial_id, "epoch": measurement.epoch, "place": place, "block": each.block,
            "gradient": each.gradient, "branch": each.branch,
        }
        for measurement in measurements
        for place, each in enumerate(measurement.flow)
    ]  # fmt: skip
    if told:
        connection.execute(insert(FLOW), told)


def of(connection: Connection, study_id: int, number: int) -> tuple[Row, ...]:
    """Return a row for each block and epoch of a trial, epoch by epoch; what cannot be read is left out."""
    mine = queries.whole_rows(FLOW).join(TRIAL, FLOW.c.trial_id == TRIAL.c.id)
    mine = mine.where(queries.is_trial(study_id, number)).order_by(FLOW.c.epoch, FLOW.c.place)
    return tuple(row for each in connection.execute(mine).mappings() if (row := _read(each)))


def _read(row: cells.Row) -> Row | None:
    try:
        return {
            "epoch": cells.whole(row, "epoch", 1), "block": cells.text(row, "block"),
            "gradient": cells.optional(cells.number, row, "gradient"),
            "branch": cells.optional(cells.number, row, "branch"),
        }  # fmt: skip
    except ValueError:
        return None
