"""How a study is that was sent to a cluster: as an exit code, as a word, as JSON, as a table."""

import re
import shlex
from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from search.jobs.client import Submission
from spaces.errors import StudyError

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


def exit_code(ended: Submission) -> int:
    """Return the exit code of a study from what became of its submission.

    Raises:
        StudyError: it ended without a word of its own.
    """
    if ended.state == "done":
        return DONE
    if ended.state == "stopped" or ended.exit_code == INTERRUPTED:
        return INTERRUPTED
    if ended.exit_code in (FAILED, WRONG) and "error: " in ended.message:
        return int(ended.exit_code)
    raise StudyError(f"{ended.study} could not be launched on the cluster: {_reason(ended)}")


def _reason(ended: Submission) -> str:
    missing = re.search(r"No module named '?([\w.]+)", ended.message)
    if missing:
        return f"its Python lacks {missing[1]}: install what Widefront needs there, or name another with --python"
    lines = [line.strip() for line in ended.message.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {ended.exit_code}"


def state_of(each: Submission) -> str:
    """Return one word, and how a study failed."""
    if each.state == "failed" and each.exit_code == INTERRUPTED:
        return "stopped"
    code = f" (exit code {each.exit_code})" if each.state == "failed" and each.exit_code is not None else ""
    return f"{each.state}{code}"


def folder_of(command: Sequence[str]) -> str:
    """Return where a study stands on the cluster."""
    return command[command.index("--within") + 1] if "--within" in command else "?"


def plain(each: Submission, said: str) -> dict[str, object]:
    """Return all there is to say, and what the study said last, as plain values."""

    def moment(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "study": each.study,
        "state": each.state,
        "exit_code": each.exit_code,
        "by": each.by,
        "started_at": moment(each.started_at),
        "ended_at": moment(each.ended_at),
        "folder": folder_of(shlex.split(each.command)),
        "submission": each.id,
        "last": said,
    }


def table_of(rows: Sequence[tuple[Submission, str]]) -> Table:
    """Return a line for each study with what it said last."""
    table = Table(box=None, pad_edge=False)
    for name in ("study", "state", "since (UTC)", "by", "last said"):
        table.add_column(name, overflow="fold", no_wrap=name == "since (UTC)")  # broken, but never cut
    for each, said in rows:
        at = each.ended_at or each.started_at
        table.add_row(
            each.study, state_of(each), f"{at:%Y-%m-%d %H:%M}" if at else "", each.by, Text(said)
        )  # no markup of a log's
    return table
