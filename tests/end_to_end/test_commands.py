"""A study whose networks a command measures before they train: killed, gone on with, and each network measured once."""

import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from search.core.records import State
from search.storage.store import Store
from tests.end_to_end.conftest import SMALL, Folder, wait_until
from tests.end_to_end.invariants import check_whole, read

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

# Tells the size of the ONNX file, notes its calls, hangs on what is to hang, and fails where there is no device.
SCRIPT = """
import json, os, pathlib, sys, time
file, digest = sys.argv[1:]
def note(what):
    with open("calls.txt", "a") as calls:
        print(what, digest, file=calls)
if pathlib.Path("away").exists():
    sys.exit("no route to host")
note("began")
if pathlib.Path("hang").exists():
    pathlib.Path("pid").write_text(str(os.getpid()))
    time.sleep(1000)
print("warming up")
note("ended")
print(json.dumps({"value": os.stat(file).st_size / 1000, "deviation": 0.25}))
"""
SPACE = {name: SMALL["space"][name] for name in ("block", "depth", "widening_factor")}
MOST_KB = 87  # of ONNX: what two blocks a stage of twice the width take is more


def file(folder: Folder, **changes: Any) -> None:
    (folder.path / "size.py").write_text(SCRIPT)
    command = f"{sys.executable} size.py {{onnx}} {{digest}}"
    asked = {"name": "onnx_kb", "command": command, "unit": "kB", "title": "size of ONNX", "tries": 1}
    folder.write(
        **{
            "space": SPACE,
            "objectives": ["accuracy", asked],
            "constraints": {"onnx_kb": f"<= {MOST_KB}"},
            "budget": {"trials": 4},
            **changes,
        }
    )


def calls(folder: Folder, what: str) -> list[str]:
    """Return the digests of networks in the order of their calls."""
    path = folder.path / "calls.txt"
    told = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [digest for each, digest in told if each == what]


def rejected(folder: Folder) -> list[str]:
    with Store.open(folder.url, create=False) as store:
        return [each.reason for each in store.rejections("small") if each.violations]


def test_a_network_is_measured_once_however_often_the_study_is_killed_and_what_is_too_dear_never_trains(
    folder: Folder,
) -> None:
    file(folder, budget={"trials": 8})  # there are fewer that are allowed, so that every network is measured
    hang = folder.path / "hang"
    driver = folder.start("--no-report")
    wait_until(lambda: len(calls(folder, "ended")) >= 3 or driver.poll() is not None)
    hang.touch()
    wait_until(lambda: (folder.path / "pid").exists() or driver.poll() is not None)
    assert driver.poll() is None, folder.said()
    driver.kill()
    driver.wait(240)
    device = int((folder.path / "pid").read_text())
    wait_until(lambda: not psutil.pid_exists(device))  # nobody is there any more for whom it would measure
    hang.unlink()

    folder.launch()
    assert not [count for count in Counter(calls(folder, "ended")).values() if count > 1]
    study, trials = read(folder.url)
    check_whole(folder.url, trials=len(trials))
    assert len(calls(folder, "ended")) == 8
    sizes = [trial.cost.value("onnx_kb") for trial in trials]
    assert sizes
    assert all(size <= MOST_KB for size in sizes)
    assert [reason for reason in rejected(folder) if "onnx_kb" in reason]
    assert len(trials) < 8
    assert any(trial.state is State.COMPLETE for trial in trials)
    assert study.objective("onnx_kb").unit == "kB"
    page = (folder.path / "report.html").read_text()
    assert "size of ONNX (kB)" in page

    file(folder, study="second", budget={"trials": 2})  # of the same networks, in the same database
    folder.launch("--no-report")
    assert len(calls(folder, "ended")) == 8
    with sqlite3.connect(folder.path / "study.db") as database:
        assert database.execute("SELECT count(*), min(deviation) FROM nas_answer").fetchone() == (8, 0.25)
    database.close()


@pytest.mark.very_slow
def test_a_device_that_goes_away_ends_the_launch_in_one_line_and_the_next_one_goes_on(folder: Folder) -> None:
    file(folder, constraints={}, budget={"trials": 6})
    driver = folder.start("--no-report")
    wait_until(lambda: len(calls(folder, "ended")) >= 2 or driver.poll() is not None)
    (folder.path / "away").touch()
    assert driver.wait(240) == 1, folder.said()
    last = folder.said().strip().splitlines()[-1]
    assert last.startswith("error: 3 networks in a row could not be measured; the last: onnx_kb: ended with exit code")
    assert last.endswith("exit code 1: no route to host")
    assert "Traceback" not in folder.said()
    (folder.path / "away").unlink()
    folder.launch("--no-report")
    check_whole(folder.url, trials=6)
    assert max(Counter(calls(folder, "ended")).values()) == 1


@pytest.mark.very_slow
def test_ctrl_c_ends_the_command_that_runs(folder: Folder) -> None:
    file(folder, constraints={})
    driver = folder.start("--no-report")
    wait_until(lambda: len(calls(folder, "ended")) >= 1 or driver.poll() is not None)
    (folder.path / "hang").touch()
    wait_until(lambda: (folder.path / "pid").exists() or driver.poll() is not None)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(240) == 130
    device = int((folder.path / "pid").read_text())
    wait_until(lambda: not psutil.pid_exists(device))
    assert "nothing is lost, go on with" in folder.said()


def refused(folder: Folder, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "search.launch", "space.yaml", *options],
        cwd=folder.path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_a_command_that_does_not_work_is_refused_before_there_is_a_study(folder: Folder) -> None:
    file(folder)
    (folder.path / "away").touch()
    why = "the smallest network was not measured: ended with exit code 1: no route to host"
    assert refused(folder) == f"error: objectives.1.command: {why}"
    assert refused(folder, "--dry-run") == f"error: objectives.1.command: {why}"
    with Store.open(folder.url, create=False) as store:
        assert store.names() == []
    assert not Path(folder.path / "runs").exists()


@pytest.mark.very_slow
def test_a_dry_run_says_what_a_command_tells_and_a_changed_command_is_another_study(folder: Folder) -> None:
    file(folder, budget={"trials": 1})
    assert "kB (deviation 0.25) for the smallest network, measured in" in folder.launch("--dry-run")
    assert not (folder.path / "study.db").exists()
    folder.launch("--no-report")
    before = len(calls(folder, "began"))
    text = (folder.path / "space.yaml").read_text()
    (folder.path / "space.yaml").write_text(text.replace(" size.py", " ./size.py"))
    assert "was begun with another file" in refused(folder)
    (folder.path / "space.yaml").write_text(text.replace("tries: 1", "tries: 2\n  limit_s: 60"))
    folder.launch("--no-report")  # how patient one is may change
    assert len(calls(folder, "began")) == before
