"""A job is done by a process that ends with whoever reads it; how it ended is told, and half a line says nothing."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search.core.interrupts import interrupts
from search.core.processes import Ended, check, line, lines_of
from spaces.errors import InputError, StudyError


def test_a_line_that_was_broken_off_or_that_a_library_has_printed_says_nothing() -> None:
    assert line('{"key": "a", "epo') is None
    assert line('{"key": 3}') is None  # whole by chance
    assert line("Downloading 100%\n") is None
    assert line("3\n") is None
    assert line('{"key": 3}\n') == {"key": 3}


@pytest.mark.parametrize(("code", "error"), [(2, InputError), (1, StudyError), (130, KeyboardInterrupt)])
def test_how_a_process_ended_is_told(code: int, error: type[BaseException]) -> None:
    with pytest.raises(error, match=None if code == 130 else "no such folder"):
        check(code, "no such folder")
    check(0, "a warning of a library")


def test_a_signal_is_known_by_its_number() -> None:
    with pytest.raises(Ended, match="was ended by signal 9") as raised:
        check(-9, "")
    assert raised.value.signal == 9


class Process:
    """Stand for a process that says two lines and would go on."""

    returncode = 0
    stdout: Iterator[str] = iter(['{"first": 1}\n', '{"second": 2}\n'])
    killed = False

    def __call__(self, words: list[str], **_how: Any) -> "Process":
        self.words = words
        return self

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_how: object) -> None:
        """Leave nothing open."""

    def kill(self) -> None:
        self.killed = True


def test_whoever_stops_reading_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    monkeypatch.setattr(subprocess, "Popen", process)
    said = lines_of("workers.series", {}, arguments=("--threads", "1"))
    assert next(said) == {"first": 1}
    assert not process.killed
    said.close()
    assert process.killed
    assert process.words[1:3] == ["-m", "workers.series"]
    assert process.words[-2:] == ["--threads", "1"]


RAW = """
import json, os, sys
os.write(1, b"caf\\xe9 of a library\\n")
print(json.dumps({"job": json.load(open(sys.argv[1]))}))
"""


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a module that prints what is no UTF-8, then its job."""
    (tmp_path / "raw_words.py").write_text(RAW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "raw_words"


def test_what_a_library_prints_may_be_no_text(raw: str) -> None:
    assert list(lines_of(raw, {"a": 1})) == [{"job": {"a": 1}}]


def test_a_signal_that_ends_the_reader_leaves_no_job_behind(
    raw: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said = lines_of(raw, {})
    next(said)
    assert list(tmp_path.glob("widefront-*"))
    for call in reversed(interrupts._last):  # as `Interrupts.end` does, which lets no `with` come to its end
        call()
    assert not list(tmp_path.glob("widefront-*"))
    said.close()
