"""A checkpoint is whole or absent, and nothing in it is executed."""

import hashlib
import io
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.checkpoint import load, save


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


def test_layout_and_type_of_tensors_are_kept(tmp_path: Path) -> None:
    image = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last).bfloat16()
    save(tmp_path / "7.pt", {"image": image})
    found = load(tmp_path / "7.pt")
    assert found is not None
    assert found["image"].dtype is torch.bfloat16
    assert found["image"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found["image"], image)


def test_the_last_one_saved_is_loaded_and_nothing_else_is_left(tmp_path: Path) -> None:
    for value in (1.0, 2.0, 3.0):
        save(tmp_path / "7.pt", state(value))
    assert same(load(tmp_path / "7.pt"), state(3.0))
    assert [path.name for path in tmp_path.iterdir()] == ["7.pt"]


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
    for place in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "7.pt").write_bytes(damaged)
        assert load(tmp_path / "7.pt") is None


@settings(max_examples=50)
@given(content=st.binary(max_size=200), hashed=st.booleans())
def test_garbage_is_no_state_even_where_it_is_whole(
    content: bytes, hashed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "7.pt"
    path.write_bytes(hashlib.sha256(content).digest() + content if hashed else content)
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
    assert [path.name for path in tmp_path.iterdir()] == ["7.pt"]


def test_where_the_new_file_cannot_be_written_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "7.pt", state(1.0))

    def fill_up(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError("no space left on the device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fill_up)
        with pytest.raises(OSError, match="no space left"):
            save(tmp_path / "7.pt", state(2.0))
    assert same(load(tmp_path / "7.pt"), state(1.0))
    assert [path.name for path in tmp_path.iterdir()] == ["7.pt"]


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from workers.checkpoint import save

Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
save(Path(sys.argv[1]), {"network": torch.full((4, 4), 2.0)})
"""


@pytest.mark.slow
def test_a_process_killed_between_writing_and_renaming_leaves_the_old_file(tmp_path: Path) -> None:
    save(tmp_path / "7.pt", state(1.0))
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "7.pt")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # it was killed with the new file beside the old one
    assert same(load(tmp_path / "7.pt"), state(1.0))
    save(tmp_path / "7.pt", state(3.0))
    assert same(load(tmp_path / "7.pt"), state(3.0))
