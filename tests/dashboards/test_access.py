"""The page can be used from the keyboard, and by those who hear it."""

from dataclasses import replace
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from dashboards import page, sections, theme
from dashboards.bundle import script, styles
from dashboards.frames import StudyView

STYLE = styles(*page.STYLES)
CLOSED = ("meta", "link", "br", "img", "input")  # tags without an end
FLAT = ("button", "img", "checkbox", "option", "meter", "progressbar", "slider", "switch", "tab", "scrollbar")
Element = tuple[str, dict[str, str]]


class Reader(HTMLParser):
    """Keep every element of a page with the elements that it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Element] = []
        self.all: list[tuple[Element, tuple[Element, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, {name: value or "" for name, value in attrs})
        self.all.append((element, tuple(self.open)))
        if tag not in CLOSED:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop()[0] != tag:
            pass


def read(html: str) -> list[tuple[Element, tuple[Element, ...]]]:
    reader = Reader()
    reader.feed(html)
    return reader.all


def is_interactive(element: Element) -> bool:
    tag, attributes = element
    return tag in ("button", "input", "select", "textarea") or (tag == "a" and "href" in attributes)


def hides_what_it_holds(element: Element) -> bool:
    """Say whether an element is told as one thing, so that nothing within it can be reached."""
    tag, attributes = element
    return attributes.get("role", "") in FLAT or (tag in ("a", "button") and "role" not in attributes)


def scrolls(element: Element) -> bool:
    """Say whether the style sheet lets an element be wider than the page."""
    tag, attributes = element
    return tag == "pre" or "wide" in attributes.get("class", "").split()


@pytest.fixture(scope="module")
def elements(view: StudyView) -> list[tuple[Element, tuple[Element, ...]]]:
    return read("".join(sections.everything(view)))


def name_of(attributes: dict[str, str]) -> str | None:
    return attributes.get("aria-label") or attributes.get("aria-labelledby")


def test_what_scrolls_is_what_the_style_sheet_says() -> None:
    rules = [rule.split("{")[0].strip() for rule in STYLE.splitlines() if "overflow-x: auto" in rule]
    assert sorted(rules) == [".wide", "pre"]


def test_what_scrolls_is_reached_by_keyboard_and_named(elements: list[tuple[Element, tuple[Element, ...]]]) -> None:
    found = [element for element, _ in elements if scrolls(element)]
    assert {tag for tag, _ in found} == {"div", "pre"}
    for tag, attributes in found:
        assert attributes.get("tabindex") == "0", (tag, attributes)
        assert attributes.get("role") == "region", (tag, attributes)
        assert name_of(attributes), (tag, attributes)


def test_no_two_regions_have_one_name(view: StudyView) -> None:
    other = {**view.sessions[0].machine, "memory": "64 GiB"}
    both = replace(view, sessions=(view.sessions[0], replace(view.sessions[0], machine=other)))
    names = [name_of(element[1]) for element, _ in read("".join(sections.everything(both))) if scrolls(element)]
    assert len(names) == len(set(names))
    assert {"Machine 1", "Machine 2"} <= set(names)


def test_nothing_that_is_told_as_one_thing_holds_a_control(elements: list[tuple[Element, tuple[Element, ...]]]) -> None:
    for element, around in elements:
        if is_interactive(element):
            assert not [each for each in around if hides_what_it_holds(each)], element
    assert any(is_interactive(element) for element, _ in elements)


def test_a_plot_which_holds_its_table_is_no_image() -> None:
    assert "asTable(" in script(page.SCRIPT)
    line = go.Scatter(x=[1], y=[1], mode="lines", line={"color": theme.FRONT})
    written = page.plot("a", theme.blank("a <title>").add_trace(line), "how to read it")
    ((_, attributes),) = [element for element, _ in read(written) if element[1].get("class") == "plot"]
    assert (attributes["role"], attributes["aria-label"]) == ("group", "a <title>")
    assert not hides_what_it_holds(("div", attributes))


def test_where_the_keyboard_is_can_be_seen() -> None:
    assert "outline: 2px solid" in next(line for line in STYLE.splitlines() if line.startswith(":focus-visible"))
