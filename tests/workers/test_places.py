"""A folder is the same to whoever writes checkpoints, wherever it lies; no URL holds a secret."""

import errno
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from spaces.errors import InputError
from workers.places import Folder, LocalFolder, RemoteFolder, check, join, locate, open_folder


class Renaming(MemoryFileSystem):  # type: ignore[misc]  # fsspec tells no types
    """Rename in one step as servers of files do, and refuse to replace as some of them do."""

    protocol = "renaming"

    def mv(self, path1: str, path2: str, **_options: Any) -> None:
        if path1 not in self.store:
            raise FileNotFoundError(path1)
        if path2 in self.store:
            raise OSError(errno.EEXIST, "it is there already")
        self.store[path2] = self.store.pop(path1)


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """Give fsspec's file system in memory, empty."""
    fsspec.register_implementation("renaming", Renaming, clobber=True)
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    yield MemoryFileSystem()
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(params=["path", "file", "memory", "renaming"])
def folder(request: pytest.FixtureRequest, memory: MemoryFileSystem, tmp_path: Path) -> Folder:
    """Give a folder that is not there yet, one of each kind."""
    assert not memory.store
    addresses = {"path": str(tmp_path / "a[1]*"), "file": f"file://{tmp_path}/b", "memory": "memory://c[1]*/d"}
    return open_folder(addresses.get(request.param, "renaming://e/f"))


def test_what_is_written_is_read_and_listed(folder: Folder) -> None:
    folder.make()
    folder.write("7.pt", b"abc")
    folder.write("8.pt", memoryview(b"xabcd")[1:])
    folder.write("empty", b"")
    assert (folder.read("7.pt"), folder.read("8.pt"), folder.read("empty")) == (b"abc", b"abcd", b"")
    assert folder.sizes() == {"7.pt": 3, "8.pt": 4, "empty": 0}
    assert folder.exists()
    folder.write("7.pt", b"ab")
    assert folder.sizes()["7.pt"] == 2


def test_a_renamed_file_takes_the_place_of_another(folder: Folder) -> None:
    folder.make()
    folder.write("new", b"new")
    folder.write("old", b"older")
    folder.rename("new", "old")
    assert folder.sizes() == {"old": 3}
    assert folder.read("old") == b"new"
    with pytest.raises(FileNotFoundError):
        folder.rename("nobody", "old")
    assert folder.sizes() == {"old": 3}
    folder.rename("old", "alone")
    assert folder.sizes() == {"alone": 3}


def test_where_there_is_nothing_nothing_is_found(folder: Folder) -> None:
    assert folder.sizes() == {}
    assert not folder.exists()
    folder.remove("7.pt")
    with pytest.raises(FileNotFoundError):
        folder.read("7.pt")
    folder.make()
    folder.make()
    folder.remove("7.pt")
    assert folder.sizes() == {}


def test_only_the_file_that_is_named_is_removed(folder: Folder) -> None:
    folder.make()
    for name in ("7.pt", "*.pt", "17.pt"):
        folder.write(name, b"x")
    folder.remove("*.pt")
    assert folder.sizes() == {"7.pt": 1, "17.pt": 1}


def test_an_address_leads_to_the_same_folder_again(folder: Folder) -> None:
    folder.make()
    folder.write("7.pt", b"abc")
    assert open_folder(str(folder)) == folder
    found, name = locate(join(str(folder), "7.pt"))
    assert (found, name) == (folder, "7.pt")
    assert found.read(name) == b"abc"


def test_folders_in_a_folder_are_no_files(tmp_path: Path, memory: MemoryFileSystem) -> None:
    (tmp_path / "3.pt").mkdir()
    memory.mkdirs("/here/3.pt")
    assert open_folder(tmp_path).sizes() == open_folder("memory://here").sizes() == {}


def test_removing_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"abc")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "3.pt").symlink_to(tmp_path / "precious")
    folder = open_folder(tmp_path / "here")
    assert folder.sizes().keys() == {"3.pt"}
    folder.remove("3.pt")
    assert (tmp_path / "precious").read_bytes() == b"abc"


def test_a_path_is_taken_from_where_the_process_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ("runs", "./runs/", Path("runs"), "file://runs", tmp_path / "runs"):
        assert open_folder(address) == LocalFolder(tmp_path / "runs")
    assert locate("7.pt") == locate(Path("7.pt")) == (LocalFolder(tmp_path), "7.pt")


