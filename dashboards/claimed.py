"""Show beside a study what was found of claims of the literature in its database: in short, and where all of it is."""

from collections.abc import Sequence

from dashboards import page
from dashboards.page import Column
from search.core.claims import LEVEL, Verdict, summary
from search.core.commands import command

CAPTION = "Claims of the literature"
COLUMNS = tuple(
    Column(title=title, numeric=False)
    for title in ("name", "claim", "verdict", f"effect ({100 * LEVEL:.0f} %)", "claimed", "on")
)


def parts(verdicts: Sequence[Verdict], written: str) -> list[str]:
    """Return a line and a table that unfolds; nothing where nothing was found.

    Args:
        verdicts: of the database, each of its own claim and images.
        written: the database as commands name it.
    """
    if not verdicts:
        return []
    full = f"{CAPTION} that were tested by this database: {summary(verdicts)}. Each drawn with its interval: "
    rows = [
        (each.claim, each.says, each.outcome.value, each.told, each.range, each.data or "what is counted")
        for each in verdicts
    ]
    return [page.paragraph(full + command("dashboards.verdicts", written)),
            page.folded(f"{CAPTION} as a table", CAPTION, COLUMNS, rows)]  # fmt: skip
