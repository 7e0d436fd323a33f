"""An analysis is computed by a process that ends with the call, and what it complains of is one line."""

import subprocess
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

    def __init__(self, code: int, ends: type[BaseException] | None = None) -> None:
        self.returncode = code
        self.killed = False
        self._ends = ends

    def __call__(self, *_given: Any, **how: Any) -> "Process":
        self.environment = how["env"]
        return self

    def communicate(self) -> tuple[str, None]:
        if self._ends and not self.killed:
            raise self._ends
        return "", None

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
