"""The process that measures: asked in turn, begun anew where it has died, ended with whoever asks."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from search.devices.bench import Bench, Unmeasured
from spaces.architecture import Architecture, ImageSpec
from workers.command import Command, Request


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


def asked(body: str, **how: object) -> Request:
    words = f"{sys.executable} -c '{body}' {{digest}}"
    command = Command(text=words, tries=1, **how)  # type: ignore[arg-type]
    return Request(command=command, architecture=Architecture(), image=ImageSpec(channels=1, height=8, width=8))


def test_answers_come_in_turn_and_a_failure_is_a_line() -> None:
    with Bench(os.environ) as bench:
        found = [
            bench.ask(asked(body, device="pi")) for body in ("print(1)", 'import sys; sys.exit("busy")', "print(3)")
        ]
        assert found[0].result(120).value == 1
        with pytest.raises(Unmeasured, match="ended with exit code 1: busy"):
            found[1].result(120)
        assert found[2].result(120).value == 3


def test_a_command_sees_the_environment_that_the_bench_was_given() -> None:
    with Bench({**os.environ, "OHMS": "47"}) as bench:
        assert bench.ask(asked('import os; print(os.environ["OHMS"])')).result(120).value == 47


def test_one_that_has_died_is_begun_again() -> None:
    with Bench(os.environ) as bench:
        dying = bench.ask(asked("import os, signal; os.kill(os.getppid(), signal.SIGKILL)"))
        with pytest.raises(Unmeasured, match="what runs it has died"):
            dying.result(120)
        assert bench.ask(asked("print(2)")).result(120).value == 2


def test_the_end_ends_what_runs_and_what_waits() -> None:
    before = children()  # of other tests in this process
    with Bench(os.environ) as bench:
        runs = bench.ask(asked("import time; time.sleep(1000)", device="pi"))
        waits = bench.ask(asked("print(1)", device="pi"))
        while not any("sleep(1000)" in command_of(each) for each in children()):
            time.sleep(0.05)
        began = [each for each in children() if each not in before]
    assert not psutil.wait_procs(began, timeout=60)[1]
    assert waits.cancelled() or waits.exception(60)
    assert isinstance(runs.exception(60), Unmeasured)


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def command_of(process: psutil.Process) -> str:
    with suppress(psutil.Error):  # it may have ended
        return " ".join(process.cmdline())
    return ""
