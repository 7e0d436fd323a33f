"""Axes carry units, and are logarithmic where that shows more."""

import math

import pytest

from dashboards import theme
from workers.objectives import OBJECTIVES


@pytest.mark.parametrize(
    ("values", "log"),
    [([1, 10], False), ([1, 10.1], True), ([0, 100], False), ([-1, 100], False), ([], False), ([math.nan, 5], False)],
)
def test_an_axis_is_logarithmic_beyond_a_factor_of_ten(values: list[float], log: bool) -> None:
    assert theme.is_log(values) is log


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_has_an_axis_with_its_unit(name: str) -> None:
    values = [0.5, 0.6] if OBJECTIVES[name].unit == "fraction" else [1000.0, 2000.0]
    title = theme.scale(OBJECTIVES[name], values).axis["title"]["text"]  # type: ignore[index]
    assert title.startswith(OBJECTIVES[name].title)
    assert title.endswith("(%)" if OBJECTIVES[name].unit == "fraction" else f"({OBJECTIVES[name].unit})")


def test_counts_have_si_ticks_and_a_log_axis_where_they_span_much() -> None:
    near, far = theme.scale(OBJECTIVES["macs"], [1e6, 2e6]).axis, theme.scale(OBJECTIVES["macs"], [1e5, 1e7]).axis
    assert (near["tickformat"], near.get("type", "linear")) == ("~s", "linear")
    assert (far["tickformat"], far["type"]) == ("~s", "log")


def test_log_ticks_are_round_and_few() -> None:
    assert theme.log_axis(1, 50)["tickvals"] == [1, 2, 5, 10, 20, 50]
    assert theme.log_axis(2e5, 5e7)["tickvals"] == [3e5, 1e6, 3e6, 1e7, 3e7]
    assert theme.log_axis(1, 1e6)["tickvals"] == [10.0**power for power in range(7)]


def test_close_accuracies_have_an_even_axis() -> None:
    scale = theme.fraction_scale(OBJECTIVES["accuracy"], [0.5, 0.7])
    assert scale.place(0.7) == 0.7
    assert "type" not in scale.axis


def test_accuracies_with_far_errors_are_even_in_log_error() -> None:
    scale = theme.fraction_scale(OBJECTIVES["accuracy"], [0.5, 0.98])
    assert scale.place(0.75) == 0.25
    assert (scale.axis["type"], scale.axis["autorange"]) == ("log", "reversed")
    ticks = dict(zip(scale.axis["ticktext"], scale.axis["tickvals"], strict=True))  # type: ignore[call-overload]
    assert set(ticks) == {"50%", "80%", "90%", "95%", "98%"}
    assert all(math.isclose(1 - float(label[:-1]) / 100, error) for label, error in ticks.items())
    assert scale.axis["title"] == {"text": "validation accuracy (%, log-error scale)"}


def test_an_accuracy_of_one_stands_at_its_own_tick() -> None:
    scale = theme.fraction_scale(OBJECTIVES["accuracy"], [0.5, 0.99, 1.0])
    assert scale.place(1.0) == pytest.approx(0.005)
    ticks = dict(zip(scale.axis["ticktext"], scale.axis["tickvals"], strict=True))  # type: ignore[call-overload]
    assert ticks["100%"] == pytest.approx(0.005)
    assert min(ticks.values()) == ticks["100%"]


@pytest.mark.parametrize("accuracies", [[1.0], [1.0, 1.0], [0.5]])
def test_accuracies_without_spread_get_room_around_them(accuracies: list[float]) -> None:
    low, high = theme.fraction_scale(OBJECTIVES["accuracy"], accuracies).axis["range"]  # type: ignore[misc]
    assert low < accuracies[0] < high <= 1.01


def test_a_count_without_spread_gets_room_around_it() -> None:
    assert theme.scale(OBJECTIVES["macs"], [1000.0]).axis["range"] == [500.0, 1500.0]
    assert "range" not in theme.scale(OBJECTIVES["macs"], [0.0]).axis


@pytest.mark.parametrize(("seconds", "unit"), [(0, "s"), (119, "s"), (120, "min"), (7199, "min"), (7200, "h")])
def test_a_time_axis_has_the_unit_of_its_length(seconds: float, unit: str) -> None:
    assert theme.time_unit(seconds)[1] == unit


def test_a_hover_label_is_not_markup() -> None:
    assert theme.hover(("<i>trial</i>", "a & b")) == "<b>&lt;i&gt;trial&lt;/i&gt;</b><br>a &amp; b"


def test_titles_are_not_markup() -> None:
    figure = theme.blank("<b>", "it's <i>")
    assert (figure.layout.title.text, figure.layout.title.subtitle.text) == ("&lt;b&gt;", "it's &lt;i&gt;")
    assert theme.headings(figure) == ("<b>", "it's <i>")
    assert theme.message("title", "<b>").layout.annotations[0].text == "&lt;b&gt;"
    assert theme.remarks(theme.message("title", "<b>")) == "<b>"


def test_the_colours_differ() -> None:
    assert len({theme.FRONT, theme.DOMINATED, theme.STOPPED, theme.RUNNING, theme.FAILED}) == 5
