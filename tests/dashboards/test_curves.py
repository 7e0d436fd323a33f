"""Every trial with a measurement has a curve; the rungs are marked."""

import math
from dataclasses import replace

import pytest

from dashboards import curves
from dashboards.frames import StudyView
from search.core.records import State
from tests import factories


@pytest.fixture
def small() -> StudyView:
    """Return a study with one trial of each kind, and one without a measurement."""
    trials = (
        factories.complete(0, (0.3, 0.6), macs=100_000),
        factories.complete(1, (0.3, 0.5), macs=200_000),
        factories.trial(2, (0.2,), state=State.STOPPED),
        factories.trial(3, (0.4,), state=State.RUNNING),
        factories.trial(4, (0.1,), state=State.FAILED),
        factories.trial(5, state=State.RUNNING),
    )
    return StudyView(study=factories.study(), trials=trials)


def test_a_curve_holds_accuracy_by_epoch(small: StudyView) -> None:
    first = curves.info(small).curves[0]
    assert (first.number, first.epochs, first.accuracies) == (0, (1, 2), (0.3, 0.6))


def test_a_curve_knows_what_became_of_its_trial(small: StudyView) -> None:
    kinds = {curve.number: curve.kind for curve in curves.info(small).curves}
    assert kinds == {0: "front", 1: "dominated", 2: "stopped", 3: "running", 4: "failed"}


def test_a_trial_without_measurements_has_no_curve(small: StudyView) -> None:
    assert 5 not in {curve.number for curve in curves.info(small).curves}


def test_a_measurement_that_is_not_finite_is_left_out() -> None:
    trial = factories.trial(0, (0.3, 0.4, 0.5), state=State.FAILED)
    first, second, third = trial.measurements
    trial = replace(trial, measurements=(first, second.showing(accuracy=math.nan), third))
    assert curves.info(StudyView(study=factories.study(), trials=(trial,))).curves[0].epochs == (1, 3)


def test_lines_of_one_kind_do_not_join() -> None:
    trials = tuple(factories.trial(number, (0.3, 0.6), state=State.STOPPED) for number in range(2))
    figure = curves.figure(curves.info(StudyView(study=factories.study(), trials=trials)))
    assert list(figure.data[0].x) == [1, 2, None, 1, 2, None]


def test_the_front_is_drawn_last_and_strongest(small: StudyView) -> None:
    lines = [trace for trace in curves.figure(curves.info(small)).data if trace.mode == "lines"]
    assert lines[-1].legendgroup == "front"
    assert lines[-1].line.width > max(trace.line.width for trace in lines[:-1])


def test_a_stopped_curve_ends_with_a_mark(small: StudyView) -> None:
    (mark,) = [trace for trace in curves.figure(curves.info(small)).data if trace.name == "stopped early"]
    assert (list(mark.x), mark.marker.symbol) == ([1], "square-open")


@pytest.mark.parametrize(("max_epochs", "kind"), [(30, None), (31, "log")])
def test_rungs_are_labelled_where_they_are(small: StudyView, max_epochs: int, kind: str | None) -> None:
    figure = curves.figure(curves.info(replace(small, study=replace(small.study, max_epochs=max_epochs, rungs=(1, 3)))))
    assert [shape.x0 for shape in figure.layout.shapes] == [1, 3]
    assert figure.layout.xaxis.type == kind
    places = [1, 3] if kind is None else [0, math.log10(3)]
    assert [(note.text, note.x) for note in figure.layout.annotations] == [("rung 1", places[0]), ("rung 3", places[1])]


def test_axes_have_units(small: StudyView) -> None:
    layout = curves.figure(curves.info(small)).layout
    assert layout.xaxis.title.text == "epochs trained (count)"
    assert layout.yaxis.title.text.startswith("validation accuracy (%")


def test_a_study_without_measurements_says_so() -> None:
    figure = curves.figure(curves.info(StudyView(study=factories.study())))
    assert len(figure.data) == 0
    assert "No trial" in figure.layout.annotations[0].text
