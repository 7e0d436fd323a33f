"""The live page of a launch: its address is said, it ends with the launch, and a study goes on without one."""

import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from search.driver import paging
from search.driver.paging import live_page

pytestmark = pytest.mark.slow

GUARD_S = 120  # that only keeps a test from hanging


def wait_for(said: list[str]) -> str:
    began = time.monotonic()
    while not said and time.monotonic() - began < GUARD_S:
        time.sleep(0.05)
    return said[0]


def listens(port: int) -> bool:
    with closing(socket.socket()) as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def test_the_page_waits_for_the_study_and_ends_with_the_launch(tmp_path: Path) -> None:
    said: list[str] = []
    url = f"sqlite:///{tmp_path}/not-yet.db"
    with live_page(url, "digits", said.append, written=url, port=0):
        address = wait_for(said).removeprefix("live page: ")
        address, _, token = address.partition("#token=")
        assert len(token) == 32
        with urllib.request.urlopen(f"{address}state", timeout=GUARD_S) as answer:
            assert b'"waiting"' in answer.read()
        port = int(address.rstrip("/").rpartition(":")[2])
        assert listens(port)
    assert not listens(port)
    assert len(said) == 1  # that it has ended is no news
    assert not (tmp_path / "not-yet.db").exists()


def test_where_there_is_no_page_one_line_says_why_and_what_goes_on_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MODULE", "dashboards.nothing_of_this_name")
    said: list[str] = []
    with live_page(f"sqlite:///{tmp_path}/x.db", "digits", said.append, written="x"):
        line = wait_for(said)
    assert line.startswith("warning: there is no live page: ")
    assert "dashboards.nothing_of_this_name" in line


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with live_page(f"sqlite:///{tmp_path}/x.db", "digits", said.append, written="x", port=port):
            line = wait_for(said)
    assert line.startswith(f"warning: there is no live page: --port: cannot listen at 127.0.0.1:{port}")


def test_the_page_ends_where_its_launch_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from search.driver.paging import live_page\n"
        "say = lambda line: print(line, flush=True)\n"
        f"with live_page('sqlite:///{tmp_path}/x.db', 's', say, written='x', port=0):\n"
        "    time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as launch:
        assert launch.stdout is not None
        port = int(launch.stdout.readline().partition("/#")[0].rpartition(":")[2])
        assert listens(port)
        launch.kill()
    began = time.monotonic()
    while listens(port) and time.monotonic() - began < GUARD_S:
        time.sleep(0.1)
    assert not listens(port)
