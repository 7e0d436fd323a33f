"""The command to go on with, which every interruption prints, tells no password that was typed."""

import pytest

from search import launch
from search.core.interrupts import interrupts
from search.driver import launching

Capture = pytest.CaptureFixture[str]
ADDRESS = "postgresql+psycopg"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (f"{ADDRESS}://ada:s3cret@host/db", f"{ADDRESS}://ada:***@host/db"),
        (f"{ADDRESS}://ada:s3cr@t@host/db", f"{ADDRESS}://ada:***@host/db"),
        (f"{ADDRESS}://ada:s3cr:t/x@host:5432/db", f"{ADDRESS}://ada:***@host:5432/db"),
        (f"{ADDRESS}://:s3cret@host/db", f"{ADDRESS}://:***@host/db"),
        (f"{ADDRESS}://ada@host/db?password=s3cret&port=1", f"{ADDRESS}://ada@host/db?password=***&port=1"),
        (f"{ADDRESS}://ada@host/db?sslpassword=s3cret", f"{ADDRESS}://ada@host/db?sslpassword=***"),
        (f"{ADDRESS}://ada:${{PW}}@host/db?x=1", f"{ADDRESS}://ada:***@host/db?x=1"),
        (f"{ADDRESS}://ada@host:5432/db", f"{ADDRESS}://ada@host:5432/db"),
        ("sqlite:////data/study.db", "sqlite:////data/study.db"),
    ],
)
def test_the_command_to_go_on_with_holds_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, typed: str, told: str
) -> None:
    monkeypatch.setattr(interrupts, "line", interrupts.line)  # which the command sets
    monkeypatch.setattr(launching, "launch", lambda *_: 130)
    assert launch.main(["space.yaml", "--set", f"storage={typed}"]) == 130
    said = capsys.readouterr().err.replace("'", "")
    assert said.startswith("interrupted; nothing is lost, go on with: ")
    assert said.endswith(f" -m search.launch space.yaml --set storage={told}\n")
