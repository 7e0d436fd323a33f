"""What is shown while something lasts is gone when it is over, and what was said meanwhile is not."""

import io
import sys

import pytest
from rich.console import Console

from search.driver.screen import Screen, meanwhile


def terminal() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=60, height=10, color_system=None), file


def test_what_is_being_done_is_said_as_long_as_it_is() -> None:
    console, file = terminal()
    with meanwhile(console, "writing the report"):
        assert file.getvalue() == "writing the report"
    assert file.getvalue() == "writing the report\r\x1b[2K"


def test_what_is_being_done_is_gone_where_it_fails() -> None:
    console, file = terminal()
    with pytest.raises(ValueError, match="no"), meanwhile(console, "writing the report"):
        raise ValueError("no")
    assert file.getvalue().endswith("\r\x1b[2K")


def test_what_is_no_terminal_hears_nothing_of_it() -> None:
    file = io.StringIO()
    with meanwhile(Console(file=file), "writing the report"):
        pass
    assert file.getvalue() == ""


def test_what_others_print_meanwhile_comes_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    console, file = terminal()
    screen = Screen(console)
    screen.start()
    print("a library has something to say")
    print("and more", file=sys.stderr)
    screen.draw("a drawing")
    screen.stop()
    behind = file.getvalue().rpartition("\x1b[?1049l")[2]
    assert behind == "a library has something to say\nand more\n"
    print("as before")
    assert capsys.readouterr().out == "as before\n"


def test_a_long_line_said_meanwhile_is_not_cut() -> None:
    console, file = terminal()
    screen = Screen(console)
    screen.start()
    console.print("warning: " + "x" * 200, soft_wrap=True, markup=False)
    screen.stop()
    assert "warning: " + "x" * 200 + "\n" in file.getvalue()
