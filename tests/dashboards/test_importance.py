"""What decides an objective is found; what decides nothing, or cannot be told, is said to be so."""

import math
import random

import numpy as np
import pytest

from dashboards import importance
from dashboards.frames import StudyView
from dashboards.importance import Importance, ObjectiveImportance
from tests import factories

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def told(view: StudyView) -> Importance:
    """Return the importances of the synthetic study."""
    return importance.info(view)


@pytest.fixture
def decided() -> StudyView:
    """Return a study whose accuracy follows the block, and whose macs follow the depth."""
    rng = random.Random(3)
    trials = []
    for number in range(40):
        params = {"block": rng.choice(["basic", "preact"]), "depth": rng.randint(1, 4), "dropout": "none"}
        accuracy = (0.7 if params["block"] == "basic" else 0.9) + rng.gauss(0, 0.002)
        trials.append(factories.complete(number, (accuracy,), macs=10**5 * params["depth"], params=params))
    return StudyView(study=factories.study(), trials=tuple(trials))


def test_the_parameter_that_decides_has_nearly_all(decided: StudyView) -> None:
    accuracy, macs = importance.info(decided).objectives
    assert accuracy.shares["block"] > 0.95
    assert macs.shares["depth"] > 0.95
    assert accuracy.explained > 0.95


def test_shares_sum_to_one_and_cover_every_parameter(view: StudyView, told: Importance) -> None:
    assert told.parameters == tuple(view.searched())
    for each in told.objectives:
        assert sum(each.shares.values()) == pytest.approx(1.0)
        costless = importance.COSTLESS if each.objective == "macs" else frozenset()
        assert set(each.shares) == set(told.parameters) - costless
        assert min(each.shares.values()) >= 0


def test_the_same_study_gives_the_same_importances(decided: StudyView) -> None:
    assert importance.info(decided) == importance.info(decided)


def test_counts_are_read_from_every_trial_and_accuracy_from_full_fidelity(view: StudyView, told: Importance) -> None:
    accuracy, macs = told.objectives
    assert (accuracy.trials, macs.trials) == (len(view.complete), len(view.trials))


def test_too_few_trials_have_no_importances(decided: StudyView) -> None:
    few = StudyView(study=decided.study, trials=decided.trials[: importance.LEAST_TRIALS - 1])
    told = importance.info(few)
    assert [each.shares for each in told.objectives] == [{}, {}]
    assert "Too few trials" in importance.figure(told).layout.annotations[0].text


def test_what_parameters_do_not_decide_has_no_importances() -> None:
    rng = random.Random(0)
    blocks = ("basic", "preact")
    trials = tuple(
        factories.complete(n, (rng.random(),), params={"block": rng.choice(blocks), "depth": rng.randint(1, 4)})
        for n in range(30)
    )
    told = importance.info(StudyView(study=factories.study(), trials=trials))
    assert told.objectives[0].explained <= 0
    assert told.objectives[0].shares == {}


def test_trials_that_are_all_equal_are_not_explained() -> None:
    told = importance.info(
        StudyView(study=factories.study(), trials=tuple(factories.complete(n, (0.5,)) for n in range(12)))
    )
    assert [each.shares for each in told.objectives] == [{}, {}]
    assert len(importance.figure(told).data) == 0


def test_words_get_a_column_each_and_an_absent_value_its_own() -> None:
    trials = (
        factories.complete(0, params={"block": "resnext", "cardinality": 4}),
        factories.complete(1, params={"block": "basic"}),
        factories.complete(2, params={"block": "resnext", "cardinality": 2}),
    )
    table, columns = importance.encode(trials, ["block", "cardinality", "nothing"])
    np.testing.assert_array_equal(table[:, columns["block"]], [[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(table[:, columns["cardinality"]], [[4], [1], [2]])
    np.testing.assert_array_equal(table[:, columns["nothing"]], [[-1], [-1], [-1]])


def test_a_conditional_parameter_can_matter() -> None:
    rng = random.Random(1)
    trials = []
    for number in range(60):
        params = {"block": rng.choice(["basic", "resnext"]), "depth": 1}
        if params["block"] == "resnext":
            params["cardinality"] = rng.choice([2, 8])
        accuracy = 0.9 if params.get("cardinality") == 8 else 0.5
        trials.append(factories.complete(number, (accuracy,), params=params))
    accuracy = importance.info(StudyView(study=factories.study(space={}), trials=tuple(trials))).objectives[0]
    assert accuracy.shares["cardinality"] > 0.9


def test_the_axis_has_a_unit_and_a_bar_per_objective(told: Importance) -> None:
    figure = importance.figure(told)
    assert figure.layout.xaxis.title.text == "share of the predictable variation (%)"
    assert {trace.name for trace in figure.data} == {"validation accuracy at equal macs", "multiply-accumulates"}


def test_the_subtitle_says_how_far_to_believe_each_objective() -> None:
    told = Importance(
        parameters=("block",),
        objectives=(
            ObjectiveImportance(
                objective="accuracy", title="validation accuracy", trials=20, explained=0.8, shares={"block": 1.0}
            ),
            ObjectiveImportance(objective="loss", title="validation loss", trials=20, explained=-0.2),
            ObjectiveImportance(objective="macs", title="multiply-accumulates", trials=3, explained=math.nan),
        ),
    )
    assert importance.figure(told).layout.title.subtitle.text == (
        "validation accuracy: 80 % predictable (20 trials); "
        "validation loss: not predictable from the parameters (20 trials); "
        "multiply-accumulates: too few trials to tell (3)"
    )
