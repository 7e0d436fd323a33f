"""A page shows analyses of each kind, the newest first, each with its table, and no more than there is room for."""

import re
from dataclasses import replace

import pytest

from dashboards import findings, report, sections
from dashboards.frames import StudyView
from search.storage.analyses import Analyses
from search.storage.claims import Claims
from search.storage.store import Store
from tests.dashboards.analyses import examples
from tests.dashboards.test_access import read, scrolls
from tests.search.storage.test_claims import FOUND

HOSTILE = "<script>alert(1)</script>"


def test_a_study_without_analyses_has_no_such_section(view: StudyView) -> None:
    assert "What was looked into" not in "".join(sections.everything(view))


def test_verdicts_of_the_database_stand_below_and_say_where_all_of_them_are(view: StudyView, sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        store.add_study(view.study)
        Claims(store).add_verdict(replace(FOUND, says=HOSTILE))
        Claims(store).add_verdict(replace(FOUND, epochs=2))  # hidden by the one of more epochs
        page = report.render(report.read(store), "sqlite:///mine.db")
    assert "1 holds, 0 do not hold, 0 without enough evidence" in page
    assert "-m dashboards.verdicts sqlite:///mine.db" in page
    assert "20 points (10 to 30)" in page
    assert HOSTILE not in page


def test_each_analysis_has_a_figure_and_its_table(view: StudyView) -> None:
    found = tuple(make() for make in examples.EXAMPLES.values())
    page = "".join(sections.everything(replace(view, analyses=found)))
    assert page.count("data-found>") == page.count("<details class=data>") == len(found)
    assert page.count('data-chart="found-') == len(found) + 1  # flow has two planes
    assert "its shortcut changes the shape, and stays" in page
    assert "3 networks, of which those that no other beats" not in page
    assert "2 ensembles of 2 to 4 networks" in page


def test_several_of_a_kind_are_chosen_among_the_newest_first() -> None:
    (part,) = findings.parts([examples.lesions(7), examples.lesions(8, minutes=5), examples.lesions(9, minutes=2)])
    options = re.findall(r"<option value=\"(\d)\">(trial \d), blocks 2", part)
    assert options == [("0", "trial 8"), ("1", "trial 9"), ("2", "trial 7")]
    names = [element[1]["aria-label"] for element, _ in read(part) if scrolls(element)]
    assert len(set(names)) == 3


def test_one_of_a_kind_is_not_chosen_and_more_than_there_is_room_for_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "<select>" not in findings.parts([examples.lesions()])[0]
    monkeypatch.setattr(findings, "ROOM", 10)
    (part,) = findings.parts([examples.lesions(7), examples.lesions(8, minutes=5)])
    assert part.count("data-found>") == 1
    assert "1 older one in the database" in part
    assert "lesions of trial 8" in part


def test_filters_of_before_are_their_table() -> None:
    (part,) = findings.parts([examples.filters(weight=None)])
    assert "data-chart" not in part
    assert part.count("<tr>") == 11


def test_what_an_analysis_says_is_text() -> None:
    rows = (examples.lesion("whole", "", 0.01), examples.lesion("block", HOSTILE, 0.2, HOSTILE))
    (part,) = findings.parts([examples.analysis("lesion", rows, 3)])
    assert HOSTILE not in part


def test_a_report_reads_analyses_and_an_unknown_kind_is_left_out(view: StudyView, sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        store.add_study(view.study)
        kept = Analyses(store, view.study.name)
        for each in (examples.lesions(), examples.analysis("of tomorrow", ({"x": 1},), 1)):
            kept.add(each)
        read_again = report.read(store)
    assert len(read_again.analyses) == 2
    assert "".join(findings.parts(read_again.analyses)).count("data-found>") == 1
