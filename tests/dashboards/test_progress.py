"""Hypervolume grows with trials at full fidelity alone, in the order in which they ended."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboards import progress
from dashboards.frames import StudyView
from search.core.fronts import front_hypervolume
from search.core.records import State
from tests import factories


@pytest.fixture
def small() -> StudyView:
    """Return a study in which trial 1 ended before trial 0. An epoch takes 0.375 s."""
    slow = factories.complete(0, (0.5, 0.9), macs=1_000_000)
    trials = (
        replace(slow, ended_at=slow.ended_at + timedelta(hours=1)),
        factories.complete(1, (0.5, 0.8), macs=1_000_000),
        factories.trial(2, (0.5,), macs=1_000_000, state=State.STOPPED),
        factories.trial(3, (0.9, 0.9), state=State.RUNNING),
    )
    return StudyView(study=factories.study(bounds={"macs": (1e5, 1e9)}), trials=trials)


def test_trials_count_when_they_end(small: StudyView) -> None:
    grown = progress.info(small)
    assert grown.numbers == (1, 2, 0)
    assert grown.seconds == pytest.approx((0.75, 1.125, 1.875))


def test_hypervolume_is_that_of_the_trials_so_far(small: StudyView) -> None:
    alone, both = (front_hypervolume(small.study, trials) for trials in (small.trials[1:2], small.trials[:2]))
    assert progress.info(small).hypervolumes == pytest.approx((alone, alone, both))
    # (1 - error / chance error) (1 - log macs / their range), macs 1e6 between 1e5 and 1e9
    assert alone == pytest.approx((1 - 0.2 / 0.9) * 0.75)


def test_hypervolume_never_falls_and_ends_at_the_studys(view: StudyView) -> None:
    volumes = progress.info(view).hypervolumes
    assert list(volumes) == sorted(volumes)
    assert volumes[-1] == pytest.approx(view.hypervolume)


def test_a_trial_whose_end_is_unknown_comes_last() -> None:
    trials = (factories.complete(0, (0.5,), ended_at=None), factories.complete(1, (0.5,)))
    assert progress.info(StudyView(study=factories.study(), trials=trials)).numbers == (1, 0)


def test_at_first_all_is_missing_and_at_last_nothing(small: StudyView) -> None:
    line = progress.figure(progress.info(small)).data[0]
    assert (list(line.x), line.y[0], line.line.shape) == ([0, 1, 2, 3], 1.0, "hv")
    alone, both = progress.info(small).hypervolumes[1:]
    assert list(line.y[1:3]) == pytest.approx([1 - alone / both] * 2)
    assert line.y[3] is None  # nothing is missing, which has no logarithm


def test_axes_have_units(small: StudyView) -> None:
    grown = progress.info(small)
    trials, seconds = progress.figure(grown, "trials").layout, progress.figure(grown, "seconds").layout
    assert trials.xaxis.title.text == "trials finished (count)"
    assert seconds.xaxis.title.text == "training time, summed over workers (s)"
    assert trials.yaxis.title.text == "missing of the last hypervolume (%)"


def test_a_long_study_is_shown_in_hours(small: StudyView) -> None:
    grown = replace(progress.info(small), seconds=(3600.0, 7200.0, 10800.0))
    figure = progress.figure(grown, "seconds")
    assert list(figure.data[0].x) == [0, 1, 2, 3]
    assert figure.layout.xaxis.title.text.endswith("(h)")


def test_a_study_in_which_nothing_ended_says_so() -> None:
    view = StudyView(study=factories.study(), trials=(factories.trial(0, (0.5,), state=State.RUNNING),))
    assert "No trial has ended" in progress.figure(progress.info(view)).layout.annotations[0].text
