"""A launch leaves nothing behind in the folder of temporary files, however it ends."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.tune.scratch import PREFIX, scratch

LIVES = """
import sys, time
from search.tune.scratch import scratch
with scratch() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder in which temporary files are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_launch_s_folder_is_there_while_it_lives_and_gone_with_all_in_it_afterwards(place: Path) -> None:
    with scratch() as folder:
        assert list(place.iterdir()) == [Path(folder)]
        (Path(folder) / "tune").mkdir()
    assert list(place.iterdir()) == []


def test_the_folder_of_a_killed_launch_is_removed_by_the_next_and_that_of_a_living_one_is_not(place: Path) -> None:
    lives, killed = (
        subprocess.Popen(
            [sys.executable, "-c", LIVES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(place)},
        )
        for _ in range(2)
    )
    with lives, killed:
        folders = [Path(each.stdout.readline().strip()) for each in (lives, killed) if each.stdout]
        killed.kill()
        killed.wait(240)
        with scratch():
            assert [folder.exists() for folder in folders] == [True, False]
        lives.communicate("", timeout=240)
    assert list(place.iterdir()) == []


def test_nothing_but_launches_folders_is_ever_removed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (place / f"{PREFIX}link").symlink_to(elsewhere)
    (place / "widefront-other").mkdir()
    with scratch():
        pass
    assert elsewhere.exists()
    assert sorted(path.name for path in place.iterdir()) == [f"{PREFIX}link", "widefront-other"]
