"""Show what analyses of a study have found: a figure and its table for each, of which a page shows one of each kind."""

import logging
from collections.abc import Iterable, Iterator, Sequence

from dashboards import page
from dashboards.analyses.kinds import figure
from dashboards.page import Column
from search.core.analyses import Analysis
from search.core.findings import KINDS, circumstances, lines, title
from search.core.units import format_number_of

log = logging.getLogger(__name__)
ROOM = 60_000  # characters for one kind: a page is to stay small
ANCHOR, TITLE = "analyses", "What was looked into"


def parts(analyses: Sequence[Analysis]) -> list[str]:
    """Return what stands in the section: of each kind the newest first, at least one and as there is room."""
    return [_kind(kind, found) for kind in KINDS if (found := _newest(analyses, kind))]


def _newest(analyses: Sequence[Analysis], kind: str) -> list[Analysis]:
    mine = [each for each in analyses if each.question.kind == kind]
    return sorted(mine, key=lambda each: each.at, reverse=True)


def _kind(kind: str, found: Sequence[Analysis]) -> str:
    drawn = list(_within(f"<div data-found>\n{_one(f'found-{kind}-{place}', each)}\n</div>"
                         for place, each in enumerate(found)))  # fmt: skip
    options = "".join(f'<option value="{place}">{page.text(_label(each))}</option>' for place, each in
                      enumerate(found[: len(drawn)]))  # fmt: skip
    choice = f"<p class=controls hidden><label>{page.text(KINDS[kind].title)} <select>{options}</select></label></p>"
    more = len(found) - len(drawn)
    left = [page.paragraph(f"{format_number_of('older one', more)} in the database: search.analyse", "caption")]
    return "\n".join((
        f'<div data-kind="{kind}">', *([choice] if len(drawn) > 1 else []), *drawn, *(left if more else []), "</div>",
    ))  # fmt: skip


def _within(parts: Iterable[str]) -> Iterator[str]:
    """Yield the first part, and those behind it that there is room for."""
    taken = 0
    for part in parts:
        if taken and taken + len(part) > ROOM:
            return
        taken += len(part)
        yield part


def _label(analysis: Analysis) -> str:
    """Return what tells an analysis from others of its kind: its trial, what was asked for, when."""
    trials, settings = analysis.question.trials, analysis.question.settings
    of = f"trial {trials[0]}" if len(trials) == 1 else format_number_of("trial", len(trials))
    asked = [f"{name} {value}" for name, value in settings.items() if value is not None and name not in ("of", "unit")]
    return " · ".join((", ".join((of, *asked)), f"{analysis.at:%Y-%m-%d %H:%M:%S} UTC"))


def _one(anchor: str, analysis: Analysis) -> str:
    """Return one analysis: its figure, what is to be said of it, its table."""
    try:
        drawn, said, table = figure(analysis), "; ".join((*lines(analysis), circumstances(analysis))), _table(analysis)
    except Exception:  # of any kind: rows that are damaged, or another version's; the rest of the page is worth having
        log.debug("%s cannot be shown", title(analysis), exc_info=True)
        return page.figure(title(analysis), "", "what is kept of it cannot be shown: search.analyse --again", "")
    if drawn is None:
        return page.figure(title(analysis), "", said, table)
    return f"{page.plot(anchor, drawn, said, tabled=True)}\n{table}"


def _table(analysis: Analysis) -> str:
    kind = KINDS[analysis.question.kind]
    shown = kind.columns(analysis)
    columns = [Column(title=each.heading, numeric=each.numeric) for each in shown]
    rows = ([each.text(row) for each in shown] for row in kind.shown(analysis))
    return page.folded(f"{title(analysis)} as a table", f"{title(analysis)}, {_label(analysis)}", columns, rows)
