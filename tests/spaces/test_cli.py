"""Every command ends alike: one line on stderr, an exit code, and no complaint where nobody reads."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from spaces import cli
from spaces.errors import InputError, StudyError, TrialFailure

COMMANDS = (
    "search.launch", "search.front", "search.export", "search.doctor", "search.simulate", "search.submit",
    "search.schema",
    "dashboards.report", "dashboards.replays", "workers.train", "workers.measure", "workers.probe", "spaces.describe",
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    made.add_argument("--debug", action="store_true")
    return made


def ended(error: BaseException | None, *argv: str, code: int = 0) -> int:
    def act(_given: argparse.Namespace) -> int:
        if error is not None:
            raise error
        return code

    return cli.run(parser(), argv, act, shown=lambda line: line.replace("secret", "***"))


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (None, 0, ""),
        (InputError("is wrong", place="space.depth"), 2, "error: space.depth: is wrong\n"),
        (StudyError("the secret is out"), 1, "error: the *** is out\n"),
        (TrialFailure("not-finite", "the loss is nan"), 1, "error: not-finite: the loss is nan\n"),
        (OSError(28, "No space left on device", "/a/b"), 1, "error: /a/b: No space left on device\n"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device\n"),
        (OSError("a driver's own\nwords"), 1, "error: a driver's own\n"),
        (OSError(), 1, "error: OSError\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_what_goes_wrong_is_a_line_and_a_code(
    capsys: pytest.CaptureFixture[str], error: BaseException | None, code: int, line: str
) -> None:
    assert ended(error) == code
    assert capsys.readouterr().err == line


def test_with_debug_an_error_is_raised_as_it_is() -> None:
    with pytest.raises(StudyError):
        ended(StudyError("x"), "--debug")


def test_a_command_that_says_it_was_interrupted_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(None, code=130) == 130
    assert capsys.readouterr().err == "interrupted\n"


PIPED = "from spaces import cli; import argparse, sys; sys.exit(cli.run(argparse.ArgumentParser(), [], lambda _: {}))"


@pytest.mark.parametrize("act", ["print('x' * 1_000_000) or 0", "print('x') or 0"])
def test_where_nobody_reads_any_more_nothing_is_complained_of(act: str) -> None:
    command = f'{sys.executable} -c "{PIPED.format(act)}"'
    piped = f"set -o pipefail; (sleep .3; {command}; echo $? >&2) | true"
    done = subprocess.run(["bash", "-c", piped], check=False, capture_output=True, text=True)
    assert done.stderr == "141\n"


def test_a_pipe_that_is_not_the_outputs_is_an_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(BrokenPipeError(32, "Broken pipe")) == 1
    assert capsys.readouterr().err == "error: Broken pipe\n"
    with pytest.raises(BrokenPipeError):
        ended(BrokenPipeError(), "--debug")


def run_with(act: str, **streams: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PIPED.format(act)], check=False, text=True, **streams)


BREAK = "exec('import os; r, w = os.pipe(); os.close(r); os.write(w, bytes(1))')"  # a pipe of the command's own


def test_where_output_is_read_another_pipe_is_an_error() -> None:
    done = run_with(BREAK, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: Broken pipe\n")


@pytest.fixture
def unread() -> Iterator[int]:
    """Give a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("act", ["print('x', file=sys.stderr) or 0", "sys.stderr.write('x' * 99_999) and 0"])
def test_a_command_whose_errors_nobody_reads_ends_as_one_whose_output_nobody_reads(act: str, unread: int) -> None:
    assert run_with(act, stdout=subprocess.PIPE, stderr=unread).returncode == 141


def test_an_error_that_nobody_reads_has_its_code(unread: int) -> None:
    assert run_with("exec('raise OSError(28)')", stdout=subprocess.PIPE, stderr=unread).returncode == 1


WORKS = "from spaces import cli; import time; cli.end_unread(); print('begun', flush=True); time.sleep(600)"


def test_what_works_for_another_ends_with_its_reader_in_the_midst_of_its_work() -> None:
    with subprocess.Popen([sys.executable, "-c", WORKS], stdout=subprocess.PIPE, text=True) as works:
        assert works.stdout is not None
        assert works.stdout.readline() == "begun\n"
        with pytest.raises(subprocess.TimeoutExpired):
            works.wait(0.3)
        works.stdout.close()
        assert works.wait(30) == 141


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_this_front(command: str) -> None:
    """Its own way of ending would have an own line, an own code, and a traceback somewhere."""
    source = __import__(command, fromlist=["main"]).__file__
    with open(source, encoding="utf-8") as file:  # noqa: PTH123
        text = file.read()
    assert "cli.run(" in text
    assert "except WidefrontError" not in text
