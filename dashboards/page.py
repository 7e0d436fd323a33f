"""Write one HTML page that needs nothing but itself: no address is fetched, and no text of a study is markup.

The page's own content security policy forbids every request, whatever a library in it might try.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from dashboards import theme
from dashboards.style import SCRIPT, STYLE
from search.core.files import begins_with, replacing


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Head one column of a table."""

    title: str
    note: str = ""  # the whole name or the unit, shown on hover
    numeric: bool = True
    wrap: bool = False  # long text: break its lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a cell shows and what it sorts by."""

    text: str
    key: float | str


def text(value: object) -> str:
    """Return a value as text that is not markup."""
    return html.escape(str(value))


def section(anchor: str, title: str, *parts: str) -> str:
    """Return a titled section."""
    return f'<section id="{anchor}">\n<h2>{text(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def paragraph(words: str, style: str = "") -> str:
    """Return a paragraph of plain text."""
    return f'<p class="{style}">{text(words)}</p>' if style else f"<p>{text(words)}</p>"


def facts(pairs: Iterable[tuple[str, str, str]]) -> str:
    """Return a list of what, how much, and a remark."""
    items = (
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd><dd class=remark>{text(remark)}</dd></div>"
        for name, value, remark in pairs
    )
    return "<dl class=facts>\n" + "\n".join(items) + "\n</dl>"


def navigation(links: Iterable[tuple[str, str]]) -> str:
    """Return links to the sections of the page."""
    return "<nav>" + "".join(f'<a href="#{anchor}">{text(title)}</a>' for anchor, title in links) + "</nav>"


def subheading(words: str) -> str:
    """Return a heading within a section."""
    return f"<h3>{text(words)}</h3>"


def grid(*parts: str) -> str:
    """Return parts side by side where there is room."""
    return "<div class=grid>\n" + "\n".join(parts) + "\n</div>"


def preformatted(words: str, label: str) -> str:
    """Return text with its line breaks; the label tells those who do not see it what it is."""
    return f"<pre {_scrolls(label)}>{text(words)}</pre>"


def _scrolls(label: str) -> str:
    """Return what lets a part that may be wider than the page be scrolled from the keyboard, and says what it is."""
    return f'tabindex=0 role=region aria-label="{text(label)}"'


def definitions(pairs: Mapping[str, object], label: str) -> str:
    """Return names and values as a small table."""
    rows = "".join(
        f"<tr><th scope=row>{text(name)}</th><td class=wrap>{text(value)}</td></tr>" for name, value in pairs.items()
    )
    return f"<div class=wide {_scrolls(label)}><table class=narrow>{rows}</table></div>"


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, narrow: bool = False) -> str:
    """Return a table that sorts by the column whose head is clicked."""
    head = "".join(
        f'<th scope=col{_side(column)} title="{text(column.note)}">'
        f"<button type=button>{text(column.title)}</button></th>"
        for column in columns
    )
    body = "\n".join(f"<tr>{_cells(columns, row)}</tr>" for row in rows)
    return (
        f'<div class=wide {_scrolls(caption)}><table class="sortable{" narrow" * narrow}">'
        f"<caption><span>{text(caption)}</span></caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _side(column: Column) -> str:
    if column.wrap:
        return " class=wrap"
    return " class=number" if column.numeric else ""


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    pairs = zip(columns, row, strict=True)
    return "".join(f'<td{_side(column)} data-key="{text(cell.key)}">{text(cell.text)}</td>' for column, cell in pairs)


def plot(anchor: str, figure: go.Figure, reading: str) -> str:
    """Return a figure whose titles are text of the page, with how to read it; without data, only what it says."""
    title, subtitle = map(text, theme.headings(figure))
    if not figure.data:
        return f"<figure>\n<h3>{title}</h3>\n{paragraph(theme.remarks(figure), 'message')}\n</figure>"
    bare = go.Figure(figure)
    bare.layout.title = None
    # It holds buttons, so it is a group: whoever listens is not told what is within an image.
    data = bare.to_json()  # plotly writes < as an escape, so no text of a study can end the script
    return (
        f"<figure>\n<h3>{title}</h3>\n<p class=subtitle>{subtitle}</p>\n"
        f'<div class=plot id="{anchor}" role=group aria-label="{title}" '
        f'style="height: {figure.layout.height}px"></div>\n'
        f'<script type="application/json" data-plot="{anchor}">{data}</script>\n'
        f"<figcaption>{text(reading)}</figcaption>\n</figure>"
    )


_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-z][\w./+-]*", re.IGNORECASE)


def outline(value: object, indent: int = 0) -> str:
    """Return plain values as YAML: nested mappings by indentation, the rest in one line."""
    if not isinstance(value, Mapping):
        return _flow(value)
    lines = []
    for name, inner in value.items():
        nested = isinstance(inner, Mapping) and any(isinstance(each, Mapping) for each in inner.values())
        start = f"{' ' * indent}{name}:"
        lines.append(f"{start}\n{outline(inner, indent + 2)}" if nested else f"{start} {_flow(inner)}")
    return "\n".join(lines)


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


BEGINS = "<!doctype html>"


def write_page(path: Path, page: str) -> Path:
    """Write a page beside its place and then rename it, and return its path; an earlier page is replaced.

    Raises:
        InputError: something else is there, or it cannot be written; what is there stays.
    """
    with replacing(path, "page", begins_with(BEGINS)) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


def document(title: str, body: Iterable[str]) -> str:
    """Return the whole page."""
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light">',
            '<link rel="icon" href="data:,">',
            f"<title>{text(title)}</title>",
            f"<style>{_colors()}{STYLE}</style>",
            f"<script>{get_plotlyjs()}</script>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _colors() -> str:
    """Return the figures' colours and fonts under the names that the style sheet uses."""
    named = {"ink": theme.INK, "quiet": theme.QUIET, "line": theme.GRID, "accent": theme.FRONT, "font": theme.FONT}
    return ":root { " + " ".join(f"--{name}: {value};" for name, value in named.items()) + " }"