def test_the_root_of_a_url_is_a_folder_too(memory: MemoryFileSystem) -> None:
    folder, name = locate("memory://7.pt")
    folder.write(name, b"abc")
    assert list(memory.store) == ["/7.pt"]
    assert open_folder("memory://").sizes() == {"7.pt": 3}
    assert join("memory://", "study") == "memory://study"


# What goes wrong elsewhere


@pytest.mark.parametrize("raised", [RuntimeError("no\nanswer"), PermissionError(13, "no answer"), OSError("no answer")])
def test_what_a_driver_raises_is_a_connections_fault_in_one_line(
    raised: Exception, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder("memory://here")

    def fail(*_given: object, **_options: object) -> None:
        raise raised

    for name in ("cat_file", "pipe_file", "cp_file", "rm_file", "ls", "makedirs", "exists"):
        monkeypatch.setattr(MemoryFileSystem, name, fail)
    tries = [
        lambda: folder.read("x"), lambda: folder.write("x", b""), lambda: folder.rename("x", "y"), folder.make,
        lambda: folder.remove("x"), folder.sizes, folder.exists,
    ]  # fmt: skip
    for attempt in tries:
        with pytest.raises(ConnectionError, match=f"^memory://here: {type(raised).__name__}: .*no") as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert memory.store == {}


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_elsewhere_is_a_full_disk(full: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_options: object) -> None:
        raise OSError(full, "full")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", fail)
    with pytest.raises(OSError, match="full") as caught:
        open_folder("memory://here").write("x", b"")
    assert caught.value.errno == full


def test_an_unreachable_place_is_no_fault_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_url: str) -> None:
        raise TimeoutError("nobody answers")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(ConnectionError, match=r"^memory://here: TimeoutError: nobody answers$"):
        open_folder("memory://here")


@pytest.mark.usefixtures("memory")
def test_a_listing_is_never_that_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores of objects remember what they listed, and workers write without their knowing."""
    forgotten = []
    monkeypatch.setattr(MemoryFileSystem, "invalidate_cache", lambda _self, path=None: forgotten.append(path))
    folder = open_folder("memory://here")
    folder.sizes()
    folder.exists()
    assert forgotten == ["/here", "/here"]


# Addresses


@pytest.mark.parametrize("address", ["runs", "/a/b", "a:b@c", "memory://x", "s3://bucket/a/b", "sftp://me@host:22/x"])
def test_an_address_without_a_secret_is_taken(address: str) -> None:
    check(address)


@pytest.mark.parametrize(
    "address",
    [
        "s3://key:s3cr3t@bucket/x", "s3://key:a/s3cr3t@bucket", "sftp://:s3cr3t@host/x", "webhdfs://host/x?token=s3cr3t",
        "s3cr3t://a:b@c", "my s3cr3t://a:b@c/d",
    ],
)  # fmt: skip
def test_a_url_with_a_secret_is_refused_and_not_repeated(address: str) -> None:
    for attempt in (check, open_folder, lambda address: locate(f"{address}/7.pt")):
        with pytest.raises(InputError, match="FSSPEC_") as caught:
            attempt(address)
        assert "s3cr3t@" not in str(caught.value)
        assert "=s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "  ", "://x", "simplecache::memory://x", "3s://x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"^(is empty|'.+' is neither a folder nor a URL such as s3://bucket/folder)$"):
        open_folder(address)


def test_a_driver_that_nobody_knows_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^nosuch://x: Protocol not known: nosuch$"):
        open_folder("nosuch://x")


@pytest.mark.skipif(importlib.util.find_spec("s3fs") is not None, reason="the driver is installed here")
def test_a_driver_that_is_not_installed_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^s3://bucket/x: Install s3fs to access S3$"):
        open_folder("s3://bucket/x")


def test_a_folder_shows_its_address_and_nothing_of_its_driver(tmp_path: Path) -> None:
    there, here = open_folder("memory://here"), open_folder(tmp_path)
    assert isinstance(there, RemoteFolder)
    assert (str(there), str(here)) == ("memory://here", str(tmp_path))
    assert repr(there) == "RemoteFolder(url='memory://here')"
