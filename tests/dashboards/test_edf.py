"""The distribution counts trials at full fidelity with an error no higher than each."""

import pytest

from dashboards import edf
from dashboards.frames import StudyView
from search.core.records import State
from tests import factories


def test_shares_count_errors_no_higher() -> None:
    accuracies = (0.75, 0.5, 0.75, 0.25)
    trials = tuple(factories.complete(number, (accuracy,)) for number, accuracy in enumerate(accuracies))
    told = edf.info(StudyView(study=factories.study(), trials=trials))
    assert told.errors == (0.25, 0.5, 0.75)
    assert told.shares == (0.5, 0.75, 1.0)


def test_a_stopped_trial_does_not_count() -> None:
    view = StudyView(study=factories.study(), trials=(factories.trial(0, (0.5,), state=State.STOPPED),))
    assert edf.info(view).errors == ()
    assert "No trial" in edf.figure(edf.info(view)).layout.annotations[0].text


def test_the_curve_rises_from_nothing_to_all() -> None:
    line = edf.figure(edf.ErrorEdf(errors=(0.1, 0.2), shares=(0.5, 1.0))).data[0]
    assert list(line.y) == [0.0, 0.5, 1.0, 1.0]
    assert line.line.shape == "hv"


@pytest.mark.parametrize(("most", "kind"), [(0.05, None), (0.5, "log")])
def test_axes_have_units_and_are_logarithmic_where_errors_span_much(most: float, kind: str | None) -> None:
    layout = edf.figure(edf.ErrorEdf(errors=(0.01, most), shares=(0.5, 1.0))).layout
    assert layout.xaxis.title.text == "validation error (%)"
    assert layout.yaxis.title.text == "full-fidelity trials (cumulative %)"
    assert layout.xaxis.type == kind


def test_the_median_is_in_the_subtitle() -> None:
    subtitle = edf.figure(edf.ErrorEdf(errors=(0.01, 0.02, 0.05), shares=(0.4, 0.8, 1.0))).layout.title.subtitle.text
    assert "2.00 %" in subtitle
