"""A torn checkpoint is never loaded, the one before it is, and nothing in either is executed."""

import errno
import hashlib
import io
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.checkpoint import Checkpoint, before, is_whole, load, save
from workers.places import Content, Folder, LocalFolder, locate


def state(value: float = 1.0) -> dict[str, Any]:
    weights = {"w": torch.full((4, 4), value), "count": torch.tensor(3)}
    return {"spec": {"seed": 0, "augment": None, "size": [8, 8]}, "network": weights, "history": [{"epoch": 1}]}


def same(one: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    return (
        one is not None
        and one["spec"] == other["spec"]
        and one["history"] == other["history"]
        and all(torch.equal(one["network"][name], other["network"][name]) for name in other["network"])
    )


class Bomb:
    """Make a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.mkdir, (str(self.path),))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "new" / "folder" / "7.pt", state())
    assert same(load(tmp_path / "new" / "folder" / "7.pt"), state())


def of_before(state: dict[str, Any]) -> bytes:
    """Return the file of a state as earlier versions wrote it: the SHA-256 before the archive."""
    written = io.BytesIO()
    torch.save(state, written)
    return hashlib.sha256(written.getvalue()).digest() + written.getvalue()


@pytest.mark.parametrize("mapped", [False, True])
def test_a_file_opens_with_torch_alone(tmp_path: Path, mapped: bool) -> None:
    save(tmp_path / "7.pt", state())
    assert same(torch.load(tmp_path / "7.pt", weights_only=True, mmap=mapped), state())


def test_a_file_is_a_zip_archive_whose_comment_tells_what_it_was(tmp_path: Path) -> None:
    save(tmp_path / "7.pt", state())
    with zipfile.ZipFile(tmp_path / "7.pt") as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"sha256:")
    content = (tmp_path / "7.pt").read_bytes()
    assert content.endswith(hashlib.sha256(content[:-64]).hexdigest().encode())


def test_a_file_of_before_is_read_and_replaced(address: str) -> None:
    folder, name = locate(address)
    folder.make()
    folder.write(name, of_before(state(1.0)))
    assert is_whole(folder, name)
    kept = Checkpoint(address)
    assert same(kept.load(), state(1.0))
    kept.save(state(2.0))
    assert same(load(address), state(2.0))
    assert folder.read(before(name)) == of_before(state(1.0))
    folder.write(name, b"torn")
    assert same(load(address), state(1.0))


def test_a_damaged_file_of_before_is_no_state(tmp_path: Path) -> None:
    whole = of_before(state())
    for place in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "7.pt").write_bytes(damaged)
        assert load(tmp_path / "7.pt") is None
    for length in (*range(70), len(whole) - 1):
        (tmp_path / "7.pt").write_bytes(whole[:length])
        assert load(tmp_path / "7.pt") is None


def test_layout_and_type_of_tensors_are_kept(tmp_path: Path) -> None:
    image = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last).bfloat16()
    save(tmp_path / "7.pt", {"image": image})
    found = load(tmp_path / "7.pt")
    assert found is not None
    assert found["image"].dtype is torch.bfloat16
    assert found["image"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found["image"], image)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(params=["path", "url"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of a trial's checkpoint, in a folder of each kind that is not there yet."""
    MemoryFileSystem.store.clear()
    return f"{tmp_path}/runs/7.pt" if request.param == "path" else f"memory://{tmp_path.name}/runs/7.pt"


def test_the_last_one_saved_is_loaded_and_only_the_one_before_is_left_beside(address: str) -> None:
    for value in (1.0, 2.0, 3.0):
        save(address, state(value))
    assert same(load(address), state(3.0))
    assert same(load(address.replace("7.pt", "7.before.pt")), state(2.0))
    assert locate(address)[0].sizes().keys() == {"7.pt", "7.before.pt"}


def test_where_the_newest_is_torn_or_gone_the_one_before_is_loaded(address: str) -> None:
    kept = Checkpoint(address)
    for value in (1.0, 2.0):
        kept.save(state(value))
    folder, name = locate(address)
    whole = folder.read(name)
    for torn in (b"", whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1])):
        folder.write(name, torn)
        assert not is_whole(folder, name)
        assert same(load(address), state(1.0))
    folder.remove(name)
    assert same(load(address), state(1.0))
    folder.remove(before(name))
    assert load(address) is None


@pytest.mark.parametrize("looked", [True, False])
def test_a_torn_file_never_takes_the_place_of_a_whole_one(address: str, looked: bool) -> None:
    for value in (1.0, 2.0):
        save(address, state(value))
    folder, name = locate(address)
    folder.write(name, b"torn")
    kept = Checkpoint(address)
    if looked:
        assert same(kept.load(), state(1.0))
    kept.save(state(3.0))
    folder.write(name, b"torn again")
    assert same(load(address), state(1.0))  # of the two before, the one that was whole


