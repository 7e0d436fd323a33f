"""A journal keeps entries in order on disk, bounded, and survives whatever a crash leaves of it."""

import json
from pathlib import Path

import pytest

from search.study.journal import Journal
from spaces.errors import StudyError

FIRST, SECOND, THIRD = ({"what": "measured", "number": number, "text": "ä\n"} for number in (1, 2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "study.journal"


def test_entries_come_back_in_order_after_a_crash(path: Path) -> None:
    journal = Journal(path)
    for entry in (FIRST, SECOND, THIRD):
        journal.append(entry)
    assert list(Journal(path).entries) == [FIRST, SECOND, THIRD]  # nobody has closed anything


def test_there_is_no_file_where_nothing_waits(path: Path) -> None:
    journal = Journal(path)
    assert not path.parent.exists()
    journal.append(FIRST)
    assert path.exists()
    journal.clear()
    assert len(journal) == 0
    assert not path.parent.exists()


def test_another_studys_journal_beside_it_stays(path: Path) -> None:
    mine, other = Journal(path), Journal(path.with_name("other.journal"))
    mine.append(FIRST)
    other.append(SECOND)
    mine.clear()
    assert list(Journal(other.path).entries) == [SECOND]


@pytest.mark.parametrize("torn", ['{"what": "meas', "\0\0\0", '{"what": "measured"}'])  # the last: no newline yet
def test_a_line_that_a_crash_cut_off_is_no_entry(path: Path, torn: str) -> None:
    journal = Journal(path)
    journal.append(FIRST)
    with path.open("a") as file:
        file.write(torn)
    assert list(Journal(path).entries) == [FIRST]


def test_what_stands_behind_a_torn_line_would_leave_a_gap_and_is_left_out(path: Path) -> None:
    Journal(path).append(FIRST)
    with path.open("a") as file:
        file.write(f'{{"what": "me\n{json.dumps(THIRD)}\n')
    assert list(Journal(path).entries) == [FIRST]


def test_entries_behind_a_torn_line_are_readable_once_the_journal_was_opened_anew(path: Path) -> None:
    Journal(path).append(FIRST)
    with path.open("a") as file:
        file.write('{"what": "me')
    again = Journal(path)
    again.append(SECOND)
    assert list(Journal(path).entries) == [FIRST, SECOND]


def test_a_file_that_somebody_tidied_away_is_written_anew_and_whole(path: Path) -> None:
    journal = Journal(path)
    journal.append(FIRST)
    path.unlink()
    journal.append(SECOND)
    assert list(Journal(path).entries) == [FIRST, SECOND]


def test_it_takes_so_many_and_says_where_they_are(path: Path) -> None:
    journal = Journal(path, most=2)
    journal.append(FIRST)
    journal.append(SECOND)
    with pytest.raises(StudyError, match=r"2 entries wait in .*study\.journal for the database"):
        journal.append(THIRD)
    assert list(Journal(path).entries) == [FIRST, SECOND]


def test_on_a_disk_that_takes_nothing_entries_are_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    journal = Journal(tmp_path / "file" / "study.journal")
    journal.append(FIRST)
    assert (list(journal.entries), list(Journal(journal.path).entries)) == ([FIRST], [])
    (tmp_path / "file").unlink()  # now it takes something again
    journal.append(SECOND)
    assert list(Journal(journal.path).entries) == [FIRST, SECOND]
