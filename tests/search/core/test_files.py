"""Nothing that is asked to write overwrites what is not its own, and a full disk leaves the old file."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from search.core.files import begins_with, replacing, replacing_folder
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


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o444])
@pytest.mark.usefixtures("umask")
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path, seen = tmp_path / "report.html", []
    path.write_text(f"{PAGE}old")
    path.chmod(mode)

    def fill(beside: Path) -> None:
        beside.write_text(f"{PAGE}new")
        seen.append(beside.stat().st_mode & 0o777)

    filled(path, fill)
    assert (path.read_text(), path.stat().st_mode & 0o7777) == (f"{PAGE}new", mode)
    assert seen == [0o600]  # nobody reads meanwhile what the earlier one kept from them


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_of_new_files(tmp_path: Path) -> None:
    write(tmp_path / "report.html", PAGE)
    assert (tmp_path / "report.html").stat().st_mode & 0o7777 == 0o640


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(PAGE)
    os.chown(path, 1234, 4321)
    write(path, f"{PAGE}new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("there", ["exists", "is new"])
def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path, there: str) -> None:
    link, page = tmp_path / "report.html", tmp_path / "elsewhere" / "page.html"
    page.parent.mkdir()
    if there == "exists":
        page.write_text(f"{PAGE}old")
    link.symlink_to(page)
    write(link, f"{PAGE}new")
    assert link.is_symlink()
    assert page.read_text() == f"{PAGE}new"
    assert [each.name for each in page.parent.iterdir()] == ["page.html"]


def test_what_is_written_flows_into_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = Thread(target=lambda: read.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    write(tmp_path / "pipe", PAGE)
    reader.join(10)
    assert read == [PAGE]
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]
    write(Path(os.devnull), PAGE)


WRITE = """
from pathlib import Path
from tests.search.core.test_files import write
print("before")
write(Path({path!r}), "page ")
print("after")
"""


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("to", ["pipe", "file"])
def test_what_is_written_to_standard_output_comes_between_what_is_printed(path: str, to: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("earlier ")
    command = [sys.executable, "-c", WRITE.format(path=path)]
    if to == "pipe":
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    else:
        with (tmp_path / "out").open("a") as file:
            subprocess.run(command, check=True, stdout=file)
        said = (tmp_path / "out").read_text().removeprefix("earlier ")
    assert said == "before\npage after\n"


def test_a_pipe_that_nobody_reads_any_more_is_no_wrong_input() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError, match=f"/dev/fd/{writing}"):
        write(Path(f"/dev/fd/{writing}"), PAGE)
    os.close(writing)


def test_a_stream_that_is_closed_is_one_line() -> None:
    with pytest.raises(InputError, match=r"cannot write /dev/fd/987654: Bad file descriptor"):
        write(Path("/dev/fd/987654"), PAGE)


# Folders


def ours(folder: Path) -> str:
    """Say why a folder stays; of the kind are those that hold `own`."""
    return "" if folder.is_dir() and [each.name for each in folder.iterdir()] in ([], ["own"]) else "is another's"


def write_folder(path: Path, text: str) -> None:
    with replacing_folder(path, ours) as beside:
        (beside / "own").write_text(text)


def test_a_folder_is_written_and_an_earlier_one_of_its_kind_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "export"
    for text in ("one", "two"):
        write_folder(path, text)
        assert (path / "own").read_text() == text
        assert [each.name for each in path.parent.iterdir()] == ["export"]


def test_an_empty_folder_is_replaced_and_a_link_stays(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    write_folder(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "empty" / "own").read_text() == "new"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_such_folder_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "export"
    held = path if kind == "file" else path / "thesis"
    held.parent.mkdir(exist_ok=True)
    held.write_text("mine")
    with pytest.raises(InputError, match="export is another's; move it away, or name another folder"):
        write_folder(path, "new")
    assert held.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["export"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("No space left")])
def test_a_folder_that_cannot_be_filled_leaves_the_earlier_one(tmp_path: Path, error: Exception) -> None:
    write_folder(tmp_path / "export", "old")

    def fill() -> None:
        with replacing_folder(tmp_path / "export", ours) as beside:
            (beside / "own").write_text("half")
            raise error

    with pytest.raises((InputError, ValueError), match="No space left"):
        fill()
    assert (tmp_path / "export" / "own").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["export"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "export", "old")
    rename, done = Path.rename, list[str]()

    def once(self: Path, target: Path) -> Path:
        done.append(self.name)
        if len(done) == 2:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", once)
        with pytest.raises(InputError, match="Input/output error"):
            write_folder(tmp_path / "export", "new")
    assert (tmp_path / "export" / "own").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["export"]
