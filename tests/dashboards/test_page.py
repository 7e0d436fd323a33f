"""The page fetches nothing, and no text of a study is markup on it."""

import base64
import hashlib
import json
import re

import plotly.graph_objects as go
import pytest
import yaml

from dashboards import page, theme
from dashboards.page import Cell, Column

HOSTILE = '</script><script>alert("1")</script>'


def test_text_is_not_markup() -> None:
    assert page.text('<a href="x">&') == "&lt;a href=&quot;x&quot;&gt;&amp;"


def line(title: str, subtitle: str) -> go.Figure:
    colour = {"color": theme.FRONT}
    return theme.blank(title, subtitle).add_scatter(x=[1], y=[2], name=theme.escape(HOSTILE), mode="lines", line=colour)


@pytest.mark.parametrize(
    "written",
    [
        page.paragraph(HOSTILE),
        page.section("a", HOSTILE),
        page.subheading(HOSTILE),
        page.preformatted(HOSTILE, HOSTILE),
        page.navigation([("a", HOSTILE)]),
        page.facts([(HOSTILE, HOSTILE, HOSTILE)]),
        page.definitions({HOSTILE: HOSTILE}, HOSTILE),
        page.table(HOSTILE, [Column(title=HOSTILE, note=HOSTILE)], [[Cell(text=HOSTILE, key=HOSTILE)]]),
        page.plot("a", theme.message(HOSTILE, HOSTILE), HOSTILE),
        page.plot("a", line(HOSTILE, HOSTILE), ""),
        page.data("a", {HOSTILE: [HOSTILE, "\u2028"]}),
    ],
)
def test_no_part_lets_markup_through(written: str) -> None:
    assert "<script>" not in written
    assert 'alert("' not in re.sub(r"<script type.*?</script>", "", written)


def test_a_figure_travels_as_data_that_cannot_end_the_script() -> None:
    figure = line("title", "subtitle")
    written = page.plot("plot-x", figure, "how to read it")
    held = re.search(r'<script type="application/json" id="plot-x-data">(.*?)</script>', written)
    assert held is not None
    (series,) = json.loads(held[1])["series"]
    assert (series["kind"], series["name"], series["x"], series["y"]) == ("line", HOSTILE, [1], [2])
    assert "<h3>title</h3>" in written
    assert "<figcaption>how to read it</figcaption>" in written
    assert figure.layout.title.text == "title"  # the caller's figure stays as it was


def test_a_figure_without_data_is_its_message() -> None:
    written = page.plot("a", theme.message("title", "nothing yet"), "how to read it")
    assert "nothing yet" in written
    assert "data-chart" not in written
    assert "how to read it" not in written


def test_a_table_sorts_by_numbers_not_by_their_text() -> None:
    columns = [Column(title="block", numeric=False), Column(title="macs", note="per image")]
    written = page.table("all", columns, [[Cell(text="basic", key="basic"), Cell(text="1.2M", key=1_200_000)]])
    assert '<td class="number" data-key="1200000">1.2M</td>' in written
    assert '<td data-key="basic">basic</td>' in written
    assert 'title="per image"><button type=button>macs</button>' in written


@pytest.mark.parametrize(
    "values",
    [
        {"study": "digits-front", "data": {"folder": "a b", "size": 32}, "budget": {"trials": 60}},
        {"space": {"block": {"choice": ["basic", "none"]}, "widths": [16, 32], "rate": {"float": [0.05, 0.5]}}},
        {"objectives": ["accuracy", "macs"], "constraints": {"params": "<= 1e6"}, "hours": None, "log": True},
        {"answers": ["yes", "No", "null", "true", "off", "1e3", "12", "", "a: b", "# c", "sqlite:///x.db"]},
        {"empty": {}, "nested": {"a": {"b": {"c": [1, {"d": "e f"}]}}}},
    ],
)
def test_an_outline_reads_back_as_yaml(values: dict[str, object]) -> None:
    assert yaml.safe_load(page.outline(values)) == values


def test_an_outline_is_written_as_a_person_would() -> None:
    space = {"block": {"choice": ["basic", "preact"]}, "rate": {"float": [0.1, 0.5]}}
    assert page.outline({"study": "a-b", "space": space}).splitlines() == [
        "study: a-b",
        "space:",
        "  block: {choice: [basic, preact]}",
        "  rate: {float: [0.1, 0.5]}",
    ]


def test_the_document_forbids_every_request_and_every_script_but_its_own() -> None:
    written = page.document("title", ["<p>body</p>"])
    assert "default-src 'none'" in written
    assert "connect-src" not in written
    assert "unsafe" not in written.partition("</head>")[0].partition("<style>")[0]
    (script,) = re.findall(r"<script>(.*?)</script>", written, flags=re.S)
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{known}'" in written
    tags = re.findall(r"<(?:link|script|img|iframe)\b[^>]*>", re.sub(r"<script>.*?</script>", "", written, flags=re.S))
    assert tags == ['<link rel="icon" href="data:,">']
    assert "@import" not in written.split("</style>")[0]
    assert "url(" not in written.split("</style>")[0]


def test_the_page_is_small() -> None:
    assert len(page.document("title", [])) < 120_000
