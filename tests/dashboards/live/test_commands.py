"""A page starts a command of a fixed form, one at a time, tells how it ends, and leaves none behind."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dashboards.live import commands
from dashboards.live.commands import Commands, safe
from spaces.errors import InputError, StudyError

SECRET = "postgresql+psycopg://me:s3cr3t@host/db"
GUARD_S = 60.0  # that only keeps a test from hanging
COMMAND = """
import os, pathlib, sys, time
print("argv", *sys.argv[1:])
print("storage", os.environ["WIDEFRONT_STORAGE"], "token" if "A_TOKEN" in os.environ else "no token")
text = sys.stdin.read()
if text:
    print("error: depth is", text, file=sys.stderr)
    sys.exit(text.count("x"))
while not pathlib.Path("go").exists():
    time.sleep(0.01)
print("\\033[31mlast of ${WIDEFRONT_STORAGE}")
sys.exit(int(pathlib.Path("go").read_text()))
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Give the commands of a page, in whose place another runs until a file `go` has its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_TOKEN", "x")
    (tmp_path / "command.py").write_text(COMMAND)
    monkeypatch.setattr(commands, "RUN", (sys.executable, "command.py"))
    found = Commands(SECRET, written="URL", without=("A_TOKEN",))
    yield found
    found.close()


def until(made: Commands, holds: Callable[[Mapping[str, Any]], object]) -> Mapping[str, Any]:
    began = time.monotonic()
    while not holds(told := made.told()) and time.monotonic() - began < GUARD_S:
        time.sleep(0.01)
    return told


def arguments(made: Commands) -> list[str]:
    """Return what the command that runs was given after the Python that runs it."""
    assert made._running is not None
    assert isinstance(made._running.process.args, list)
    return [str(each) for each in made._running.process.args[2:]]


def test_a_command_is_given_numbers_and_a_known_name_and_the_address_by_the_environment(
    made: Commands, tmp_path: Path
) -> None:
    assert made.start("export", "digits", 18) == "export of trial 18"
    folder = str(tmp_path / "export-digits-18")
    expected = ["search.export", "${WIDEFRONT_STORAGE}", "--study=digits", "--trial", "18", "-o", folder]
    assert arguments(made) == expected
    assert until(made, lambda told: "storage" in told["line"])["line"] == f"storage {SECRET} no token"


def test_one_runs_at_a_time_and_in_the_end_its_exit_code_last_line_and_folder_are_told(
    made: Commands, tmp_path: Path
) -> None:
    made.start("export", "digits", 18)
    assert made.told()["code"] is None
    with pytest.raises(InputError, match="the export of trial 18 is running, and one runs at a time"):
        made.start("confirm", "digits", 3)
    (tmp_path / "go").write_text("0")
    ended = {"what": "export of trial 18", "code": 0, "line": r"\x1b[31mlast of URL"}
    assert until(made, lambda told: told["code"] is not None) == {**ended, "folder": str(tmp_path / "export-digits-18")}
    (tmp_path / "go").write_text("2")
    made.start("confirm", "--debug", 3)
    assert arguments(made) == ["search.confirm", "${WIDEFRONT_STORAGE}", "--study=--debug", "--trials", "3"]
    told = until(made, lambda told: told["code"] is not None)
    assert (told["what"], told["code"], told["folder"]) == ("confirmation of trial 3", 2, "")


def test_what_runs_ends_with_the_server_and_nothing_begins_after(made: Commands) -> None:
    made.start("confirm", "digits", 3)
    assert made._running is not None
    process = made._running.process
    assert os.getsid(process.pid) == process.pid
    made.close()
    assert process.poll() == -15
    with pytest.raises(StudyError, match="this page's server ends"):
        made.start("confirm", "digits", 3)


def test_what_heeds_no_signal_is_ended_by_force(
    made: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "END_S", 0.1)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    (tmp_path / "command.py").write_text(f"{deaf}; print('deaf', flush=True); signal.pause()")
    made.start("confirm", "digits", 3)
    assert made._running is not None
    until(made, lambda told: told["line"] == "deaf")
    made.close()
    assert made._running.process.poll() == -9


def test_values_go_by_standard_input_and_what_is_wrong_with_them_is_one_line(made: Commands) -> None:
    with pytest.raises(InputError, match=r"^depth is xx\\ud800|^depth is xx\?$"):
        made.train("digits", "xx\ud800", "the page")
    with pytest.raises(StudyError, match=r"^depth is x$"):
        made.train("digits", "x", "the page")


def test_values_are_checked_for_so_long_and_then_for_the_next(
    made: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(commands, "CHECK_S", 0.2)
    (tmp_path / "command.py").write_text("import time; time.sleep(600)")
    for _ in range(2):
        with pytest.raises(StudyError, match="could not be checked within"):
            made.train("digits", "depth: 3", "the page")


def test_every_study_has_a_folders_name_of_its_own() -> None:
    names = ["digits-front", "Digits-Front", "digits front", "../../etc", "..", "", "$(x)", "a/b", "x" * 300, "\ud800é"]
    found = [safe(name) for name in names]
    assert found[0] == "digits-front"
    assert len(set(found)) == len(names)
    assert all(each and each.replace("-", "").replace("_", "").isalnum() and len(each) < 80 for each in found)
