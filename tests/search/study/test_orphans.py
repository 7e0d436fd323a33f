"""A new study says what an earlier one of its name has left: its database may have been deleted by mistake."""

from collections.abc import Callable
from pathlib import Path

import pytest

from search.core.records import StudyRecord
from search.study.orphans import orphans


@pytest.fixture
def study(make_study: Callable[..., StudyRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyRecord:
    monkeypatch.chdir(tmp_path)
    return make_study("front")


def leave(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_where_nothing_was_left_nothing_is_said(study: StudyRecord) -> None:
    assert not list(orphans(study, "runs"))
    assert not list(orphans(study, "s3://bucket/runs"))


def test_checkpoints_and_waiting_records_of_another_database_are_named(study: StudyRecord) -> None:
    leave("runs/front-20250101T120000/3.pt", "runs/front-20250102T120000/3.pt")
    leave(".widefront/front-20250101T120000.journal")
    assert list(orphans(study, "runs")) == [
        "runs/front-20250102T120000 and 1 more hold checkpoints of another study 'front'; "
        "was its database moved or deleted?",
        ".widefront/front-20250101T120000.journal hold records that wait for their database of another study 'front'; "
        "was its database moved or deleted?",
    ]


def test_its_own_an_empty_folder_and_another_studys_are_no_reason(study: StudyRecord) -> None:
    leave(f"runs/{study.label}/3.pt", "runs/front-20250101T120000/crash.txt", "runs/frontal-20250101T120000/3.pt")
    leave("runs/front-end-20250101T120000/3.pt", f".widefront/{study.label}.journal")
    assert not list(orphans(study, "runs"))
