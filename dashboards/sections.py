"""What a study found, on the page: headline, front, search, choices, what fell short, settings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dashboards import choices, claimed, edf, findings, importance, page, progress, theme
from dashboards.frames import StudyView
from dashboards.page import Cell, Column
from search.core.columns import CHOICES, View, architecture_line, columns, filled
from search.core.columns import Column as Shown
from search.core.labels import name_of, outside_kind
from search.core.records import Rejection, State, TrialRecord
from search.core.units import UNKNOWN, format_duration, format_number_of

TEMPLATES = Path(__file__).parent / "live" / "templates"  # of the live page, which holds some of them too


def everything(view: StudyView, made: Mapping[str, str] | None = None, written: str = "URL") -> list[str]:
    """Return the sections of the page in order.

    Args:
        view: the study.
        made: by what the page was made, by name.
        written: the database as commands on the page name it.
    """
    shown = {
        **({"front": ("The front", _drawn("front"))} if view.trials else {}),
        "networks": ("The networks to choose from", page.section("networks", "The networks", *found(view))),
        **({"trials": ("All trials", _drawn("trials"))} if view.trials else {}),
        **({"time": ("By time", _drawn("time"))} if view.trials else {}),
    }
    looked = [*findings.parts(view.analyses), *claimed.parts(view.verdicts, written)]
    named = [
        *([("search", "The search", search(view))] if view.complete else []),
        *([("choices", "The choices", design(view))] if view.complete else []),
        *([(findings.ANCHOR, findings.TITLE, looked)] if looked else []),
        ("rest", "What is not on the front", fell_short(view)),
        ("settings", "Settings", settings(view, made or {})),
    ]
    links = [(anchor, title) for anchor, (title, _) in shown.items()] + [(anchor, title) for anchor, title, _ in named]
    return [
        headline(view, links),
        *(written for _, written in shown.values()),
        *(page.section(anchor, title, *parts) for anchor, title, parts in named),
    ]


def _drawn(name: str) -> str:
    """Return a part of the page that its script fills."""
    return (TEMPLATES / f"{name}.html").read_text(encoding="utf-8")


def headline(view: StudyView, links: Iterable[tuple[str, str]]) -> str:
    """Return the study's name, what it was about, and its main numbers."""
    data = view.study.config.get("data", "")
    about = (
        data if isinstance(data, str) else page.outline(data).replace("\n", ", "),
        _objectives(view),
        _dates(view),
    )
    return "\n".join(
        (
            "<header>",
            f"<h1>{page.text(view.study.name)}</h1>",
            page.paragraph(" · ".join(filter(None, about)), "lede"),
            page.navigation(links),
            page.facts(_facts(view)),
            "</header>",
        )
    )


def _objectives(view: StudyView) -> str:
    first, *others = [view.study.objective(name).title for name in view.study.objectives]
    return f"{first} against {' and '.join(others)}" if others else first


def _dates(view: StudyView) -> str:
    moments = [moment for session in view.sessions for moment in (session.started_at, session.seen_at)]
    if not moments:
        return f"created {_date(view.study.created_at)}" if view.study.created_at else ""
    return f"{_date(min(moments))} to {_date(max(moments))} UTC"


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def _facts(view: StudyView) -> list[tuple[str, str, str]]:
    epochs = sum(trial.epochs for trial in view.trials)
    in_full = len(view.trials) * view.study.max_epochs
    trained = sum(each.wall_s for trial in view.trials for each in trial.measurements)
    wall = sum(session.wall_s for session in view.sessions)
    share = f"{100 * epochs / in_full:.0f} % of training every trial in full" if in_full else "none yet"
    return [
        ("on the front", str(len(view.front)), f"of {format_number_of('fully trained trial', len(view.complete))}"),
        ("hypervolume", f"{view.hypervolume:.3f}", "share of the objective space dominated, 0 to 1"),
        ("trials", str(len(view.trials)), _states(view)),
        ("epochs trained", f"{epochs:,}", share),
        ("training time", format_duration(trained), "summed over workers, evaluation included"),
        (
            "wall time",
            format_duration(wall) if view.sessions else UNKNOWN,
            format_number_of("launch", len(view.sessions)),
        ),
    ]


