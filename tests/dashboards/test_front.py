"""The front is drawn from trials at full fidelity alone, and says what else there was."""

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from dashboards import front
from dashboards.frames import StudyView
from search.core.records import Confirmation, State
from search.models.seeds import Interval
from tests import factories


@pytest.fixture
def small() -> StudyView:
    """Return a study whose front is trials 0 and 2."""
    trials = (
        factories.complete(0, (0.5, 0.80), macs=100_000),
        factories.complete(1, (0.5, 0.70), macs=200_000),
        factories.complete(2, (0.5, 0.90), macs=400_000),
        factories.trial(3, (0.99,), macs=100_000, state=State.STOPPED),
        factories.trial(4, (0.2,), state=State.FAILED),
        factories.trial(5, state=State.RUNNING),
    )
    return StudyView(study=factories.study(), trials=trials)


def drawn(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name.startswith(name))


def test_points_stand_where_their_objectives_are(small: StudyView) -> None:
    plane = front.info(small)
    assert (plane.horizontal, plane.vertical) == ("macs", "accuracy")
    assert [(point.number, point.x, point.y) for point in plane.front] == [(0, 100_000, 0.8), (2, 400_000, 0.9)]
    assert [point.number for point in plane.dominated] == [1]


def test_a_stopped_trial_is_not_on_the_front(small: StudyView) -> None:
    plane = front.info(small)
    assert [(point.number, point.epochs) for point in plane.stopped] == [(3, 1)]
    assert 3 not in {point.number for point in (*plane.front, *plane.edge, *plane.dominated)}


def test_failed_and_running_trials_are_counted_not_drawn(small: StudyView) -> None:
    plane = front.info(small)
    assert (plane.failed, plane.running) == (1, 1)
    assert "not drawn: 1 failed, 1 running or at rest" in front.figure(plane).layout.title.subtitle.text


def test_the_front_is_a_line_of_steps_from_left_to_right(small: StudyView) -> None:
    line = drawn(front.figure(front.info(small)), "on the front")
    assert (line.mode, line.line.shape) == ("lines+markers", "hv")
    assert list(line.x) == [100_000, 400_000]


def test_a_stopped_mark_holds_its_epoch(small: StudyView) -> None:
    marks = drawn(front.figure(front.info(small)), "stopped early, not fully trained")
    assert list(marks.text) == ["1"]
    assert marks.marker.symbol != drawn(front.figure(front.info(small)), "fully trained").marker.symbol


def test_many_stopped_marks_lose_their_labels(small: StudyView) -> None:
    many = tuple(factories.trial(10 + index, (0.5,), state=State.STOPPED) for index in range(front.MOST_LABELS + 1))
    marks = drawn(front.figure(front.info(replace(small, trials=many))), front.STOPPED)
    assert (marks.mode, marks.text) == ("markers", None)


def test_hovering_shows_the_architecture(small: StudyView) -> None:
    said = drawn(front.figure(front.info(small)), "on the front").hovertext[1]
    for part in (
        "trial 2",
        "2 of 9 epochs",
        "basic, depth 3, k = 1",
        "dropout none",
        "90.00 %",
        "params",
        "activations",
    ):
        assert part in said


def test_axes_have_units(small: StudyView) -> None:
    layout = front.figure(front.info(small)).layout
    assert layout.xaxis.title.text == "multiply-accumulates (count per image)"
    assert layout.yaxis.title.text.startswith("validation accuracy (%")


def test_three_objectives_are_shown_in_pairs_against_the_learned_one(small: StudyView) -> None:
    study = replace(small.study, objectives=("params", "accuracy", "macs"))
    assert front.pairs(replace(small, study=study)) == [("params", "accuracy"), ("macs", "accuracy")]


def test_one_objective_is_shown_against_macs(small: StudyView) -> None:
    assert front.pairs(replace(small, study=replace(small.study, objectives=("loss",)))) == [("macs", "loss")]


def test_a_point_on_the_front_by_another_objective_is_off_the_line() -> None:
    odd = factories.complete(1, (0.8,), macs=200_000)
    odd = replace(odd, cost=replace(odd.cost, params=10))
    trials = (factories.complete(0, (0.9,), macs=100_000), odd)
    view = StudyView(study=factories.study(objectives=("accuracy", "macs", "params")), trials=trials)
    plane = front.info(view, "macs", "accuracy")
    assert {point.number for point in plane.front} == {0, 1}
    assert [point.number for point in plane.edge] == [0]
    assert list(drawn(front.figure(plane), "on the front by another").x) == [200_000]


def test_equal_points_are_both_on_the_line() -> None:
    view = StudyView(
        study=factories.study(),
        trials=tuple(factories.complete(n, (0.9,), macs=10**6) for n in (0, 1)),
    )
    assert [point.number for point in front.info(view).edge] == [0, 1]


def test_a_study_without_measurements_says_so() -> None:
    view = StudyView(study=factories.study(), trials=(factories.trial(0, state=State.RUNNING),))
    figure = front.figure(front.info(view))
    assert len(figure.data) == 0
    assert "No trial" in figure.layout.annotations[0].text


def test_means_over_seeds_have_their_intervals_and_others_are_called_one_run(small: StudyView) -> None:
    known = Confirmation(
        seeds=3, failed=0, intervals={"accuracy": Interval(0.9, 0.85, 0.96)}, deviations={}, on_front=0.9
    )  # fmt: skip
    trials = tuple(replace(t, confirmation=known) if t.number == 2 else t for t in small.trials)
    plane = front.info(replace(small, trials=trials))
    assert [point.ends for point in plane.front] == [None, (0.85, 0.96)]
    drawing = front.figure(plane)
    line = drawn(drawing, "on the front")
    assert line.y[1] == pytest.approx(0.1)  # of an axis of errors, which are greater where the accuracy is less
    assert list(line.error_y.array) == [0, pytest.approx(0.05)]
    assert list(line.error_y.arrayminus) == [0, pytest.approx(0.06)]
    said = drawing.layout.title.subtitle.text
    assert "1 are means over seeds, with intervals of 95 %; the others are one run" in said
    assert "one run" not in front.figure(front.info(small)).layout.title.subtitle.text
