"""Ctrl-C while a command imports what it needs is one line; in a person's own program it is what it always was."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ["spaces.describe", "workers.train", "search.analyse", "search.simulate", "dashboards.report"]
SITE = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":  # imported by all of them, in the midst of their own imports
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
"""


def ended(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python, interrupted where numpy is imported."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True, env=env)


@pytest.mark.parametrize("module", COMMANDS)
def test_a_command_that_is_interrupted_while_it_imports_says_one_line(tmp_path: Path, module: str) -> None:
    done = ended(tmp_path, "-m", module, "--help")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "interrupted\n")


def test_a_program_of_a_persons_own_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import search, numpy\n")
    for command in (["-c", "import search, numpy"], ["own.py"], ["-m", "own"]):
        done = ended(tmp_path, *[str(tmp_path / each) if each == "own.py" else each for each in command])
        assert done.returncode == -signal.SIGINT
        assert "KeyboardInterrupt" in done.stderr


def test_a_program_whose_package_imports_ours_keeps_what_it_does_with_errors(tmp_path: Path) -> None:
    hook = "import sys; sys.excepthook = lambda *_: print('own hook', file=sys.stderr)"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text(f"{hook}\nimport search\n")
    (tmp_path / "own" / "work.py").write_text("raise ValueError('x')\n")
    for command in (["-m", "own.work", "-m", "search"], ["-mown.work"]):
        assert ended(tmp_path, *command).stderr == "own hook\n"


def test_other_errors_while_a_command_imports_are_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('broken')\n")
    done = subprocess.run(
        [sys.executable, "-m", "workers.train", "--help"], check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])},
    )  # fmt: skip
    assert "ImportError: broken" in done.stderr
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("closed", "code", "out", "err"),
    [
        (">&-", 0, "", ""),
        ("2>&-", 0, "resnet-8: 8 layers", ""),
        (">&- 2>&-", 0, "", ""),
        ("<&- >&- 2>&-", 0, "", ""),
        ("--no-such 2>&-", 2, "", ""),
    ],
)
def test_what_is_closed_is_no_error_and_its_words_go_nowhere_else(closed: str, code: int, out: str, err: str) -> None:
    command = f"{sys.executable} -m spaces.describe resnet-8 {closed}"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.startswith(out) if out else not done.stdout
    assert done.stderr == err
