"""A page is written beside its place and renamed, and takes the place of nothing but a page."""

from pathlib import Path

import pytest

from dashboards.page import BEGINS, write_page
from spaces.errors import InputError

PAGE = f"{BEGINS}\n<title>x</title>"


def test_a_page_is_written_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "report.html"
    assert write_page(path, PAGE) == path
    write_page(path, PAGE + "new")
    assert path.read_text() == PAGE + "new"
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize("held", [b"SQLite format 3\0", b"PK\3\4", b"study: digits", b"\x89PNG"])
def test_what_is_no_page_stays(held: bytes, tmp_path: Path) -> None:
    path = tmp_path / "widefront.db"
    path.write_bytes(held)
    with pytest.raises(InputError, match=r"widefront.db is no page that could be written over"):
        write_page(path, PAGE)
    assert path.read_bytes() == held


def test_a_disk_without_room_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_page(tmp_path / "report.html", PAGE)

    def full(_path: Path, _text: str, **_named: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match=r"cannot write .*: No space left on device"):
        write_page(path, PAGE + "new")
    assert path.read_text() == PAGE
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
