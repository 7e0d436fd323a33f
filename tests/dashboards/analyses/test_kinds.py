"""Every kind of analysis has a figure that the page draws, and whoever adds one adds an example of it."""

import json

import pytest

from dashboards.analyses.kinds import FIGURES, figure
from dashboards.charts import charts
from dashboards.theme import headings
from search.core.findings import KINDS, title
from tests.dashboards.analyses.examples import EXAMPLES


def test_every_kind_of_analysis_has_a_figure_and_an_example() -> None:
    assert list(FIGURES) == list(KINDS)
    assert set(EXAMPLES) == set(FIGURES)


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_is_named_after_what_was_analysed_and_drawn_by_the_page(kind: str) -> None:
    found = EXAMPLES[kind]()
    drawn = figure(found)
    assert drawn is not None
    assert headings(drawn)[0] == title(found)
    told = charts(drawn)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert all(chart["series"] for chart in told)
    said = [words for chart in told for series in chart["series"] for words in series.get("said", ())]
    assert said
    assert not [words for words in said if "None" in str(words)]
