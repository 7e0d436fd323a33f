"""Write one self-contained page of what was found of claims of the literature, each effect drawn with its interval.

python -m dashboards.verdicts URL -o claims.html
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from dashboards import page
from search import cli
from search.core.claims import LEVEL, QUANTITIES, Kind, Outcome, Verdict, best
from search.core.environment import expand
from search.core.units import UNKNOWN, format_duration, format_number_of
from search.storage.claims import Claims
from search.storage.store import Store
from spaces.errors import InputError

WIDTH, HEIGHT, EDGE = 160, 18, 6  # pixels of a drawing
HEADS = ("claim", "verdict", "drawn", "effect", "claimed", "networks", "n", "time")
LOOKS = {
    **dict.fromkeys(("claim", "effect", "claimed", "networks"), "wrap"),
    **dict.fromkeys(("drawn", "n", "time"), "number"),
}
TITLES = {Kind.TRAINED: "Of networks that were trained", Kind.WEIGHTS: "Of their weights", Kind.COUNTED: "Counted"}
READING = (
    "The shaded part is where the effect is claimed to lie, the line the interval that holds it at "
    f"{100 * LEVEL:.0f} %, the dot its mean over seeds. A claim holds where all of the line is in the shade, and does "
    "not hold where all of it is outside; each drawing has a scale of its own, and a stroke at nothing (at 1 for a "
    "ratio)."
)


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return cli.run(parser(), argv, write)


def write(given: argparse.Namespace) -> int:
    """Write the page that is asked for, and return the exit code."""
    with Store.reading(expand(given.url, os.environ), cli.warn) as store:
        found = best(Claims(store).verdicts())
    if not found:
        raise InputError(f"nothing was found of claims in {store.shown_url}; python -m search.claims run comes first")
    page.write_page(given.output, render(found))
    print(f"{given.output}: {format_number_of('claim', len(found))}")
    return cli.DONE


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="python -m dashboards.verdicts", description="Write one self-contained page of what was found of claims."
    )
    made.add_argument("url", metavar="URL", help="the database, such as sqlite:///widefront.db; ${NAME} is looked up")
    made.add_argument("-o", "--output", metavar="FILE", type=Path, default=Path("claims.html"),
                      help="the page (default: %(default)s)")  # fmt: skip
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def render(verdicts: Sequence[Verdict]) -> str:
    """Return the page."""
    some = {kind: [each for each in verdicts if each.kind is kind] for kind in TITLES}
    shown = {kind: TITLES[kind] for kind in TITLES if some[kind]}
    links = page.navigation((kind.value, title) for kind, title in shown.items())
    head = (page.paragraph(_about(verdicts), "lede"), links, page.facts(_facts(verdicts)), page.paragraph(READING))
    sections = (page.section(kind.value, title, table(title, some[kind])) for kind, title in shown.items())
    title = "Claims of the literature"
    return page.document(title, ["<header>", f"<h1>{title}</h1>", *head, "</header>", *sections])


def _about(verdicts: Sequence[Verdict]) -> str:
    """Return on which images, for how long and where networks were trained."""
    trained = [each for each in verdicts if each.data]
    epochs = sorted({each.epochs for each in trained})
    return " · ".join((
        *sorted({each.data for each in trained}), *(format_number_of("epoch", each) for each in epochs),
        *sorted({f"{each.machine['device']}, torch {each.machine['torch']}" for each in trained
                 if {"device", "torch"} <= each.machine.keys()}),
        *sorted({f"{each.at:%Y-%m-%d}" for each in verdicts}),
    ))  # fmt: skip


def _facts(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, str, str]]:
    for outcome in Outcome:
        some = [each for each in verdicts if each.outcome is outcome]
        exact = sum(each.kind is Kind.COUNTED for each in some)
        yield outcome.value, str(len(some)), f"{exact} of them exact"


def table(caption: str, verdicts: Sequence[Verdict]) -> str:
    """Return a table that sorts by the column whose head is clicked, an interval drawn in each row."""
    head = "".join(f"<th scope=col{_look(name)}><button type=button>{name}</button></th>" for name in HEADS)
    order = list(Outcome)
    ranked = sorted(verdicts, key=lambda each: order.index(each.outcome))
    body = "\n".join(f"<tr>{''.join(map(_cell, HEADS, _cells(each)))}</tr>" for each in ranked)
    return (
        f'<div class=wide tabindex=0 role=region aria-label="{page.text(caption)}"><table class=sortable>'
        f"<caption><span>{page.text(caption)}</span></caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _look(name: str) -> str:
    return f' class="{LOOKS[name]}"' if name in LOOKS else ""


def _cell(name: str, cell: tuple[str, float | str]) -> str:
    shown, key = cell
    return f'<td{_look(name)} data-key="{page.text(key)}">{shown}</td>'


def _cells(verdict: Verdict) -> Iterator[tuple[str, float | str]]:
    """Yield what each cell shows, as markup, and what it sorts by."""
    found = verdict.effect
    remark = f" {page.text(verdict.note)}" if verdict.note else ""
    yield (
        f"<b>{page.text(verdict.claim)}</b> {page.text(verdict.says)} <i>{page.text(verdict.source)}</i>",
        verdict.claim,
    )
    yield page.text(verdict.outcome.value) + remark, verdict.outcome.value
    yield drawing(verdict), found.value if isfinite(found.value) else 0.0
    yield page.text(verdict.told), str(found.value)
    told = QUANTITIES[verdict.of].told if verdict.of in QUANTITIES else verdict.of
    yield page.text(f"{told} {verdict.range}"), told
    form = " (small form)" if verdict.form == "small" else ""
    images = f" on {verdict.data}, {format_number_of('epoch', verdict.epochs)}" if verdict.data else ""
    yield page.text(" against ".join(verdict.networks) + form + images), verdict.networks[0] if verdict.networks else ""
    yield str(found.seeds or UNKNOWN), found.seeds
    yield page.text(format_duration(verdict.seconds) if verdict.seconds else UNKNOWN), verdict.seconds


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to pixels."""

    low: float
    high: float

    @classmethod
    def of(cls, verdict: Verdict) -> "_Scale":
        found, ends = verdict.effect, (verdict.start, verdict.end, verdict.nothing)
        values = [each for each in (found.value, found.low, found.high, *ends) if isfinite(each)]
        low, high = min(values, default=0.0), max(values, default=1.0)
        spare = 0.1 * (high - low) or 1.0
        return cls(low - spare, high + spare)

    def at(self, value: float) -> float:
        """Return the pixel of a value; beyond an end, that end's."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return EDGE + share * (WIDTH - 2 * EDGE)


def drawing(verdict: Verdict) -> str:
    """Return an effect with its interval over the range that is claimed; without an effect, the range alone."""
    scale, found, middle = _Scale.of(verdict), verdict.effect, HEIGHT / 2
    start, end, stroke = scale.at(verdict.start), scale.at(verdict.end), scale.at(verdict.nothing)
    place = f'x="{start:.1f}" y=0 width="{max(end - start, 1):.1f}" height={HEIGHT}'
    parts = [
        f"<rect {place} fill=currentColor opacity=0.15></rect>",
        f'<line x1="{stroke:.1f}" x2="{stroke:.1f}" y1=0 y2={HEIGHT} stroke=currentColor opacity=0.4></line>',
    ]
    if isfinite(found.low) and isfinite(found.high):
        ends = f'x1="{scale.at(found.low):.1f}" x2="{scale.at(found.high):.1f}"'
        parts.append(f'<line {ends} y1="{middle}" y2="{middle}" stroke=currentColor stroke-width=2></line>')
    if isfinite(found.value):
        parts.append(f'<circle cx="{scale.at(found.value):.1f}" cy="{middle}" r=4 fill=currentColor></circle>')
    return f"<svg width={WIDTH} height={HEIGHT} aria-hidden=true>{''.join(parts)}</svg>"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
