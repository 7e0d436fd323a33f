"""Write one HTML page that needs nothing but itself: no address is fetched, and no text of a study is markup.

The page's own content security policy forbids every request, and every script but its own, whose hash it names.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from dashboards import bundle, charts, theme
from search.core.files import begins_with, replacing


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Head one column of a table."""

    title: str
    note: str = ""  # the whole name or the unit, shown on hover
    numeric: bool = True
    wrap: bool = False  # long text: break its lines
    more: bool = False  # left out where there is little room


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a cell shows and what it sorts by."""

    text: str
    key: float | str
    opens: int | None = None  # the trial that it opens
    share: float | None = None  # drawn as a bar


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
    return "<div class=beside>\n" + "\n".join(parts) + "\n</div>"


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
    """Return a table that sorts by the column whose head is clicked; a row whose first cell opens a trial names it."""
    head = "".join(
        f'<th scope=col{_look(column)} title="{text(column.note)}">'
        f"<button type=button>{text(column.title)}</button></th>"
        for column in columns
    )
    body = "\n".join(f"<tr{_marked(row)}>{_cells(columns, row)}</tr>" for row in rows)
    return (
        f'<div class=wide {_scrolls(caption)}><table class="sortable{" narrow" * narrow}">'
        f"<caption><span>{text(caption)}</span></caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def folded(caption: str, label: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """Return a plain table that unfolds; the label tells it from others of this caption."""
    head = "".join(f"<th scope=col{_look(column)}>{text(column.title)}</th>" for column in columns)
    body = "\n".join(
        f"<tr>{''.join(f'<td{_look(c)}>{text(cell)}</td>' for c, cell in zip(columns, row, strict=True))}</tr>"
        for row in rows
    )
    return (
        f'<details class=data><summary>{text(caption)}</summary><div class="wide tall" {_scrolls(label)}>'
        f"<table class=narrow><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div></details>"
    )


def _marked(row: Sequence[Cell]) -> str:
    return f' data-row="{row[0].opens}"' if row and row[0].opens is not None else ""


def _look(column: Column) -> str:
    named = {"wrap": column.wrap, "number": column.numeric and not column.wrap, "more": column.more}
    found = " ".join(name for name, is_so in named.items() if is_so)
    return f' class="{found}"' if found else ""


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    pairs = zip(columns, row, strict=True)
    return "".join(f'<td{_look(column)} data-key="{text(cell.key)}">{_shown(cell)}</td>' for column, cell in pairs)


def _shown(cell: Cell) -> str:
    if cell.opens is not None:
        key = f'data-open="{cell.opens}" data-key="o{cell.opens}" title="trial {cell.opens}"'
        return f"<button type=button class=link {key}>{text(cell.text)}</button>"
    if cell.share is None:
        return text(cell.text)
    bar = f'<rect class=bar width="{80 * cell.share:.1f}" height=10></rect>'
    return f"<svg class=share width=80 height=10 aria-hidden=true>{bar}</svg> {text(cell.text)}"


def figure(title: str, subtitle: str, reading: str, *parts: str) -> str:
    """Return a figure with what it is about, and how to read it; without a part, only what it says."""
    if not parts:
        return f"<figure>\n<h3>{text(title)}</h3>\n{paragraph(subtitle, 'message')}\n</figure>"
    inner = "\n".join(parts)
    return (
        f"<figure>\n<h3>{text(title)}</h3>\n<p class=subtitle>{text(subtitle)}</p>\n{inner}\n"
        f"<figcaption>{text(reading)}</figcaption>\n</figure>"
    )


def plot(anchor: str, drawn: go.Figure, reading: str, *, tabled: bool = False) -> str:
    """Return a figure whose titles are text of the page, with how to read it; without data, only what it says.

    Args:
        anchor: its name on the page.
        drawn: the figure.
        reading: how to read it.
        tabled: whether the page has its numbers as a table already.
    """
    title, subtitle = theme.headings(drawn)
    if not drawn.data:
        return figure(title, theme.remarks(drawn), reading)
    own = {"tabled": True} if tabled else {}
    told = [(f"{anchor}-{place}" if place else anchor, each) for place, each in enumerate(charts.charts(drawn))]
    return figure(title, subtitle, reading, *(_chart(name, title, {**each, **own}) for name, each in told))


def _chart(anchor: str, title: str, told: Mapping[str, Any]) -> str:
    # It holds what unfolds, so it is a group: whoever listens is not told what is within an image.
    return (
        f'<div class=plot id="{anchor}" data-chart="{anchor}-data" role=group aria-label="{text(title)}"></div>\n'
        f"{data(f'{anchor}-data', told)}"
    )


def data(anchor: str, told: Any) -> str:
    """Return plain values for the page's script; no text among them can end it."""
    written = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for each in "<>&\u2028\u2029":
        written = written.replace(each, f"\\u{ord(each):04x}")
    return f'<script type="application/json" id="{anchor}">{written}</script>'


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


SCRIPT, STYLES = "report.js", ("live.css", "report.css")


def document(title: str, body: Iterable[str]) -> str:
    """Return the whole page."""
    style = f"{theme.style_sheet()}{bundle.styles(*STYLES)}"
    script = bundle.script(SCRIPT)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return "\n".join(
        (
            BEGINS,
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<link rel="icon" href="data:,">',
            f"<title>{text(title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "<div id=tip hidden></div>",
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _hash(words: str) -> str:
    """Return by what a policy knows a script or a style sheet."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(words.encode()).digest()).decode()}'"
