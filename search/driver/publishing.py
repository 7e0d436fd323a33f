"""Let the dashboards write the report and the plot: a process of its own, since they stand above search."""

import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from search.core.environment import hide
from search.core.interrupts import interrupts

ASKED_S = 1.0  # in which a signal that ended the report's process has come to this one, if it was for both


def publish(
    storage: str,
    study: str,
    path: Path | None,
    written: str = "",
    *,
    doing: AbstractContextManager[object] | None = None,
) -> Path | None:
    """Bring Optuna Dashboard's plot up to date and write the report, and return its path, or nothing where it failed.

    The storage goes by the environment, since a process list shows command lines.

    Args:
        storage: the database.
        study: its name.
        path: of the report; without it, none is written.
        written: the database as commands in the report name it, without a password.
        doing: is entered as long as that takes; a failure is said behind it.
    """
    arguments = [sys.executable, "-m", "dashboards.publish", "${WIDEFRONT_STORAGE}", "--study", study]
    writing = subprocess.Popen(
        [*arguments, *(["-o", str(path), "--written", written] if path else ["--plot-only"])],
        env={**os.environ, "WIDEFRONT_STORAGE": storage},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with doing or nullcontext(), interrupts.at_end(writing.kill), writing:
        said = writing.communicate()[1].strip().splitlines()
        interrupts.stand_back(ASKED_S if writing.returncode < 0 else 0.0)
    if writing.returncode:
        what = "report" if path else "plot for Optuna Dashboard"
        print(f"warning: there is no {what}: {hide((said or ['no error message'])[-1])}", file=sys.stderr)
        return None
    return path
