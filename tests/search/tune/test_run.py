"""Ray starts on a busy machine and below long paths, and says in one line where it does not."""

import os
from typing import Any

import pytest

from search.tune import run
from spaces.errors import StudyError


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Give what Ray is started with; nothing starts."""
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(run, "_init", lambda _address, _verbose, **options: made.append(options))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return made


def failing(monkeypatch: pytest.MonkeyPatch, times: int, error: Exception) -> list[dict[str, Any]]:
    """Let Ray fail to start so many times; return what it was given at each start."""
    starts: list[dict[str, Any]] = []

    def init(*_given: Any, **options: Any) -> None:
        starts.append(options)
        if len(starts) <= times:
            raise error

    monkeypatch.setattr(run, "_init", init)
    return starts


def test_where_rays_processes_miss_each_other_it_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = failing(monkeypatch, 2, Exception("Head node temp_dir not found in NodeInfo"))
    run.start(None, verbose=False)
    assert ["_system_config" in each for each in starts] == [True, True, False]  # a version may not know its names


@pytest.mark.parametrize(
    ("error", "starts", "line"),
    [
        (Exception("The current node timed out\nduring startup"), 3, "cannot start Ray: The current node timed out"),
        (RuntimeError(""), 3, "cannot start Ray: RuntimeError"),
        (OSError(28, "No space left on device"), 1, "cannot start Ray: [Errno 28] No space left on device"),
    ],
)
def test_whatever_ray_raises_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, starts: int, line: str
) -> None:
    counted = failing(monkeypatch, 9, error)
    with pytest.raises(StudyError) as refused:
        run.start(None, verbose=False)
    assert (str(refused.value), len(counted)) == (line, starts)


def test_a_cluster_that_does_not_answer_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = failing(monkeypatch, 9, ConnectionError("nobody there"))
    with pytest.raises(StudyError, match=r"cannot reach Ray at 10\.0\.0\.1:6379: nobody there"):
        run.start("10.0.0.1:6379", verbose=False)
    assert len(starts) == 1


def test_sockets_go_where_their_paths_are_short_enough(
    begun: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, given in (("/tmp", None), ("/scratch/" + "x" * 60, "/tmp/ray"), ("/tmp/" + "ä" * 30, "/tmp/ray")):
        monkeypatch.setenv("TMPDIR", folder)
        run.start(None, verbose=False)
        assert begun[-1].get("_temp_dir") == given


def test_a_place_that_was_asked_for_and_is_too_long_is_refused(
    begun: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/scratch/" + "x" * 60)
    with pytest.raises(StudyError, match=r"RAY_TMPDIR has 69 bytes, and sockets take at most 3\d"):
        run.start(None, verbose=False)
    assert not begun


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_workers_here_sleep_while_they_wait_unless_a_person_says_otherwise(
    begun: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, given: str | None, kept: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    run.start(None, verbose=False)
    assert os.environ["OMP_WAIT_POLICY"] == kept
    assert len(begun) == 1


def test_a_clusters_own_threads_wait_as_it_says(begun: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    run.start("10.0.0.1:6379", verbose=False)
    assert "OMP_WAIT_POLICY" not in os.environ
    assert "OMP_WAIT_POLICY" not in begun[0]["runtime_env"]["env_vars"]