def test_whoever_goes_on_reads_the_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "7.pt", state(1.0))
    read: list[str] = []
    look = LocalFolder.read
    monkeypatch.setattr(LocalFolder, "read", lambda self, name: [look(self, name), read.append(name)][0])
    kept = Checkpoint(tmp_path / "7.pt")
    kept.load()
    for value in (2.0, 3.0):
        kept.save(state(value))
    assert read == ["7.pt"]


@pytest.mark.parametrize(("name", "kept"), [("7.pt", "7.before.pt"), ("a.b.pt", "a.b.before.pt"), ("x", "x.before")])
def test_the_one_before_has_a_name_of_its_own(name: str, kept: str) -> None:
    assert before(name) == kept


# Killed in the middle


class Killed(BaseException):
    """End everything, as kill -9 does."""


class Mortal:
    """A folder whose writer is killed at a step: in the midst of writing, or of a copy that stands for renaming."""

    def __init__(self, folder: Folder, dies_at: int, *, copies: bool) -> None:
        self.folder, self.left, self.copies = folder, dies_at, copies

    def _step(self) -> None:
        if self.left <= 0:
            raise Killed
        self.left -= 1

    def read(self, name: str) -> bytes:
        self._step()
        return self.folder.read(name)

    def write(self, name: str, content: Content) -> None:
        self._step()
        self.folder.write(name, content[: len(content) // 2])
        self._step()
        self.folder.write(name, content)

    def rename(self, name: str, new: str) -> None:
        self._step()
        if self.copies:
            self.write(new, self.folder.read(name))
            self._step()
            self.folder.remove(name)
        else:
            self.folder.rename(name, new)

    def remove(self, name: str) -> None:
        self._step()
        self.folder.remove(name)


def dying(address: str | Path, dies_at: int, *, copies: bool) -> Checkpoint:
    kept = Checkpoint(address)
    kept.folder = Mortal(kept.folder, dies_at, copies=copies)  # type: ignore[assignment]
    return kept


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("damaged", [None, "7.pt", "7.before.pt"])
def test_killed_at_any_step_a_writer_leaves_a_whole_file(tmp_path: Path, copies: bool, damaged: str | None) -> None:
    newest, died = 1.0 if damaged == "7.pt" else 2.0, 0
    while True:
        path = tmp_path / str(died) / "7.pt"
        for value in (1.0, 2.0):
            save(path, state(value))
        if damaged:
            (path.parent / damaged).write_bytes(b"torn")
        try:
            dying(path, died, copies=copies).save(state(3.0))
        except Killed:
            assert same(load(path), state(newest)) or same(load(path), state(3.0))
        else:
            break
        found = load(path)
        save(path, state(4.0))  # a successor goes on, and is killed when it has written
        assert same(load(path), state(4.0))
        path.write_bytes(b"torn")
        assert same(load(path), found or {})
        died += 1
    assert died == {(False, None): 5, (False, "7.pt"): 4, (False, "7.before.pt"): 5,
                    (True, None): 11, (True, "7.pt"): 7, (True, "7.before.pt"): 11}[copies, damaged]  # fmt: skip


@pytest.mark.parametrize("copies", [False, True])
def test_two_writers_of_one_trial_never_leave_it_without_a_whole_file(tmp_path: Path, copies: bool) -> None:
    """A worker that outlives its driver is killed at any step, or not at all, while its successor saves."""
    for died in range(12):
        path = tmp_path / str(died) / "7.pt"
        save(path, state(1.0))
        with suppress(Killed):
            dying(path, died, copies=copies).save(state(2.0))
        kept = Checkpoint(path)
        found = kept.load()
        assert same(found, state(1.0)) or same(found, state(2.0))
        path.unlink(missing_ok=True)  # the other moves it, just now
        kept.save(state(3.0))
        assert same(load(path), state(3.0))


def test_where_there_is_no_file_there_is_no_state(tmp_path: Path) -> None:
    assert load(tmp_path / "7.pt") is None
    assert load(tmp_path) is None
    assert load(tmp_path / "no" / "folder" / "7.pt") is None


def test_a_file_torn_anywhere_is_no_state(tmp_path: Path) -> None:
    save(tmp_path / "7.pt", state())
    whole = (tmp_path / "7.pt").read_bytes()
    for length in [*range(70), *range(70, len(whole), 41), len(whole) - 1]:
        (tmp_path / "7.pt").write_bytes(whole[:length])
        assert load(tmp_path / "7.pt") is None


def test_a_file_with_one_flipped_bit_is_no_state(tmp_path: Path) -> None:
    save(tmp_path / "7.pt", state())
    whole = (tmp_path / "7.pt").read_bytes()
    for place in (*range(0, len(whole) - 100, 23), *range(len(whole) - 100, len(whole))):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            (tmp_path / "7.pt").write_bytes(damaged)
            assert load(tmp_path / "7.pt") is None


@settings(max_examples=50)
@given(content=st.binary(max_size=200), hashed=st.sampled_from(["no", "before", "behind"]))
def test_garbage_is_no_state_even_where_it_is_whole(
    content: bytes, hashed: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, told = tmp_path_factory.mktemp("garbage") / "7.pt", content + b"sha256:"
    behind = told + hashlib.sha256(told).hexdigest().encode()
    path.write_bytes({"no": content, "before": hashlib.sha256(content).digest() + content, "behind": behind}[hashed])
    assert load(path) is None


def test_what_is_whole_but_no_state_is_none(tmp_path: Path) -> None:
    save(tmp_path / "7.pt", [1, 2, 3])  # type: ignore[arg-type]
    assert load(tmp_path / "7.pt") is None


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    crater = tmp_path / "crater"
    written = io.BytesIO()
    torch.save({"spec": Bomb(crater)}, written)
    for content in (written.getvalue(), pickle.dumps({"spec": Bomb(crater)}, protocol=2)):
        for held in (content, hashlib.sha256(content).digest() + content):
            (tmp_path / "7.pt").write_bytes(held)
            assert load(tmp_path / "7.pt") is None
            assert not crater.exists()
    pickle.loads(pickle.dumps(Bomb(crater)))
    assert crater.exists()  # the bomb is a live one


def test_where_the_new_file_cannot_be_put_in_place_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "7.pt", state(1.0))

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError("no space left on the device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(OSError, match="no space left"):
            save(tmp_path / "7.pt", state(2.0))
    assert same(load(tmp_path / "7.pt"), state(1.0))
    assert names(tmp_path) == {"7.pt"}


def test_on_a_full_disk_both_files_stay_and_nothing_torn_is_left(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Checkpoint(address)
    for value in (1.0, 2.0):
        kept.save(state(value))
    kind: Any = type(kept.folder)
    write = kind.write

    def fill_up(self: Folder, name: str, content: Content) -> None:
        write(self, name, content[:100])
        raise OSError(errno.ENOSPC, "no space left on the device")

    with monkeypatch.context() as patched:
        patched.setattr(kind, "write", fill_up)
        with pytest.raises(OSError, match="no space left") as full:
            kept.save(state(3.0))
    assert full.value.errno == errno.ENOSPC
    assert locate(address)[0].sizes().keys() == {"7.pt", "7.before.pt"}
    assert same(load(address), state(2.0))
    kept.save(state(4.0))  # there is room again
    assert same(load(address), state(4.0))
    assert same(load(address.replace("7.pt", "7.before.pt")), state(2.0))


def test_a_folder_that_was_removed_is_made_again(address: str) -> None:
    kept = Checkpoint(address)
    for value in (1.0, 2.0):
        kept.save(state(value))
    for name in ("7.pt", "7.before.pt"):
        kept.folder.remove(name)
    if isinstance(kept.folder, LocalFolder):
        kept.folder.path.rmdir()
    kept.save(state(3.0))
    assert same(load(address), state(3.0))


def test_what_a_disk_cannot_read_is_damaged_and_what_cannot_be_reached_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (1.0, 2.0):
        save(tmp_path / "7.pt", state(value))
    read = LocalFolder.read

    def fail(number: int) -> None:
        def reading(self: LocalFolder, name: str) -> bytes:
            if name == "7.pt":
                raise OSError(number, "no")
            return read(self, name)

        monkeypatch.setattr(LocalFolder, "read", reading)

    fail(errno.EIO)
    assert same(load(tmp_path / "7.pt"), state(1.0))
    fail(errno.ESTALE)  # to begin anew would throw away what is there
    with pytest.raises(OSError, match="no"):
        load(tmp_path / "7.pt")


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    replace, fsync = Path.replace, os.fsync

    def renaming(self: Path, target: Path) -> Path:
        done.append(target.name)
        return replace(self, target)

    def synchronising(opened: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{opened}").readlink().is_dir() else "file")
        fsync(opened)

    monkeypatch.setattr(Path, "replace", renaming)
    monkeypatch.setattr(os, "fsync", synchronising)
    save(tmp_path / "7.pt", state(1.0))
    assert done == ["file", "7.pt", "folder"]


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from workers.checkpoint import save

replace, left = Path.replace, int(sys.argv[2])


def die(self, target):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return replace(self, target)


Path.replace = die
save(Path(sys.argv[1]), {"network": torch.full((4, 4), 2.0)})
"""


@pytest.mark.slow
@pytest.mark.parametrize("renamed", [0, 1])
def test_a_process_killed_before_it_renames_leaves_the_old_file(tmp_path: Path, renamed: int) -> None:
    save(tmp_path / "7.pt", state(1.0))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "7.pt"), str(renamed)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # it was killed with the new file beside the old one
    assert ((tmp_path / "7.before.pt").exists(), (tmp_path / "7.pt").exists()) == (renamed == 1, renamed == 0)
    assert same(load(tmp_path / "7.pt"), state(1.0))
    save(tmp_path / "7.pt", state(3.0))
    assert same(load(tmp_path / "7.pt"), state(3.0))
