"""Keep what an analysis has found so far on the disk of whoever asks, until all of it is in the database."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from search.study.journal import FOLDER

ANALYSES = FOLDER / "analyses"


def scratch() -> str | None:
    """Return the folder in which trainings of analyses are kept, made now; none where it cannot be.

    Without it they begin anew each time.
    """
    with suppress(OSError):
        ANALYSES.mkdir(parents=True, exist_ok=True)
        return str(ANALYSES.resolve())
    return None


class Draft:
    """The rows of one analysis, each a line of JSON, on disk before the next is computed.

    Where the disk takes nothing they are only lost if the analysis is broken off.
    """

    def __init__(self, key: str) -> None:
        """Take the key of the question."""
        self._path = ANALYSES / f"{key}.jsonl"
        self.rows = _read(self._path)

    def append(self, row: dict[str, Any]) -> None:
        """Keep a row that is not there yet."""
        if row in self.rows:
            return
        self.rows.append(row)
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(row)}")  # behind a line that was cut off too

    def drop(self) -> None:
        """Keep nothing any more."""
        self.rows = []
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; a line that was cut off is none."""
    rows = list[dict[str, Any]]()
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                row = json.loads(line)
                rows += [row] if isinstance(row, dict) and "what" in row else []
    return rows
