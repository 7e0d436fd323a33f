"""Nothing that is asked to write overwrites what is not its own, and a full disk leaves the old file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from search.core.files import begins_with, replacing
from spaces.errors import InputError

PAGE = "<!doctype html>"


def write(path: Path, text: str) -> None:
    with replacing(path, "page", begins_with(PAGE)) as beside:
        beside.write_text(text, encoding="utf-8")


def filled(path: Path, fill: Callable[[Path], None]) -> None:
    with replacing(path, "page", begins_with(PAGE)) as beside:
        fill(beside)


@pytest.mark.parametrize("there", [None, "", f"{PAGE}old", f"{PAGE.upper()}old"])
def test_a_file_is_written_and_an_earlier_one_of_its_kind_replaced(tmp_path: Path, there: str | None) -> None:
    path = tmp_path / "new" / "report.html"
    if there is not None:
        path.parent.mkdir()
        path.write_text(there)
    write(path, f"{PAGE}new")
    assert path.read_text() == f"{PAGE}new"
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize("there", ["SQLite format 3\0", "my thesis", "<html>"])
def test_another_file_stays(tmp_path: Path, there: str) -> None:
    path = tmp_path / "report.html"
    path.write_text(there)
    with pytest.raises(InputError, match="is no page that could be written over"):
        write(path, f"{PAGE}new")
    assert path.read_text() == there


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no page"):
        write(tmp_path, f"{PAGE}new")


def test_what_cannot_be_written_whole_leaves_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(f"{PAGE}old")

    def fill(beside: Path) -> None:
        beside.write_text(PAGE)
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write .*: No space left on device"):
        filled(path, fill)
    assert path.read_text() == f"{PAGE}old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
