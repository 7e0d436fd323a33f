"""Write what was found of claims as a page of Markdown, with all that has to be known to read it."""

from collections.abc import Mapping, Sequence

from search.core.claims import QUANTITIES, Kind, Outcome, Verdict, summary
from search.core.units import UNKNOWN

BEGINS = "# Claims of the literature"
READ = (
    "An effect is the mean over seeds of what the first network has above the second, paired by seed, with Student's "
    "interval of 95 %; a ratio of times has Welch's; of one network it is the mean. A claim holds where the whole "
    "interval lies in the range that is claimed, and does not hold where all of it lies outside: *here*, on these "
    "images and after so many epochs, which says how fast networks learn more than how far they come. Of twenty "
    "intervals one misses by chance."
)


def markdown(verdicts: Sequence[Verdict], command: str) -> str:
    """Return the page.

    Args:
        verdicts: what was found.
        command: that makes it.
    """
    trained = [each for each in verdicts if each.kind is not Kind.COUNTED]
    counted = [each for each in verdicts if each.kind is Kind.COUNTED]
    lines = [f"{BEGINS}, and what was found of them", "", f"Made by `{command}`.", *_about(trained)]
    for title, some in (("Of networks that were trained", trained), ("Of networks that were counted", counted)):
        if some:
            lines += ["", f"## {title}", "", f"{summary(some)}.", "", *_rows(some)]
    return "\n".join(lines) + "\n"


def _about(trained: Sequence[Verdict]) -> list[str]:
    """Return on what, when and where networks were trained."""
    if not trained:
        return []
    seeds, epochs = ({each.effect.seeds for each in trained}, {each.epochs for each in trained})
    days = sorted({f"{each.at:%Y-%m-%d}" for each in trained})
    machines = sorted({_machine(each.machine) for each in trained if each.machine})
    return [
        "", f"- images: {', '.join(sorted({each.data for each in trained}))}",
        f"- epochs: {_span(epochs)}; seeds of each network, n = {_span(seeds)}",
        f"- {'; '.join(machines)}", f"- {', '.join(days)}", "", READ,
    ]  # fmt: skip


def _span(numbers: set[int]) -> str:
    return str(min(numbers)) if len(numbers) == 1 else f"{min(numbers)} to {max(numbers)}"


def _machine(told: Mapping[str, str]) -> str:
    return f"{told.get('device', '')} ({told.get('cores', '?')} cores), torch {told.get('torch', '?')}"


def _rows(verdicts: Sequence[Verdict]) -> list[str]:
    order = list(Outcome)
    ranked = sorted(verdicts, key=lambda each: order.index(each.outcome))
    several = len({each.fingerprint for each in verdicts if each.fingerprint}) > 1
    heading = ["| claim | networks | claimed | found | verdict | n | s |", "|---|---|---|---|---|---|---|"]
    return heading + ["| " + " | ".join(_cells(each, several=several)) + " |" for each in ranked]


def _cells(verdict: Verdict, *, several: bool) -> list[str]:
    """Return the cells of a row, which names the images where those of other rows are others."""
    networks = " against ".join(f"`{each}`" for each in verdict.networks)
    note = f": {verdict.note}" if verdict.note else ""
    told = QUANTITIES[verdict.of].told if verdict.of in QUANTITIES else verdict.of
    cells = [
        f"**{verdict.claim}** {verdict.says} *{verdict.source}*",
        networks + (" (small form)" if verdict.form == "small" else "") + (f" on {verdict.data}" if several else ""),
        f"{told} {verdict.range}", verdict.told, f"**{verdict.outcome}**{note}",
        str(verdict.effect.seeds or UNKNOWN), f"{verdict.seconds:.0f}" if verdict.seconds else UNKNOWN,
    ]  # fmt: skip
    return [" ".join(each.split()).replace("|", r"\|").replace("<", "&lt;") for each in cells]