def _states(view: StudyView) -> str:
    words = {
        State.COMPLETE: "complete",
        State.STOPPED: "stopped early",
        State.FAILED: "failed",
        State.RUNNING: "running",
    }
    counts = [f"{view.count(state)} {word}" for state, word in words.items() if view.count(state)]
    rejected = [f"{format_number_of('proposal', len(view.rejections))} rejected untrained"] if view.rejections else []
    return ", ".join(counts + rejected) or "none yet"


def found(view: StudyView) -> list[str]:
    """Return the front as a table."""
    if not view.trials:
        return [page.paragraph("This study has no trial yet.", "message")]
    if not view.complete:
        return [page.paragraph("No trial has been trained in full yet, so there is no front.", "message")]
    return [_front_table(view)]


def _front_table(view: StudyView) -> str:
    shown = _deciding(view)
    heads = [
        Column(
            title="network", note="block, depth and widening factor, and what else matters", numeric=False, wrap=True
        ),
        *(Column(title=each.name, note=_note(each), numeric=each.numeric, more=_less(view, each)) for each in shown),
        Column(title="chosen", note="what was searched of network and recipe", numeric=False, wrap=True, more=True),
    ]
    return page.table(_caption(view), heads, [_front_row(view, shown, trial) for trial in view.front])


def _front_row(view: StudyView, shown: Sequence[Shown], trial: TrialRecord) -> list[Cell]:
    name, line = name_of(trial.architecture), architecture_line(view.study, trial)
    cells = [Cell(text=each.shown(view.study, trial), key=each.key(view.study, trial)) for each in shown]
    return [Cell(text=name, key=name, opens=trial.number), *cells, Cell(text=line, key=line)]


def _deciding(view: StudyView) -> list[Shown]:
    """Return what a table of the front shows beside names, the objectives first."""
    told = {"trial", "name", "epochs", "recipe", *(each.name for each in CHOICES), *view.searched()}
    shown = filled(columns(view.study, View.PAGE), view.study, view.front)
    rest = [each for each in shown if each.name not in told]
    return sorted(rest, key=lambda each: each.name not in view.study.objectives)


def _less(view: StudyView, column: Shown) -> bool:
    return column.name not in view.study.objectives


def _note(column: Shown) -> str:
    return f"{column.title} ({column.note})" if column.title else column.note


def _caption(view: StudyView) -> str:
    images = view.study.validation_images
    runs = f"of one run, ± is the standard error by {images:,} validation images" if images else ""
    means = "of a mean over seeds, ± is half of its interval of 95 %" if any(t.confirmation for t in view.front) else ""
    errors = "; ".join(filter(None, (runs, means)))
    said = "Every network that no other beats in all objectives; click a head to sort"
    return f"{said}. Errors: {errors}" if errors else said


def search(view: StudyView) -> list[str]:
    """Return how the search went."""
    grown = progress.info(view)
    return [
        page.grid(
            page.plot(
                "plot-progress-trials",
                progress.figure(grown, "trials"),
                "What the front lacked of what it is now: a line that still fell at the end says that more trials "
                "would find more.",
            ),
            page.plot(
                "plot-progress-time",
                progress.figure(grown, "seconds"),
                "The same against training spent: the steeper, the better the time was used.",
            ),
        ),
    ]


def design(view: StudyView) -> list[str]:
    """Return what the design choices did to the error."""
    by_value = [
        page.plot(f"plot-choice-{place}", choices.figure(choice), _reading(choice))
        for place, choice in enumerate((choices.info(view, name) for name in view.searched()), start=1)
    ]
    return [
        _importance(importance.info(view)),
        page.paragraph(
            "Below, the error of each fully trained trial over the least of any that costs no more: 1 is on the Pareto "
            "front. They were not drawn at random: the sampler favoured some values and the rungs stopped the weak, so "
            "read differences as hints."
        ),
        page.grid(*by_value),
        page.plot(
            "plot-edf",
            edf.figure(edf.info(view)),
            "The height at an error is the share of trials that do at least this well; a curve further left and higher "
            "means a better space.",
        ),
    ]


