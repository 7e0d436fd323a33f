"""What an analysis has found is kept by what was asked, once."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from search.core.analyses import Analysis, Question
from search.storage.analyses import Analyses
from search.storage.store import Store
from tests.factories import study

ASKED = Question(kind="lesion", trials=(3,), settings={"blocks": None}, weights="a" * 64, fingerprint="0123")
FOUND = Analysis(
    question=ASKED, rows=({"what": "block", "error": 0.1, "reason": None},), images=540, device="a processor",
    took_s=1.5, at=datetime(2026, 1, 2, tzinfo=UTC), kept=True,
)  # fmt: skip


def test_what_was_found_is_read_as_it_went_and_found_anew_it_takes_the_place(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.add_study(study("first"))
        store.add_study(study("second"))
        known = Analyses(store, "first")
        assert known.find(ASKED) is None
        known.add(FOUND)
        assert known.find(ASKED) == FOUND
        assert Analyses(store, "second").find(ASKED) is None
        known.add(replace(FOUND, took_s=2.5))
        assert known.all() == [replace(FOUND, took_s=2.5)]


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, kind="filters"), replace(ASKED, trials=(4,)), replace(ASKED, settings={"blocks": 2}),
        replace(ASKED, weights="b" * 64), replace(ASKED, fingerprint="4567"),
    ],
)  # fmt: skip
def test_another_question_has_another_answer(tmp_path: Path, other: Question) -> None:
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        store.add_study(study("first"))
        known = Analyses(store, "first")
        known.add(FOUND)
        assert known.find(other) is None


@pytest.mark.parametrize("damage", ["found = '[1]'", "found = '{'", "took_s = 'long'", "at = 'noon'", "images = -1"])
def test_what_cannot_be_read_was_not_found(tmp_path: Path, damage: str) -> None:
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        store.add_study(study("first"))
        known = Analyses(store, "first")
        known.add(FOUND)
        with store.transaction() as connection:
            connection.execute(text(f"UPDATE nas_analysis SET {damage}"))
        assert known.find(ASKED) is None
        assert known.all() == []
        known.add(FOUND)
        assert known.find(ASKED) == FOUND


def test_every_analysis_that_is_kept_changes_where_they_stand(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.add_study(study("first"))
        known = Analyses(store, "first")
        seen = [known.stand()]
        known.add(FOUND)
        seen.append(known.stand())
        known.add(replace(FOUND, at=datetime(2026, 1, 3, tzinfo=UTC)))
        seen.append(known.stand())
        known.add(replace(FOUND, question=replace(ASKED, kind="filters")))
        assert len({*seen, known.stand()}) == 4
