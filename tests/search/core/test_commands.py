"""Commands that are printed run as they are printed."""

import shlex
import sys

import pytest

from search.core.commands import command


@pytest.mark.parametrize("name", ["python", ".venv/bin/python", "/opt/my tools/python3.11"])
def test_a_command_names_python_as_it_was_named_and_quotes_what_needs_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "orig_argv", [name, "-m", "search.launch", "x"])
    line = command("search.launch", "my space.yaml", "--set", "start=[wrn-16-1, $x]")
    assert shlex.split(line) == [name, "-m", "search.launch", "my space.yaml", "--set", "start=[wrn-16-1, $x]"]


def test_where_no_python_was_named_it_is_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/pytest"])
    assert command("search.front") == "python -m search.front"
