"""Keep on the driver's disk, in order, what the database could not take yet."""

import json
import os
from collections import deque
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from spaces.errors import StudyError

MOST = 100_000  # entries: some 40 MB, days of most studies
SEEDS = "seeds"  # whose journal is that of a confirmation
FOLDER = Path(".widefront")  # where a study is launched

Entry = dict[str, Any]


class Journal:
    """Entries, plain values, until they are taken; each is on disk before `append` returns, a line of JSON.

    There is no file where nothing waits. While the disk takes nothing, entries are in memory alone: the checkpoints of
    trials hold their measurements too.
    """

    def __init__(self, path: Path, *, most: int = MOST) -> None:
        self.path = path
        self.most = most
        entries, self._size = _read(path)
        self.entries: deque[Entry] = deque(entries)
        self._stored = len(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def append(self, entry: Entry) -> None:
        """Put an entry behind the others.

        Raises:
            StudyError: there are too many.
        """
        if len(self.entries) >= self.most:
            raise StudyError(f"{self.most:,} entries wait in {self.path} for the database: that is the most it takes")
        self.entries.append(entry)
        with suppress(OSError):  # the next one tries again
            self._store()

    def _store(self) -> None:
        """Write what is not on disk yet behind what is; a line that was cut off before is overwritten."""
        if not self.path.exists():  # somebody tidied up
            self._size = self._stored = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = islice(self.entries, self._stored, None)
        lines = "".join(f"{json.dumps(entry)}\n" for entry in new).encode()
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.seek(self._size)
            file.truncate()
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(lines)
        self._stored = len(self.entries)

    def clear(self) -> None:
        """Forget all entries: they have arrived."""
        self.entries.clear()
        self._size = self._stored = 0
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            self.path.parent.rmdir()  # refused where another study's journal lies there


def _read(path: Path) -> tuple[list[Entry], int]:
    """Return the entries of a file and how many bytes they take.

    It ends at a line that a crash or a full disk cut off, since what came behind it would leave a gap.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return [], 0
    entries: list[Entry] = []
    size = 0
    for line in lines[:-1]:  # behind the last newline is nothing, or a piece
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
        size += len(line) + 1
    return entries, size
