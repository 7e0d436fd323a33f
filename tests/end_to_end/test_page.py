"""A launch shows itself on a page that knows what it knows, and that goes when it goes."""

import json
import urllib.request
from typing import Any

import pytest

from tests.end_to_end.conftest import Folder, wait_until
from tests.end_to_end.invariants import check_whole

MANY = 40  # trials, or a fast machine is through with them before a page has paused it

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


def address(folder: Folder) -> str:
    """Return the page's address, without the token behind it."""
    wait_until(lambda: "live page: http" in folder.said())
    (line,) = [line for line in folder.said().splitlines() if line.startswith("live page: ")]
    return line.removeprefix("live page: ").partition("#")[0]


def ask(page: str, folder: Folder, kind: str) -> None:
    """Ask the launch as the page's buttons do."""
    token = folder.said().partition("#token=")[2].split()[0]
    told = json.dumps({"kind": kind, "study": state(page)["study"]["name"]}).encode()
    headers = {"Content-Type": "application/json", "Origin": page.rstrip("/"), "X-Widefront-Token": token}
    with urllib.request.urlopen(urllib.request.Request(f"{page}act", told, headers), timeout=60) as answer:
        assert json.load(answer) == {"said": f"asked: {kind}"}


def state(page: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{page}state", timeout=60) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def is_there(page: str) -> bool:
    try:
        return bool(state(page))
    except OSError:
        return False


def test_a_launch_is_shown_while_it_runs_is_paused_by_its_page_and_ends_with_it(folder: Folder) -> None:
    many = f"budget.trials={MANY}"
    driver = folder.start("--no-report", "--page", "--page-port", "0", "--set", many)
    page = address(folder)
    wait_until(lambda: state(page).get("head", {}).get("epochs", 0) > 2)
    told = state(page)
    assert told["head"]["alive"]
    assert told["head"]["planned"] < MANY * 4  # as its rungs keep a share
    assert not told["head"]["at_most"]
    ask(page, folder, "pause")
    wait_until(lambda: state(page)["head"]["held"] and not state(page)["head"]["workers"])
    ask(page, folder, "resume")
    assert driver.wait(240) == 0, folder.said()
    assert not is_there(page)
    assert "on a page: " in folder.said()
    assert "resume: the study goes on" in folder.said()
    check_whole(folder.url, trials=MANY)


@pytest.mark.very_slow
def test_a_page_goes_with_a_launch_that_is_killed(folder: Folder) -> None:
    driver = folder.start("--no-report", "--page", "--page-port", "0")
    page = address(folder)
    wait_until(lambda: state(page).get("head", {}).get("epochs", 0) > 0)
    driver.kill()
    driver.wait(60)
    wait_until(lambda: not is_there(page), 60)
