"""Show what analyses have found: a table for a terminal, the units of its numbers, and what is to be said below."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median, stdev
from typing import Any

from rich import box
from rich.table import Table

from search.core import speeds, surfaces
from search.core.analyses import Analysis, Row
from search.core.flow import course, said
from search.core.kinds import MUCH, SURE, Kind, Shown, number, points, share, whole
from search.core.units import UNKNOWN, format_count, format_duration, format_number_of


def _trials(numbers: Sequence[Any]) -> str:
    return " + ".join(map(str, numbers))


def _ensemble_columns(analysis: Analysis) -> Sequence[Shown]:
    return (
        Shown(heading="trials", text=lambda row: _trials(row["trials"]), numeric=False),
        Shown(heading="error", text=lambda row: share(row, "error")),
        Shown(heading=str(analysis.question.settings["cost"]), text=lambda row: format_count(row["cost"])),
        Shown(heading="best single", text=lambda row: whole(row["best_single"])),
        Shown(heading="error above its (points)", text=lambda row: points(row, "change")),
        Shown(heading="below the front", text=lambda row: {None: "single", True: "yes", False: "no"}[row["below"]]),
    )  # fmt: skip


def _ensemble_shown(analysis: Analysis) -> Sequence[Row]:
    """Return the single networks, and the ensembles that no other subset dominates."""
    shown, least = list[Row](), float("inf")
    for row in sorted(analysis.rows, key=lambda each: (each["cost"], each["error"])):
        if row["error"] < least or row["below"] is None:
            shown.append(row)
        least = min(least, row["error"])
    return shown


def _ensemble_lines(analysis: Analysis) -> Iterator[str]:
    several = [row for row in analysis.rows if row["below"] is not None]
    below = [row for row in several if row["below"]]
    sure = [row for row in below if row["change"] < -SURE * row["change_se"]]
    yield (
        f"{format_number_of('ensemble', len(several))} of 2 to {analysis.question.settings['most']} networks, of which "
        f"those that no other beats are shown; {len(below)} lie below the front of single networks, "
        f"{len(sure)} of them by more than {SURE:g} standard errors"
    )
    yield "they are compared on the images that chose the networks: the best of so many is a little worse than it looks"
    cost, size = analysis.question.settings["cost"], analysis.question.settings.get("of")
    if size:
        yield f"of the front's {size} networks the {len(analysis.question.trials)} best are combined"
    yield f"{cost} are summed over members; best single: the best network that costs no more"


def _draws(analysis: Analysis) -> list[Row]:
    return [row for row in analysis.rows if row["what"] == "draw"]


def _lesion_columns(_analysis: Analysis) -> Sequence[Shown]:
    return (
        Shown(heading="taken out", text=taken, numeric=False),
        Shown(heading="error", text=lambda row: share(row, "error")),
        Shown(heading="above the whole network's (points)", text=_above),
        Shown(heading="note", text=_note, numeric=False),
    )


TAKEN = {
    "whole": "nothing", "draw": "blocks {}", "swap": "{} swapped", "base": "every branch but number {}",
    "shallow": "every branch", "deep": "every shortcut", "column": "column {}", "alone": "every column but {}",
    "length": "all but paths by {} branches",
}  # fmt: skip


def taken(row: Row) -> str:
    """Return what was taken out: block 1.2, blocks 1.1, 2.1, 1.1 and 1.2 swapped; every branch, trained so."""
    how: str = TAKEN.get(row["what"], row["what"] + " {}")
    return how.format(row["place"]) + (", trained so" if row.get("trained") else "")


def _note(row: Row) -> str:
    if row["what"] != "length":
        return str(row["note"] or "")
    share = "not known" if row["share"] is None else f"{row['share']:.1%}"
    return f"{format_number_of('path', row['paths'])}, {row['followed']} followed; {share} of the gradient"


def _above(row: Row) -> str:
    return UNKNOWN if row["what"] in ("whole", "length") else points(row, "change")


def _lesion_lines(analysis: Analysis) -> Iterator[str]:
    blocks = [row for row in analysis.rows if row["what"] == "block"]
    gone = [row for row in blocks if row["error"] is not None]
    stay = [row for row in gone if row["change"] <= SURE * row["change_se"]]
    yield (
        f"{len(gone)} of {format_number_of('block', len(blocks))} can be taken out one by one; {len(stay)} of them for "
        f"an error that is not surely higher (by {SURE:g} standard errors)"
    )
    if drawn := _draws(analysis):
        errors = [row["error"] for row in drawn]
        count, mean = analysis.question.settings["blocks"], sum(errors) / len(errors)
        spread = f", deviation {100 * stdev(errors):.2f} points" if len(errors) > 1 else ""
        often = format_number_of("draw", len(errors))
        yield f"{format_number_of('block', count)} at random, {often}: mean error {100 * mean:.2f} %{spread}"
    if any(row.get("trained") for row in analysis.rows):
        yield "trained so: by the trial's recipe and seed, without what is taken out, from the beginning"
    yield "places are stage.block.branch, each from 1; the statistics of normalisations stay as training left them"


def _filter_columns(_analysis: Analysis) -> Sequence[Shown]:
    def near(row: Row, what: str) -> str:
        return UNKNOWN if row[what] is None else f"{row[what]} ({row[f'{what}_cosine']:+.2f})"

    return (
        Shown(heading="channel", text=lambda row: str(row["channel"])),
        Shown(heading="orientation", text=lambda row: number(row["orientation_deg"], "{:.0f}°")),
        Shown(heading="cycles / pixel", text=lambda row: number(row["frequency"], "{:.2f}")),
        Shown(heading="window (pixels)", text=lambda row: number(row["window_px"], "{:.2f}")),
        Shown(heading="explained", text=lambda row: number(row["explained"], "{:.0%}")),
        Shown(heading="nearest (cosine)", text=lambda row: near(row, "nearest")),
        Shown(heading="most opposite (cosine)", text=lambda row: near(row, "opposite")),
    )


def _filter_lines(analysis: Analysis) -> Iterator[str]:
    chance = next(row for row in analysis.rows if row["what"] == "chance")
    channels = [row for row in analysis.rows if row["what"] == "channel"]
    known = [row["explained"] for row in channels if row["explained"] is not None]
    above = sum(each > chance["explained_95"] for each in known)
    yield (
        f"a Gabor filter explains {median(known or [0.0]):.0%} of a filter's energy (median of {len(known)}), of "
        f"random filters of this shape {chance['explained']:.0%}; {above} are above 95 % of those"
    )
    pairs = [row for row in analysis.rows if row["what"] == "pair"]
    yield f"near copies (cosine of 0.9 and more): {_pairs(row for row in pairs if row['cosine'] > 0)}"
    yield f"near negatives (cosine of -0.9 and less): {_pairs(row for row in pairs if row['cosine'] < 0)}"
    if chance["opposite_cosine"] is not None:
        lowest = median([row["opposite_cosine"] for row in channels])
        random = f"among as many random filters {chance['opposite_cosine']:+.2f}"
        yield f"the most opposite of each filter: cosine {lowest:+.2f} (median), {random}"


def _pairs(found: Iterable[Row]) -> str:
    return ", ".join(f"{row['channel']} and {row['other']} ({row['cosine']:+.2f})" for row in found) or "none"


def _marginal_columns(_analysis: Analysis) -> Sequence[Shown]:
    return (
        Shown(heading="axis", text=lambda row: str(row["axis"]), numeric=False),
        Shown(heading="value", text=lambda row: str(row["value"])),
        Shown(heading="trained in full", text=lambda row: str(row["trials"])),
        Shown(heading="of", text=lambda row: str(row["proposed"])),
        Shown(heading="error, times the front's", text=lambda row: number(row["excess"], "{:.2f}")),
        Shown(heading="of other values' (95 %)", text=effect),
    )


def effect(row: Row) -> str:
    """Return a ratio with its interval: 0.86 (0.65 to 1.15)."""
    if row["effect"] is None:
        return UNKNOWN
    told = f"{row['effect']:.2f}"
    high = UNKNOWN if row["high"] is None else f"{row['high']:.2f}" if row["high"] < MUCH else f"over {MUCH}"
    return told if row["low"] is None else f"{told} ({row['low']:.2f} to {high})"


def differs(row: Row) -> bool:
    """Whether the interval of a ratio leaves 1 out; an upper end that is not known is infinite."""
    return row["low"] is not None and (row["low"] > 1 or (row["high"] is not None and row["high"] < 1))


def _marginal_lines(analysis: Analysis) -> Iterator[str]:
    asked = analysis.question.settings
    yield (
        f"of {format_number_of('trial', len(analysis.question.trials))} trained in full; errors ({asked['quality']}) "
        f"over the least of any network of no more {asked['cost']}, geometric means; a ratio below 1 is better"
    )
    sure = [row for row in analysis.rows if differs(row)]
    yield f"{len(sure)} of {len(analysis.rows)} values differ from the others at 95 % (one in 20 does by chance)"
    yield "trials were chosen by a sampler and some were stopped early, so this is what was seen, and no experiment"


def _flow_columns(analysis: Analysis) -> Sequence[Shown]:
    epochs = course(analysis.rows).epochs
    ends = sorted({0, len(epochs) - 1}) if epochs else []
    return (
        Shown(heading="block", text=lambda row: str(row["block"]), numeric=False),
        *(_flowing("gradient", f"gradient, epoch {epochs[place]}", place) for place in ends),
        *(_flowing("branch", f"branch / shortcut, epoch {epochs[place]}", place) for place in ends),
    )


def _flowing(name: str, heading: str, place: int) -> Shown:
    return Shown(heading=heading, text=lambda row: number(row[name][place], "{:.3g}"))


def _flow_shown(analysis: Analysis) -> Sequence[Row]:
    """Return a row for each block, with its values by epoch."""
    found = course(analysis.rows)
    columns = zip(found.blocks, found.gradients, found.branches, strict=True)
    return [{"block": block, "gradient": gradient, "branch": branch} for block, gradient, branch in columns]


def _flow_lines(analysis: Analysis) -> Iterator[str]:
    yield from said(course(analysis.rows))
    yield "by at most 128 training images, the same after each epoch: L2 norms of an image's gradient and of both terms"


_FRACTION = "fraction of images"
_CHANGES = {"error": _FRACTION, "error_se": _FRACTION, "change": _FRACTION, "change_se": _FRACTION}
KINDS: dict[str, Kind] = {
    "ensemble": Kind(
        title="ensembles",
        units={
            "trials": "numbers of trials", "cost": "settings.unit", "best_single": "number of a trial", **_CHANGES,
        },
        columns=_ensemble_columns, shown=_ensemble_shown, lines=_ensemble_lines,
    ),
    "lesion": Kind(
        title="lesions",
        of_one=True,
        units={
            "place": "stage.block.branch, each from 1; of length: blocks", **_CHANGES, "paths": "count",
            "followed": "number of paths", "gradient": "norm (mean of a path)", "share": "fraction of all gradients",
        },
        columns=_lesion_columns, shown=lambda analysis: analysis.rows, lines=_lesion_lines,
    ),
    "filters": Kind(
        title="filters of the stem",
        of_one=True,
        units={
            "channel": "from 0", "orientation_deg": "degrees", "frequency": "cycles per pixel", "window_px": "pixels",
            "explained": "fraction of energy", "explained_95": "fraction of energy", "nearest": "channel",
            "opposite": "channel", "other": "channel", "nearest_cosine": "cosine", "opposite_cosine": "cosine",
            "cosine": "cosine", "weight": "weights by channel, row and column",
            "channels": "of the image",
        },
        columns=_filter_columns,
        shown=lambda analysis: [row for row in analysis.rows if row["what"] == "channel"], lines=_filter_lines,
    ),
    "marginals": Kind(
        title="what each searched value buys at equal cost",
        units={
            "trials": "number of trials trained in full", "proposed": "number of trials", "excess": "ratio of errors",
            "others": "number of trials trained in full", "effect": "ratio of ratios", "low": "ratio of ratios",
            "high": "ratio of ratios",
        },
        columns=_marginal_columns, shown=lambda analysis: analysis.rows, lines=_marginal_lines,
    ),
    "flow": Kind(
        title="what comes through each block",
        of_one=True,
        units={
            "epoch": "epochs trained", "block": "stage.block, each from 1",
            "gradient": "L2 norm of an image's gradient of the loss at the block's output, root mean square",
            "branch": "ratio of the L2 norms of branch and shortcut",
        },
        columns=_flow_columns, shown=_flow_shown, lines=_flow_lines,
    ),
    "surface": surfaces.KIND,
    "speed": speeds.KIND,
}  # fmt: skip


def table(analysis: Analysis) -> Table:
    """Return what was found as a table."""
    kind = KINDS[analysis.question.kind]
    columns = kind.columns(analysis)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for each in columns:
        made.add_column(each.heading, no_wrap=True, justify="right" if each.numeric else "left")
    for row in kind.shown(analysis):
        made.add_row(*(each.text(row) for each in columns))
    return made


def title(analysis: Analysis) -> str:
    """Return what was analysed: lesions of trial 38, whether or not its plain network stands beside it as a trial."""
    kind, asked = KINDS[analysis.question.kind], analysis.question
    return kind.title + (f" of trial {asked.trials[0]}" if kind.of_one and asked.trials else "")


def circumstances(analysis: Analysis) -> str:
    """Return on which images it was found, by what, when."""
    asked = analysis.question
    part = asked.settings.get("of", "validation") if asked.kind == "surface" else "validation"
    images = f"{analysis.images:,} {part} images" if analysis.images else "no images looked at"
    images = images if analysis.device else "told by the tables"
    data = f" (data {asked.fingerprint})" if asked.fingerprint else ""
    took = f", {format_duration(analysis.took_s)}" if analysis.took_s else ""
    when = f"{analysis.at:%Y-%m-%d %H:%M} UTC{took}{', read from the database' if analysis.kept else ''}"
    return "; ".join(filter(None, (f"{images}{data}", analysis.device, when)))


def heading(study: str, analysis: Analysis) -> str:
    """Return what stands above a table: what was analysed, on which images, by what, when."""
    return f"{study}: {title(analysis)}; {circumstances(analysis)}"


def lines(analysis: Analysis) -> Iterator[str]:
    """Yield what is to be said below a table."""
    yield from KINDS[analysis.question.kind].lines(analysis)


def told(study: str, analysis: Analysis) -> dict[str, Any]:
    """Return all of it as plain values, with what its rows come to together."""
    kind = KINDS[analysis.question.kind]
    return {**analysis.to_json(study, kind.units), "summary": [dict(row) for row in kind.summary(analysis)]}
