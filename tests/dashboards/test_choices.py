"""How far from the front fully trained trials are is grouped by what a parameter was in them."""

from dataclasses import replace

import pytest

from dashboards import choices
from dashboards.frames import StudyView
from search.core.records import State
from tests import factories


@pytest.fixture
def small() -> StudyView:
    """Return a study of basic and preact trials, some with dropout."""
    dropped = {"dropout": "between", "dropout_rate": 0.3}
    trials = (
        factories.complete(0, (0.9,), params={"block": "preact", "depth": 1}),
        factories.complete(1, (0.8,), params={"block": "basic", "depth": 2, **dropped}),
        factories.complete(2, (0.7,), params={"block": "basic", "depth": 1, **dropped, "dropout_rate": 0.1}),
        factories.trial(3, (0.6,), params={"block": "bottleneck", "depth": 3}, state=State.STOPPED),
    )
    return StudyView(study=factories.study(), trials=trials)


def test_errors_stand_by_value_in_the_order_of_the_file(small: StudyView) -> None:
    by_block = choices.info(small, "block")
    assert by_block.order == ("basic", "preact")
    assert by_block.of("basic") == pytest.approx((2.0, 3.0))  # times the least error at equal cost
    assert by_block.of("preact") == pytest.approx((1.0,))
    assert by_block.shown == pytest.approx((0.1, 0.2, 0.3))
    assert by_block.of("bottleneck") == ()
    assert by_block.numbers == (0, 1, 2)


def test_trials_without_the_parameter_are_counted(small: StudyView) -> None:
    by_rate = choices.info(small, "dropout_rate")
    assert (by_rate.values, by_rate.without, by_rate.continuous) == ((0.3, 0.1), 1, True)
    assert "does not exist in 1 other" in choices.figure(by_rate).layout.title.subtitle.text


def test_whole_numbers_and_words_are_boxes_and_floats_a_scatter(small: StudyView) -> None:
    kinds = {
        name: choices.figure(choices.info(small, name)).data[0].type for name in ("block", "depth", "dropout_rate")
    }
    assert kinds == {"block": "box", "depth": "box", "dropout_rate": "scatter"}


def test_a_stepped_float_is_boxes(small: StudyView) -> None:
    study = factories.study(space={"dropout_rate": {"float": [0.1, 0.3], "step": 0.1}})
    stepped = choices.info(StudyView(study=study, trials=small.trials), "dropout_rate")
    assert (stepped.continuous, stepped.order) == (False, (0.1, 0.3))


def test_a_wide_float_has_a_log_axis(small: StudyView) -> None:
    rates = (0.01, 0.5)
    params = ({"block": "basic", "depth": 1, "dropout": "head", "dropout_rate": rate} for rate in rates)
    trials = tuple(factories.complete(number, (0.9,), params=each) for number, each in enumerate(params))
    figure = choices.figure(choices.info(StudyView(study=small.study, trials=trials), "dropout_rate"))
    assert figure.layout.xaxis.type == "log"


def test_every_box_says_how_many_trials_it_holds(small: StudyView) -> None:
    axis = choices.figure(choices.info(small, "block")).layout.xaxis
    assert list(axis.ticktext) == ["basic<br>n = 2", "preact<br>n = 1"]


def test_a_few_points_have_no_box(small: StudyView) -> None:
    few = choices.figure(choices.info(small, "block")).data[0]
    many = StudyView(study=small.study, trials=tuple(factories.complete(n, (0.9,)) for n in range(choices.BOX_FROM)))
    boxed = choices.figure(choices.info(many, "block")).data[0]
    assert few.line.color == "rgba(0,0,0,0)"
    assert boxed.line.color != "rgba(0,0,0,0)"


def test_axes_have_units(small: StudyView) -> None:
    layout = choices.figure(choices.info(small, "depth")).layout
    assert layout.xaxis.title.text == "depth (residual blocks per stage)"
    assert layout.yaxis.title.text == "error, times the front's (ratio)"


def test_a_parameter_that_no_trial_has_says_so(small: StudyView) -> None:
    figure = choices.figure(choices.info(small, "cardinality"))
    assert len(figure.data) == 0
    assert "No fully trained trial" in figure.layout.annotations[0].text


def test_values_are_not_markup() -> None:
    odd = choices.ErrorsByValue(
        parameter="<x>",
        continuous=False,
        values=("<b>",),
        errors=(1.1,),
        numbers=(0,),
        order=("<b>",),
        shown=(0.1,),
        costs=(3.0,),
        cost="<c>",
    )
    written = choices.figure(odd).to_json()
    assert "&lt;b&gt;" in written.replace("\\u003c", "<").replace("\\u0026", "&")
    assert "<x>" not in written
    assert "<c>" not in written


def test_a_dear_network_is_measured_by_what_its_cost_could_have_bought() -> None:
    """The dearest is the best, and yet its parameter bought less than nothing at its cost."""
    costs = [replace(factories.trial(0).cost, macs=macs) for macs in (1_000, 2_000, 4_000, 4_000)]
    accuracies, depths = (0.8, 0.9, 0.94, 0.95), (1, 1, 2, 1)
    trials = tuple(
        factories.complete(number, (accuracy,), params={"depth": depth}, cost=cost)
        for number, (accuracy, depth, cost) in enumerate(zip(accuracies, depths, costs, strict=True))
    )
    by_depth = choices.info(StudyView(study=factories.study(), trials=trials), "depth")
    assert by_depth.of(1) == pytest.approx((1.0, 1.0, 1.0))
    assert by_depth.of(2) == pytest.approx((1.2,))


def test_an_error_of_nothing_has_a_ratio_too() -> None:
    trials = tuple(factories.complete(number, (accuracy,)) for number, accuracy in enumerate((1.0, 0.9)))
    assert choices.info(StudyView(study=factories.study(), trials=trials), "depth").errors == pytest.approx((1.0, 2.0))
