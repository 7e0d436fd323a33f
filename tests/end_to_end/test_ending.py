"""A study ends when it is asked to, whoever the signal comes to, and the next launch goes on with it."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import Folder, wait_until
from tests.end_to_end.invariants import check_whole

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def ended(driver: "subprocess.Popen[str]", sent: signal.Signals) -> None:
    """Send a signal to the whole group, as a terminal that is closed and a service manager do."""
    os.killpg(driver.pid, sent)
    assert driver.wait(120) == 130


def alive(family: list[psutil.Process]) -> list[str]:
    """Return what those say of themselves that have not ended."""
    with suppress(psutil.NoSuchProcess):
        return [" ".join(each.cmdline()) for each in family if each.is_running() and each.status() != "zombie"]
    return alive(family)


@pytest.mark.parametrize(
    "sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.very_slow), signal.SIGHUP]
)
def test_a_signal_to_everybody_while_trials_train_spends_no_attempt(
    folder: Folder, sent: signal.Signals, tmp_path: Path
) -> None:
    folder.environment = {"TMPDIR": str(tmp_path)}
    driver = folder.start("--no-report", "--set", "sampler.seed=7")
    wait_until(lambda: "trial 0" in folder.said())
    family = psutil.Process(driver.pid).children(recursive=True)
    ended(driver, sent)
    last = folder.said().splitlines()[-1]
    assert last.startswith("interrupted; nothing is lost, go on with: ")
    assert not list(tmp_path.glob("widefront-launch-*"))
    with suppress(AssertionError):
        wait_until(lambda: not alive(family), 60)
    assert not alive(family)
    again = shlex.split(last.partition("go on with: ")[2])
    assert again[0] == sys.executable
    done = subprocess.run(again, cwd=folder.path, check=False, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stdout
    check_whole(folder.url, trials=8)


@pytest.mark.very_slow
def test_a_signal_while_modules_are_imported_is_one_line(folder: Folder) -> None:
    driver = folder.start()
    time.sleep(0.5)  # no machine is through with importing by then
    ended(driver, signal.SIGINT)
    (line,) = folder.said().splitlines()
    assert line.startswith("interrupted; nothing is lost, go on with: ")


def test_a_signal_while_ray_starts_is_no_traceback_and_no_trial(folder: Folder) -> None:
    driver = folder.start()
    wait_until(lambda: "starting Ray" in folder.said())
    ended(driver, signal.SIGINT)
    said = folder.said()
    assert "Traceback" not in said
    assert not re.search(r"^trial \d", said, re.MULTILINE)
    assert said.splitlines()[-1].startswith("interrupted; nothing is lost, go on with: ")


def test_a_signal_while_the_report_is_written_is_no_failed_report_and_the_front_is_told_already(folder: Folder) -> None:
    folder.write(budget={"trials": 1})
    driver = folder.start()
    wait_until(lambda: writing(driver) is not None)
    ended(driver, signal.SIGTERM)
    said = folder.said()
    assert "there is no report" not in said
    assert "front of" in said
    assert "take one with you" not in said
    assert re.search(r"^interrupted; nothing is lost, go on with: ", said, re.MULTILINE)


def writing(driver: "subprocess.Popen[str]") -> "psutil.Process | None":
    """Return the process that writes the report."""
    try:
        children = psutil.Process(driver.pid).children()
        return next((each for each in children if "dashboards.publish" in each.cmdline()), None)
    except psutil.Error:
        return None
