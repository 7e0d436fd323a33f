"""What each figure shows of its rows: what is known at its place, what is not left out and said."""

import base64
import zlib
from itertools import chain

from dashboards.analyses import ensemble, filters, flow, lesion, marginals, speed, surface
from dashboards.charts import charts
from dashboards.theme import headings, remarks
from tests.dashboards.analyses import examples


def test_a_lesion_is_a_bar_for_each_thing_that_could_be_taken_out() -> None:
    drawn = lesion.figure(lesion.info(examples.lesions()))
    (told,) = charts(drawn)
    bars = [series for series in told["series"] if series["kind"] == "bars"]
    assert [(series["name"], series["x"], series["y"]) for series in bars] == [
        ("one block", [0, 1], [0.4, 0.02]),
        ("several blocks at random", [2], [0.6]), ("two blocks swapped", [3], [0.05]),
    ]  # fmt: skip
    assert [label for _, label in told["across"]["ticks"]] == ["1.1", "1.2", "1.1\n1.2", "1.1\n1.2"]
    (line,) = (series for series in told["series"] if series["kind"] == "line")
    assert line["y"] == [0.01, 0.01]
    ends = next(series for series in told["series"] if series["kind"] == "ends")
    assert (ends["low"], ends["high"]) == ([0.38, 0.0], [0.42, 0.04])
    assert "1 more cannot be taken out" in headings(drawn)[1]


def test_a_network_of_which_nothing_can_go_says_so() -> None:
    rows = (examples.lesion("whole", "", 0.01), examples.lesion("block", "1.1", None, "has no shortcut"))
    drawn = lesion.figure(lesion.info(examples.analysis("lesion", rows, 3)))
    assert not drawn.data
    assert "Nothing of this network can be taken out" in remarks(drawn)


def test_ensembles_stand_at_their_cost_beside_the_front_of_singles() -> None:
    (told,) = charts(ensemble.figure(ensemble.info(examples.ensembles())))
    named = {series["name"]: series for series in told["series"] if "name" in series}
    assert (named["single networks"]["x"], named["ensembles that no other beats"]["x"]) == (
        [10_000, 900_000],
        [910_000],
    )
    assert named["other ensembles"]["y"] == [0.03]
    front = named["front of single networks"]
    assert (front["kind"], front["y"]) == ("steps", [0.02, 0.01, 0.01])
    assert named["ensembles that no other beats"]["said"][0][3].endswith("points above trial 2")


def test_a_ratio_has_its_interval_and_one_without_end_is_drawn_as_far_as_there_is_room() -> None:
    found = marginals.info(examples.marginals())
    (told,) = charts(marginals.figure(found))
    assert [label for _, label in told["up"]["ticks"]] == ["depth: 2", "depth: 1", "block: resnext", "block: basic"]
    points = {series["name"]: series for series in told["series"] if series["kind"] == "points"}
    assert points["differ at 95 %"]["y"] == [3]
    ends = {tuple(series["y"]): series for series in told["series"] if series["kind"] == "ends"}
    assert (ends[3,]["low"], ends[3,]["high"]) == ([0.3], [0.8])
    assert ends[2, 1, 0]["low"] == [0.7, 1 / marginals.MOST, 2.0]
    assert ends[2, 1, 0]["high"] == [1.6, marginals.MOST, 2.0]
    assert "1 value without a ratio" in headings(marginals.figure(found))[1]


def test_flow_is_lines_of_gradients_above_shades_of_branches() -> None:
    lines, shades = charts(flow.figure(flow.info(examples.flow())))
    assert [(series["name"], series["y"]) for series in lines["series"]] == [
        ("epoch 1", [0.001, 0.2, 0.5]), ("epoch 9", [2.0, 1.0, 0.5]),
    ]  # fmt: skip
    assert (lines["up"]["log"], lines["height"], shades["height"]) == (True, flow.HEIGHT, flow.HEIGHT)
    (cells,) = shades["series"]
    assert cells["z"] == [[1.2, 0.4, None], [0.9, 0.05, None]]
    assert [label for _, label in shades["across"]["ticks"]] == ["1.1", "1.2", "2.1"]
    assert [label for _, label in shades["up"]["ticks"]] == ["1", "9"]


