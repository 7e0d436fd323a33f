"""Ray starts on a busy machine and below long paths, and says in one line where it does not."""

import os
from typing import Any

import pytest
from ray._private import parameter as ray_parameter

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


def failing(monkeypatch: pytest.MonkeyPatch, times: int, error: Exception) -> list[int]:
    """Let Ray fail to start so many times; return what counts the starts."""
    starts: list[int] = []

    def init(*_given: Any, **_options: Any) -> None:
        starts.append(1)
        if len(starts) <= times:
            raise error

    monkeypatch.setattr(run, "_init", init)
    return starts


def test_where_rays_processes_miss_each_other_it_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = failing(monkeypatch, 2, Exception("Head node temp_dir not found in NodeInfo"))
    run.start(None, verbose=False)
    assert len(starts) == 3


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


@pytest.mark.parametrize("logs", [False, True])
def test_ray_is_told_to_start_nothing_that_a_machine_by_itself_does_not_need(logs: bool) -> None:
    with run._spared(logs=logs):
        made = ray_parameter.RayParams(num_cpus=1)
    assert (made.no_monitor, made.include_log_monitor, made.num_cpus) == (True, logs, 1)
    assert not ray_parameter.RayParams().no_monitor


def test_where_ray_keeps_its_parameters_elsewhere_it_starts_as_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ray_parameter, "RayParams")
    with run._spared(logs=False):
        assert not hasattr(ray_parameter, "RayParams")
    assert not hasattr(ray_parameter, "RayParams")
