"""A record and its row hold the same."""

from dataclasses import fields

import pytest
from sqlalchemy import Column, Double, Integer, Text

from search.core.records import State, TrialRecord
from search.storage import rows
from search.storage.tables import TRIAL
from tests import factories


def test_every_column_of_a_trial_is_written() -> None:
    assert rows.trial_values(factories.trial()).keys() == {column.name for column in TRIAL.c} - {"id", "study_id"}


@pytest.mark.parametrize(
    ("kind", "given", "wrong"),
    [(Integer, 3, "3"), (Double, 0.5, "0.5"), (Text, "a", 5)],
)
def test_a_plain_value_is_read_by_the_type_of_its_column(kind: type, given: object, wrong: object) -> None:
    column = Column("own", kind, nullable=False)
    assert rows._read({"own": given}, column) == given
    for odd in (wrong, None):
        with pytest.raises(ValueError, match="own"):
            rows._read({"own": odd}, column)
    assert rows._read({"own": None}, Column("own", kind)) is None


def test_a_trial_comes_back_from_its_row() -> None:
    trial = factories.trial(4, (0.5, 0.75), state=State.STOPPED, reason="epoch 2", attempts=1, session=7)
    back = rows.trial_record(rows.trial_values(trial), map(rows.measurement_values, trial.measurements))
    for item in fields(TrialRecord):
        assert getattr(back, item.name) == getattr(trial, item.name)
