"""A record and its row hold the same."""

import json
from dataclasses import fields, replace

import pytest
from sqlalchemy import Column, Double, Integer, Text

from search.core.records import State, TrialRecord
from search.storage import rows
from search.storage.tables import TRIAL
from tests import factories
from workers.objectives import OBJECTIVES, Objective


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


OWN = Objective(
    name="energy_j", title="energy of a training", unit="J", direction="minimize", static=False, ends=(1.0, 1e6),
    measure=lambda _epoch: 3.0,
)  # fmt: skip
CALM = Objective(
    name="calm", title="share that is calm", unit="fraction", direction="maximize", static=False, quality=True,
    best=1.0,
    worst=lambda classes: 1 / classes, measure=lambda _epoch: 0.5,
)  # fmt: skip


def test_objectives_of_a_study_alone_can_be_read_without_what_defines_them() -> None:
    names = ("accuracy", "calm", "energy_j")
    study = replace(factories.study(), objectives=names, measures={**OBJECTIVES, "energy_j": OWN, "calm": CALM})
    row = rows.study_values(study)
    assert set(json.loads(str(row["own_objectives"]))) == {"calm", "energy_j"}
    back = rows.study_record(row)
    for own in (OWN, CALM):
        found = back.objective(own.name)
        assert (found.title, found.unit, found.direction, found.ends) == (own.title, own.unit, own.direction, own.ends)
        assert found.measure is None
    share = back.objective("calm").share
    assert share(1.0, classes=study.classes, bounds=None) == 0.0
    assert share(1 / study.classes, classes=study.classes, bounds=None) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"title": "x"}, "describes no objective"),
        ({"title": "", "unit": "J", "direction": "minimize", "static": False}, "has no title"),
        ({"title": "x", "unit": "J", "direction": "down", "static": False}, "minimize or maximize"),
        ({"title": "x", "unit": "J", "direction": "minimize", "static": False, "quality": True}, "guessing"),
        ({"title": "x", "unit": "J", "direction": "minimize", "static": False, "ends": [2, 1]}, "two rising numbers"),
        ({"title": "x", "unit": "J", "direction": "minimize", "static": False, "ends": 3}, "describes no objective"),
    ],
)
def test_an_objective_that_is_told_in_no_such_way_is_a_damaged_row(told: dict[str, object], said: str) -> None:
    row = {**rows.study_values(factories.study()), "own_objectives": json.dumps({"odd": told})}
    with pytest.raises(ValueError, match=said):
        rows.study_record(row)
