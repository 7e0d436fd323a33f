"""What a library writes past Python is not seen, and can be read where something went wrong."""

import os

import pytest

from search.tune import run
from search.tune.hush import hushed
from spaces.errors import StudyError


def test_what_is_written_meanwhile_is_kept_and_what_comes_after_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with hushed() as said:
        os.write(2, b"from C++\n")
        assert said() == "from C++\n"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_with_verbose_all_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with hushed(verbose=True) as said:
        os.write(2, b"from C++\n")
        assert said() == ""
    assert capfd.readouterr().err == "from C++\n"


def test_a_token_that_is_wrong_is_one_line_that_says_token(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def init(*_given: object, **_options: object) -> None:
        os.write(2, 20 * b"gcs_client.cc:210: Unauthenticated: RPC error: InvalidAuthToken: missing or incorrect\n")
        raise ConnectionError("Failed to connect to Ray cluster")

    monkeypatch.setattr(run, "_init", init)
    with pytest.raises(StudyError, match=r"auto asks for a token, and there is no right one here: "):
        run.start("auto", verbose=False)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("mode", "asks"), [("token", True), ("TOKEN", True), ("disabled", False), (None, False)])
def test_a_cluster_that_let_in_a_launch_without_a_token_asks_for_none(
    monkeypatch: pytest.MonkeyPatch, mode: str | None, asks: bool
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    assert run.asks_for_token() is asks