def test_flow_of_a_network_without_shortcuts_is_lines_alone() -> None:
    rows = [{"epoch": 1, "block": block, "gradient": 0.5, "branch": None} for block in ("1.1", "1.2")]
    (lines,) = charts(flow.figure(flow.info(examples.analysis("flow", rows, 1))))
    assert lines["height"] == flow.HEIGHT


def test_filters_are_pictures_beside_their_directions() -> None:
    (told,) = charts(filters.figure(filters.info(examples.filters())))
    kinds = [series["kind"] for series in told["series"]]
    assert kinds == [*["picture"] * 10, "line", "words"]
    assert (told["square"], told["across"]["bare"]) == (True, True)
    assert told["series"][8]["x"] == told["series"][0]["x"]  # the ninth begins a row
    assert told["series"][8]["y"][0] < told["series"][0]["y"][1]
    lines = told["series"][10]
    assert lines["x"].count(None) == 9  # the first has no direction
    x, y = lines["x"][:2], lines["y"][:2]
    assert x[0] < x[1]
    assert y[0] > y[1]  # 30 degrees from rightwards to downwards


def test_a_picture_is_a_png_of_the_weights() -> None:
    made = filters.pixels(examples.WEIGHT)
    assert made[0].tolist() == [[128, 128, 128, 255], [255, 255, 255, 255], [0, 0, 0, 255]]
    held = base64.b64decode(filters.png(made).partition(",")[2])
    begin = held.index(b"IDAT") + 4
    rows = zlib.decompress(held[begin : held.index(b"IEND") - 8])
    assert rows == b"".join(b"\0" + bytes(chain.from_iterable(row)) for row in made.tolist())
    coloured = [[[1.0]], [[0.0]], [[-1.0]]]
    assert filters.pixels(coloured).tolist() == [[[255, 128, 0, 255]]]


def test_filters_that_were_found_before_weights_were_kept_are_a_table_alone() -> None:
    drawn = filters.figure(filters.info(examples.filters(weight=None)))
    assert not drawn.data
    assert "--again adds them" in remarks(drawn)


def test_a_surface_is_a_line_for_each_network_of_the_losses_that_are_finite() -> None:
    drawn = surface.figure(surface.info(examples.surfaces()))
    (told,) = charts(drawn)
    named = {series["name"]: series for series in told["series"] if "name" in series}
    assert named["whole"]["x"] == [-2, -1, 0, 1]
    assert named["plain"]["y"] == [5, 2, 1, 2]
    assert "2 points are not finite" in headings(drawn)[1]


def test_speeds_are_ratios_to_the_first_network_with_their_intervals() -> None:
    drawn = speed.figure(speed.info(examples.speeds()))
    (told,) = charts(drawn)
    steps = next(series for series in told["series"] if series.get("name") == "a training step")
    assert 0.6 < steps["x"][0] < 0.8
    ends = next(series for series in told["series"] if series["kind"] == "ends")
    assert ends["low"][0] < steps["x"][0] < ends["high"][0]
    assert "times those of wrn-16-2" in headings(drawn)[1]


def test_what_goes_through_all_blocks_and_is_trained_so_are_bars_of_their_own() -> None:
    trained = {**examples.lesion("deep", "", 0.03), "trained": True}
    rows = (examples.lesion("whole", "", 0.01), examples.lesion("deep", "", 0.8), trained)
    (told,) = charts(lesion.figure(lesion.info(examples.analysis("lesion", rows, 3))))
    assert [series["name"] for series in told["series"] if series["kind"] == "bars"] == [
        "through all blocks", "trained so",
    ]  # fmt: skip
