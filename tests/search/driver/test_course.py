"""The end of a study: its front is told, then its report is written, whoever reads by then."""

import io
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from search.config.study import load
from search.driver import course
from tests.search.driver.test_screen import terminal

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("failure", [BrokenPipeError(), OSError(28, "No space left on device")])
def test_the_report_is_written_where_nobody_can_be_told_the_front(
    monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    def unread(*_given: object) -> None:
        raise failure

    written: list[Path] = []
    running = SimpleNamespace(over=True, trials={}, record=None)
    monkeypatch.setattr(course, "run", lambda *_given, **_more: running)
    monkeypatch.setattr(course, "assessed", lambda _study, trials: trials)
    monkeypatch.setattr(course, "show_found", unread)
    monkeypatch.setattr(course, "publish", lambda _url, _study, path, *_given, **_more: written.append(path))
    given = Namespace(
        page=False, page_port=None, address=None, verbose=False, share=False, sqlite_on_driver=False, grow=False,
        no_report=False, report=Path("report.html"),
    )  # fmt: skip
    with pytest.raises(type(failure)):
        course.follow(given, load(ROOT / "space.yaml"), Console(file=io.StringIO()), None)  # type: ignore[arg-type]
    assert written == [Path("report.html")]


def test_why_there_is_no_report_is_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    console, file = terminal()
    monkeypatch.setattr("sys.stderr", file)
    config = load(ROOT / "space.yaml", [f"storage=sqlite:///{tmp_path}/none.db"])
    given = Namespace(no_report=False, report=tmp_path / "report.html")
    assert course._report(given, config, console) is None
    assert file.getvalue().startswith("writing the report\r\x1b[2Kwarning: there is no report: ")
