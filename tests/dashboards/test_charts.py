"""A figure is told as what the page draws: lines, steps, areas, boxes, points, with axes and words."""

import json

import plotly.graph_objects as go
import pytest

from dashboards import choices, edf, progress, replays, theme
from dashboards.charts import charts
from dashboards.frames import StudyView
from tests import factories
from tests.dashboards.test_contrast import growth


def test_progress_and_errors_are_steps(view: StudyView) -> None:
    grown = progress.info(view)
    for figure in (progress.figure(grown), edf.figure(edf.info(view))):
        (told,) = charts(figure)
        assert [series["kind"] for series in told["series"]] == ["steps"]
        assert told["up"]["format"] == "percent"
    assert charts(progress.figure(grown))[0]["series"][0]["said"][1][0].startswith("after trial")


def test_a_choice_is_boxes_with_points_of_their_size() -> None:
    trials = tuple(factories.complete(number, (0.9 + number / 200,), macs=1000 * 2**number) for number in range(8))
    (told,) = charts(choices.figure(choices.info(StudyView(study=factories.study(), trials=trials), "block")))
    box, points = told["series"]
    assert (box["kind"], len(box["y"]), box["y"] == sorted(box["y"])) == ("box", 5, True)
    assert points["size"][0] == min(points["size"]) < points["size"][-1] == max(points["size"])
    assert told["across"]["ticks"] == [[0, "basic\nn = 8"]]
    assert told["across"]["named"]


def test_every_searched_parameter_is_drawn(view: StudyView) -> None:
    for name in view.searched():
        for told in charts(choices.figure(choices.info(view, name))):
            assert json.loads(json.dumps(told, allow_nan=False)) == told
            assert told["series"][-1]["kind"] == "points"


def test_a_replay_has_a_chart_for_each_axis_with_bands_in_the_colour_of_their_lines() -> None:
    grown = [growth(f"policy <{place}>") for place in range(len(theme.PALETTE))]
    (told,) = charts(replays.figure(replays.Replays(subtitle="", growths=tuple(grown))))
    pairs = list(zip(told["series"][::2], told["series"][1::2], strict=True))
    assert [(band["kind"], line["kind"]) for band, line in pairs] == [("band", "line")] * len(theme.PALETTE)
    assert [line["colour"] for _, line in pairs] == [band["colour"] for band, _ in pairs] == list(theme.SERIES)
    assert pairs[0][1]["name"] == "policy <0>"


def test_what_the_page_cannot_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="the page draws no violin"):
        charts(go.Figure(go.Violin(x=[1], y=[1])))


def test_cells_keep_their_values_and_what_is_not_a_number_is_nothing() -> None:
    bar = {"title": {"text": "loss"}}
    (told,) = charts(go.Figure(go.Heatmap(x=[1, 2], y=[3], z=[[0.5, float("nan")]], colorbar=bar, meta={"log": True})))
    assert told["series"] == [
        {"kind": "cells", "x": [1, 2], "y": [3], "z": [[0.5, None]], "title": "loss", "log": True}
    ]


def test_two_planes_have_an_axis_of_their_own_each() -> None:
    line = {"mode": "lines", "line": {"color": theme.FRONT}}
    figure = go.Figure([go.Scatter(x=[1], y=[1], **line), go.Scatter(x=[1], y=[2], xaxis="x2", yaxis="y2", **line)])
    figure.update_layout(yaxis={"title": {"text": "one"}}, yaxis2={"title": {"text": "two"}}, xaxis2={"visible": True})
    assert [told["up"]["title"] for told in charts(figure)] == ["one", "two"]