def _importance(found: importance.Importance) -> str:
    """Return the parameters by how much they decide, as bars in a table."""
    drawn = importance.figure(found)
    title, subtitle = theme.headings(drawn)
    known = [each for each in found.objectives if each.shares]
    if not known:
        return page.figure(title, theme.remarks(drawn), "")
    order = sorted(found.parameters, key=lambda name: -max(each.shares.get(name, 0.0) for each in known))
    heads = [
        Column(title="parameter", numeric=False),
        *(Column(title=each.title, numeric=False, wrap=True) for each in known),
    ]
    rows = [[Cell(text=name, key=name), *(_share(each.shares.get(name)) for each in known)] for name in order]
    reading = (
        "How much worse a forest predicts an objective when one parameter is shuffled between trials; it ranks what to "
        "search more finely, and says nothing about which value is best."
    )
    return page.figure(
        title, subtitle, reading, page.table("Share of the predictable variation", heads, rows, narrow=True)
    )


def _share(share: float | None) -> Cell:
    if share is None:
        return Cell(text=UNKNOWN, key=-1.0)
    return Cell(text=f"{100 * share:.0f} %", key=share, share=share)


def _reading(choice: choices.ErrorsByValue) -> str:
    if choice.continuous:
        return "Each point is one trial; lower is better."
    return "Each point is one trial, a box holds the middle half, its line is the median; lower is better."


def fell_short(view: StudyView) -> list[str]:
    """Return counts of what was dominated, stopped, failed or rejected, and why each failed trial did."""
    stopped = Counter(trial.epochs for trial in view.trials if trial.state is State.STOPPED)
    broken = Counter(_why_rejected(each) for each in view.rejections)
    outside = Counter(outside_kind(trial.outside) for trial in view.complete if trial.outside)
    rows = [
        ("dominated", "fully trained", len(view.complete) - len(view.front) - outside.total()),
        *(("outside", f"fully trained: {why}", count) for why, count in sorted(outside.items())),
        *(("stopped early", f"after epoch {epoch}", count) for epoch, count in sorted(stopped.items())),
        *(("rejected untrained", why, count) for why, count in sorted(broken.items())),
        ("running", "or waiting for a worker", view.count(State.RUNNING)),
    ]
    columns = [
        Column(title="what", numeric=False),
        Column(title="why or when", numeric=False, wrap=True),
        Column(title="count"),
    ]
    cells = [
        (Cell(text=a, key=a), Cell(text=b, key=b), Cell(text=str(count), key=count)) for a, b, count in rows if count
    ]
    parts = [page.table("Trials and proposals that are not on the front", columns, cells, narrow=True)] if cells else []
    return [*parts, *_failures(view)] or [page.paragraph("Nothing.")]


def _why_rejected(rejection: Rejection) -> str:
    broken = [name for name, excess in rejection.violations.items() if excess > 0]
    return f"breaks the bound on {', '.join(broken)}" if broken else rejection.reason


def _failures(view: StudyView) -> list[str]:
    failed = [trial for trial in view.trials if trial.state is State.FAILED]
    if not failed:
        return []
    columns = [
        Column(title="trial"),
        Column(title="failure", numeric=False),
        Column(title="reason", numeric=False, wrap=True),
        Column(title="epochs"),
    ]
    rows = [
        (
            Cell(text=str(trial.number), key=trial.number),
            Cell(text=trial.failure_kind or UNKNOWN, key=trial.failure_kind),
            Cell(text=trial.reason or UNKNOWN, key=trial.reason),
            Cell(text=str(trial.epochs), key=trial.epochs),
        )
        for trial in failed
    ]
    return [page.table("Trials that failed", columns, rows, narrow=True)]


def settings(view: StudyView, made: Mapping[str, str]) -> list[str]:
    """Return the study's file, the machines it ran on, and what made this page."""
    machines: dict[str, Mapping[str, str]] = {}
    for session in view.sessions:
        if session.machine:
            machines.setdefault(page.outline(session.machine), session.machine)
    numbered = enumerate(machines.values(), start=1)
    ran = (
        [page.subheading("Machine"), *(page.definitions(each, f"Machine {place}") for place, each in numbered)]
        if machines
        else []
    )
    by = [page.subheading("This page"), page.definitions(made, "This page")] if made else []
    return [page.preformatted(page.outline(view.study.config), "The study's file"), *ran, *by]
