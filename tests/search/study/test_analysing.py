"""An analysis is computed by a process that ends with the call, and what it complains of is one line."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from search.study.analysing import computed
from spaces.errors import InputError, StudyError

JOB = {"kind": "filters", "settings": {}, "networks": [], "data": {"name": "digits"}, "fingerprint": "", "packages": {},
       "device": "auto"}  # fmt: skip


def test_what_the_process_refuses_is_refused_here() -> None:
    with pytest.raises(InputError, match="unknown analysis 'filter'"):
        computed({**JOB, "kind": "filter"}, ())


class Process:
    """Stand for a process that ends in some way."""

    def __init__(self, code: int, ends: type[BaseException] | None = None, said: str = "") -> None:
        self.returncode = code
        self.killed = False
        self._ends, self._said = ends, said

    def __call__(self, *_given: Any, **how: Any) -> "Process":
        self.environment = how["env"]
        return self

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_how: object) -> None:
        """Leave nothing open."""

    @property
    def stdout(self) -> Iterator[str]:
        yield from self._said.splitlines(keepends=True)
        if self._ends:
            raise self._ends

    def wait(self) -> None:
        """Have ended already."""

    def kill(self) -> None:
        self.killed = True


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (-9, StudyError, "was ended by signal 9"),
        (1, StudyError, "the analysis was not computed: exit code 1"),
        (130, KeyboardInterrupt, "^$"),
    ],
)
def test_a_process_that_ends_early_has_computed_nothing(
    code: int, error: type[BaseException], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", Process(code))
    with pytest.raises(error, match=said):
        computed(JOB, ())


def test_an_interrupt_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(0, KeyboardInterrupt)
    monkeypatch.setattr(subprocess, "Popen", process)
    with pytest.raises(KeyboardInterrupt):
        computed(JOB, ())
    assert process.killed


def test_the_process_does_not_see_where_the_database_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OF_MINE", "postgresql://someone:secret@host/db")
    process = Process(0)
    monkeypatch.setattr(subprocess, "Popen", process)
    assert computed(JOB, {"DATABASE_OF_MINE"}) == []
    assert "DATABASE_OF_MINE" not in process.environment


def test_lines_are_heard_as_they_come_and_progress_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    said = '{"progress": "points", "done": 1, "of": 2}\n{"what": "point"}\n{"machine": {}}\n{"what": "po'
    monkeypatch.setattr(subprocess, "Popen", Process(0, said=said))
    heard = list[dict[str, Any]]()
    assert computed(JOB, (), heard.append) == [{"what": "point"}, {"machine": {}}]
    assert [sorted(line) for line in heard] == [["done", "of", "progress"], ["what"], ["machine"]]
