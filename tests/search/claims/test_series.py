"""Trainings are kept as they end; a process that dies is started again, and blamed on a training the second time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from search.claims.plan import Plan, Run
from search.claims.series import Series, values
from search.core.claims import Training
from search.core.processes import Ended
from spaces.errors import StudyError
from workers.measurement import Measurement

PlanOf = Callable[..., Plan]
MACHINE = {"machine": {"device": "a processor"}}


def epoch(number: int, accuracy: float = 0.5) -> dict[str, Any]:
    metrics = {"accuracy": accuracy, "train_loss": 1.0}
    return Measurement(epoch=number, metrics=metrics, train_s=number, eval_s=1.0).to_json()


@pytest.fixture
def runs(plan_of: PlanOf) -> list[Run]:
    return list(plan_of("plain-is-worse-deep", seeds=1).runs.values())


class Scripted(Series):
    """Says what it was given instead of starting a process."""

    def script(self, *processes: list[Mapping[str, Any]]) -> "Scripted":
        self.processes = list(processes)
        self.asked: list[list[str]] = []
        return self

    def said(self, job: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        self.asked.append([each["key"] for each in job["trainings"]])
        yield from self.processes.pop(0)


def series(plan_images: Any, folder: Path, *processes: list[Mapping[str, Any]]) -> Scripted:
    return Scripted(images=plan_images, folder=folder).script(*processes)


def heard(told: Scripted, runs: Sequence[Run], **given: Any) -> tuple[bool, list[Training]]:
    ended = list[Training]()
    over = told.train(runs, lambda _run, _measured, end: ended.append(end) if end else None, **given)
    return over, ended


def finished(run: Run) -> list[Mapping[str, Any]]:
    return [
        {"key": run.key, "epoch": epoch(1, 0.4)}, {"key": run.key, "epoch": epoch(2, 0.8)},
        {"key": run.key, "read": {"train_error": 0.1}},
    ]  # fmt: skip


def test_each_training_is_told_as_it_ends_and_its_checkpoint_goes(
    plan_of: PlanOf, runs: list[Run], tmp_path: Path
) -> None:
    kept = [
        tmp_path / f"{start}{runs[0].key}{end}" for start, end in (("", ".pt"), ("", ".before.pt"), (".", ".pt.host.7"))
    ]
    for each in kept:
        each.touch()
    told = series(
        plan_of().images, tmp_path, [MACHINE, *finished(runs[0]), {"key": runs[1].key, "failed": "no memory"}]
    )
    over, (first, second) = heard(told, runs)
    assert over
    assert (first.values["error"], first.values["train_error"]) == (pytest.approx(0.2), 0.1)
    assert (first.seconds, first.machine, first.failure) == (5.0, {"device": "a processor"}, "")
    assert (second.failure, dict(second.values)) == ("no memory", {})
    assert not any(each.exists() for each in kept)


def test_a_process_that_died_is_started_again_with_what_is_left(
    plan_of: PlanOf, runs: list[Run], tmp_path: Path
) -> None:
    died = [*finished(runs[0]), {"key": runs[1].key, "epoch": epoch(1)}, {"died": 9}]
    told = series(plan_of().images, tmp_path, died, finished(runs[1]))
    over, ended = heard(told, runs)
    assert over
    assert [each.failure for each in ended] == ["", ""]
    assert told.asked == [[runs[0].key, runs[1].key], [runs[1].key]]


def test_the_second_death_is_the_trainings_own(plan_of: PlanOf, runs: list[Run], tmp_path: Path) -> None:
    told = series(plan_of().images, tmp_path, [{"died": 11}], [{"died": 11}], finished(runs[1]))
    over, ended = heard(told, runs)
    assert over
    assert [each.failure for each in ended] == ["the process that trained it was ended, twice", ""]


def test_a_process_that_does_nothing_is_not_started_for_ever(plan_of: PlanOf, runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="without a word"):
        heard(series(plan_of().images, tmp_path, [MACHINE]), runs)


def test_the_time_that_is_spent_leaves_the_rest(plan_of: PlanOf, runs: list[Run], tmp_path: Path) -> None:
    told = series(plan_of().images, tmp_path, [*finished(runs[0]), *finished(runs[1])])
    told.clock = iter([0.0, 0.0, 9.0, 9.0, 9.0]).__next__
    over, ended = heard(told, runs, until=5.0)
    assert not over
    assert [each.network for each in ended] == [runs[0].network]


@pytest.mark.parametrize(("signal", "told"), [(9, [{"died": 9}]), (0, None)])
def test_a_signal_is_a_death_and_any_other_end_a_failure(
    signal: int, told: list[Any] | None, plan_of: PlanOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_given: Any, **_more: Any) -> Iterator[Any]:
        raise Ended("no room", signal)
        yield

    monkeypatch.setattr("search.claims.series.lines_of", ended)
    said = Series(images=plan_of().images, folder=tmp_path).said({})
    if told:
        assert list(said) == told
    else:
        with pytest.raises(StudyError, match="the trainings ended: no room"):
            list(said)


def test_the_time_of_an_epoch_leaves_the_first_out() -> None:
    times = (9.0, 1.0, 3.0, 2.0)
    measured = [
        Measurement(epoch=place, metrics={"accuracy": place / 10, "train_loss": 1 / place}, train_s=took, eval_s=0)
        for place, took in enumerate(times, start=1)
    ]
    found = values(measured)
    assert (found["train_s"], found["train_loss"]) == (2.0, 0.25)
    assert (found["error"], found["half_error"]) == (pytest.approx(0.6), pytest.approx(0.8))
